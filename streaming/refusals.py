"""How a stream, or a copy to keep, is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accounts.actions import AccountClosed
from catalogue.rules import Reason, TrackNotFound, Verdict
from kernel.errors import InvalidParameter, Kind, Refusal
from kernel.values import rfc3339
from massivemusic.streaming import FORMATS, Format
from streaming.entitlement import Standing


class NoSubscription(Refusal):
    """No subscription covers this instant."""

    code, kind, platform_code = "no_subscription", Kind.DENIED, 2002


class TrackUnavailable(Refusal):
    """A known track that may not be streamed by this listener, here and now; `reason` says why."""

    code, kind, platform_code = "track_unavailable", Kind.DENIED, 2002


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamWish:
    """What a device asks for. `hls` wants a playlist instead of one file."""

    track_id: int
    format_id: int
    client_id: str
    release_id: int | None = None
    hls: bool = False


def format_wanted(wish: StreamWish) -> Format:
    """The format of the wish. Raises InvalidParameter for one that cannot be streamed."""
    known = FORMATS.get(wish.format_id)
    if known is None or not known.streamable:
        raise wrong("format_id", f"format {wish.format_id} cannot be streamed")
    return known


def refusal_by(who: Standing | None, wish: StreamWish) -> Refusal | None:
    """Why a listener of that standing may not hear the track, in the order in which they would want to know."""
    if who is None:
        return AccountClosed("this account is closed")
    if who.track is None:
        return TrackNotFound("there is no such track")
    if wish.release_id not in {None, who.release_id}:
        return wrong("release_id", "the track is not on this release")
    if not who.subscribed:
        return NoSubscription("no subscription covers this moment")
    return None if who.track.playable else unavailable(who.track)


def wrong(field: str, detail: str) -> InvalidParameter:
    """The refusal that points at one field."""
    fault = {"pointer": f"/{field}", "code": InvalidParameter.code, "detail": detail}
    return InvalidParameter(f"{field}: {detail}", errors=[fault])


def unavailable(verdict: Verdict) -> TrackUnavailable:
    """The refusal that names the first rule which does not hold."""
    failed, reason = verdict.failed, verdict.reason
    assert failed is not None  # noqa: S101  the verdict is a no
    members: dict[str, Any] = {"reason": reason}
    if reason is Reason.NOT_YET and verdict.available_from is not None:
        members["available_from"] = rfc3339(verdict.available_from)
    return TrackUnavailable(f"the track cannot be streamed: {failed.detail}", **members)
