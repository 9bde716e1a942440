"""Where a right is open, not yet open or ended, told shortly. Pure: rights in, groups of territories out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

from catalogue.rules import Reason, Use, Window, judge
from kernel.values import COUNTRIES

FEW: Final = 8  # as many codes are named; more are counted
EVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Right:
    """One offer for one use: where it holds, and its time `[starts_at, ends_at)`."""

    territories: Collection[str]
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Territories where a use stands alike: open where there is no reason, else NOT_YET or ENDED, by `window`."""

    reason: Reason | None
    window: Window
    territories: tuple[str, ...]


def groups_of(rights: Iterable[Right], *, use: Use, at: datetime) -> list[Group]:
    """All territories with a right, by how `rules.judge` finds them at an instant: open ones first, then by size."""
    windows: defaultdict[str, list[Window]] = defaultdict(list)
    for right in rights:
        for territory in right.territories:
            windows[territory].append(Window(here=True, starts_at=right.starts_at, ends_at=right.ends_at))
    alike: defaultdict[tuple[Reason | None, Window], list[str]] = defaultdict(list)
    judged: dict[tuple[Window, ...], tuple[Reason | None, Window]] = {}
    for territory, offered in windows.items():
        key = tuple(offered)
        if key not in judged:
            reason = judge(windows=key, use=use, country=territory, at=at).reason
            judged[key] = reason, deciding(key, reason, at=at)
        alike[judged[key]].append(territory)
    groups = [
        Group(reason=reason, window=window, territories=tuple(sorted(listed)))
        for (reason, window), listed in alike.items()
    ]
    return sorted(groups, key=in_order)


def deciding(windows: Sequence[Window], reason: Reason | None, *, at: datetime) -> Window:
    """The window that makes the reason: all open ones as one, the next one to open, or the last one to end."""
    if reason is Reason.NOT_YET:
        return min((window for window in windows if window.starts_at > at), key=lambda window: window.starts_at)
    if reason is Reason.ENDED:
        return max(windows, key=end_of)
    opened = [window for window in windows if window.starts_at <= at < end_of(window)]
    last = max(opened, key=end_of)
    return Window(here=True, starts_at=min(window.starts_at for window in opened), ends_at=last.ends_at)


def end_of(window: Window) -> datetime:
    return window.ends_at or EVER


def in_order(group: Group) -> tuple[int, int, datetime]:
    phases = (None, Reason.NOT_YET, Reason.ENDED)
    return phases.index(group.reason), -len(group.territories), group.window.starts_at


# --- in words -----------------------------------------------------------------------------------


def named(territories: Collection[str]) -> str:
    """`everywhere`, `everywhere but KP`, `GB, IE`, or how many they are."""
    if is_counted(territories):
        return f"{len(territories)} territories"
    if len(territories) <= FEW:
        return ", ".join(sorted(territories))
    missing = sorted(COUNTRIES.difference(territories))
    return f"everywhere but {', '.join(missing)}" if missing else "everywhere"


def is_counted(territories: Collection[str]) -> bool:
    """Whether they are too many to be named, and so are those that are missing."""
    return len(territories) > FEW and len(COUNTRIES.difference(territories)) > FEW


def span(group: Group) -> str:
    """Since when, from when, or when it ended."""
    starts_at, ends_at = group.window.starts_at, group.window.ends_at
    if group.reason is Reason.ENDED and ends_at is not None:
        return f"on {day(ends_at)}"
    begins = f"{'from' if group.reason is Reason.NOT_YET else 'since'} {day(starts_at)}"
    return begins if ends_at is None else f"{begins} until {day(ends_at)}"


def day(instant: datetime) -> str:
    """An instant in UTC, by the minute; midnight goes without saying."""
    moment = instant.astimezone(UTC)
    return f"{moment:%Y-%m-%d}" if moment.time() == time.min else f"{moment:%Y-%m-%d %H:%M}"
