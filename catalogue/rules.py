"""Whether a track may be played, and why not. Pure: rows in, reasons out.

Availability is per use, per territory and per time (Streaming guide §4): a track may be sold where
it may not be streamed, and streamed later than it is sold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from kernel.errors import Kind, Refusal


class TrackNotFound(Refusal):
    """We have never heard of this track."""

    code, kind, platform_code = "track_not_found", Kind.NOT_FOUND, 2001


class TrackUnavailable(Refusal):
    """A known track that may not be heard by this listener, here and now; `reason` says why."""

    code, kind, platform_code = "track_unavailable", Kind.DENIED, 2002


class Use(StrEnum):
    """What a track is wanted for."""

    STREAM = "STREAM"
    DOWNLOAD = "DOWNLOAD"
    AD_STREAM = "AD_STREAM"


class Reason(StrEnum):
    """A rule of availability, by what it says where it does not hold."""

    TAKEN_DOWN = "TAKEN_DOWN"
    LICENSOR = "LICENSOR"
    USE = "USE"
    TERRITORY = "TERRITORY"
    NOT_YET = "NOT_YET"
    ENDED = "ENDED"
    EXPLICIT_FILTER = "EXPLICIT_FILTER"


TOLD: Final = [reason for reason in Reason if reason is not Reason.LICENSOR]


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One offer for one use: whether it holds in the country asked about, and its time `[starts_at, ends_at)`."""

    here: bool
    starts_at: datetime
    ends_at: datetime | None


LAST_SECOND: Final = 253402300799.0  # of the year 9999, which a float may round up beyond


def window(here: bool, starts: float, ends: float | None) -> Window:
    """A window from Unix times, as the database writes them."""
    return Window(
        here=here,
        starts_at=datetime.fromtimestamp(min(starts, LAST_SECOND), UTC),
        ends_at=None if ends is None else datetime.fromtimestamp(min(ends, LAST_SECOND), UTC),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One rule that was asked: whether it holds, and a sentence for people."""

    rule: Reason
    holds: bool
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Every rule that could be asked, in order; the first that does not hold is the reason.

    Where there is no offer, nothing can be said of its territories, and so on.
    """

    asked: tuple[Asked, ...]
    available_from: datetime | None = None

    @property
    def failed(self) -> Asked | None:
        """The first rule that does not hold."""
        return next((asked for asked in self.asked if not asked.holds), None)

    @property
    def reason(self) -> Reason | None:
        """What apps are told, in the words of the contract, which has none for licensors."""
        if self.failed is None:
            return None
        return Reason.USE if self.failed.rule is Reason.LICENSOR else self.failed.rule

    @property
    def playable(self) -> bool:
        return self.reason is None


def judge(
    *,
    windows: Iterable[Window],
    use: Use,
    country: str,
    at: datetime,
    taken_down: bool = False,
    licensed: bool = True,
    explicit: bool = False,
    explicit_filter: bool = False,
) -> Verdict:
    """Judge one track by its offers for `use`, for a listener in `country`, at an instant."""
    offered = list(windows)
    here = [window for window in offered if window.here]
    begun = [window for window in here if window.starts_at <= at]
    open_now = [window for window in begun if window.ends_at is None or window.ends_at > at]
    future = [window.starts_at for window in here if window.starts_at > at]
    waiting = not open_now and bool(future)
    asked = [
        Asked(rule=Reason.TAKEN_DOWN, holds=not taken_down, detail="the release must not have been taken down"),
        Asked(rule=Reason.LICENSOR, holds=licensed, detail="its licensor must be one we have a contract with"),
        Asked(rule=Reason.USE, holds=bool(offered), detail=f"it must be offered for {use.value}"),
    ]
    if offered:
        asked.append(Asked(rule=Reason.TERRITORY, holds=bool(here), detail=f"it must be offered in {country}"))
    if here:
        asked.append(Asked(rule=Reason.NOT_YET, holds=not waiting, detail="an offer there must have begun"))
    if here and not waiting:
        asked.append(Asked(rule=Reason.ENDED, holds=bool(open_now), detail="an offer there must not have ended"))
    unwanted = explicit and explicit_filter
    detail = "it must not be explicit while the listener hides explicit tracks"
    asked.append(Asked(rule=Reason.EXPLICIT_FILTER, holds=not unwanted, detail=detail))
    return Verdict(asked=tuple(asked), available_from=min(future) if waiting else None)
