"""Where a track of a curated playlist cannot be heard, or soon will not be, in words. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from catalogue.rules import Window
from catalogue.territories import day

SOON: Final = timedelta(days=14)  # how long before a track leaves its lists are told


class Kind(StrEnum):
    """What has happened to a track, the gravest first."""

    GONE = "GONE"
    UNLICENSED = "UNLICENSED"
    CLOSED = "CLOSED"
    LEAVING = "LEAVING"


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """Markets that have lost a track alike, or lose it `at` an instant; known `since` another.

    Of a closed one, `at` is when it opens (again), where that is known.
    """

    kind: Kind
    markets: tuple[str, ...]
    since: datetime
    at: datetime | None = None

    def __str__(self) -> str:
        listed = ", ".join(self.markets)
        if self.kind is Kind.GONE:
            return "taken down"
        if self.kind is Kind.UNLICENSED:
            return "of a licensor we have no contract with"
        if self.kind is Kind.LEAVING:
            return f"leaves {listed} on {day(self.at or self.since)}"
        return f"not in {listed}" + (f" before {day(self.at)}" if self.at else "")


def losses(
    offered: Mapping[str, Sequence[Window]], markets: Collection[str], *, changed_at: datetime, at: datetime
) -> list[Loss]:
    """What the markets have lost of a track by its `offered` windows, market by market, or lose within SOON.

    What the windows do not tell has been so since the release was `changed_at`.
    """
    alike: defaultdict[tuple[Kind, datetime | None], list[str]] = defaultdict(list)
    since: dict[tuple[Kind, datetime | None], datetime] = {}
    what: tuple[Kind, datetime | None]
    for market in sorted(markets):
        windows = offered.get(market, ())
        closes = closing(windows, at=at)
        if closes is None:
            continue
        if closes > at:
            what, known = (Kind.LEAVING, closes), max(changed_at, closes - SOON)
        else:
            ended = [window.ends_at for window in windows if window.ends_at and window.ends_at <= at]
            opens = min((window.starts_at for window in windows if window.starts_at > at), default=None)
            what, known = (Kind.CLOSED, opens), max(ended, default=changed_at)
        alike[what].append(market)
        since[what] = max(known, since.get(what, known))
    found = [
        Loss(kind=kind, markets=tuple(listed), since=since[kind, moment], at=moment)
        for (kind, moment), listed in alike.items()
    ]
    return sorted(found, key=in_order)


def closing(windows: Sequence[Window], *, at: datetime) -> datetime | None:
    """The first instant from `at` on, within SOON, at which no window is open; None where there is none."""
    ends = {window.ends_at for window in windows if window.ends_at and at < window.ends_at <= at + SOON}
    return next((moment for moment in sorted({at, *ends}) if not any(is_open(each, moment) for each in windows)), None)


def is_open(window: Window, at: datetime) -> bool:
    return window.starts_at <= at and (window.ends_at is None or window.ends_at > at)


def merged(found: Iterable[Loss]) -> list[Loss]:
    """Losses alike of several lists as one, in order."""
    alike: dict[tuple[Kind, datetime | None], Loss] = {}
    for loss in found:
        one = alike.setdefault((loss.kind, loss.at), loss)
        markets = tuple(sorted({*one.markets, *loss.markets}))
        alike[loss.kind, loss.at] = replace(one, markets=markets, since=max(one.since, loss.since))
    return sorted(alike.values(), key=in_order)


def in_order(loss: Loss) -> tuple[int, datetime, tuple[str, ...]]:
    """The gravest first, then what comes first."""
    return list(Kind).index(loss.kind), loss.at or loss.since, loss.markets


def in_words(found: Sequence[Loss]) -> str:
    """`not in DE, FR; leaves GB on 2026-12-01`."""
    return "; ".join(map(str, found))
