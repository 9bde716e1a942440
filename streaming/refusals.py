"""How a stream, or a copy to keep, is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accounts.actions import AccountClosed
from catalogue.rules import Reason, TrackNotFound, TrackUnavailable, Verdict
from kernel.errors import InvalidParameter, Kind, Refusal
from kernel.values import rfc3339
from massivemusic.streaming import FORMATS, Format
from streaming.entitlement import Standing


class NoSubscription(Refusal):
    """No subscription covers this instant."""

    code, kind, platform_code = "no_subscription", Kind.DENIED, 2002


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamWish:
    """What a device asks for: a format, or the codecs it can play and at most how many kbit/s.

    `hls` wants a playlist instead of one file.
    """

    track_id: int
    client_id: str
    format_id: int | None = None
    accept: Sequence[str] = ()
    max_bitrate: int | None = None
    release_id: int | None = None
    hls: bool = False


def format_wanted(wish: StreamWish) -> Format:
    """The format of the wish, or the best of those that fit it. Raises InvalidParameter where none can be streamed."""
    if wish.format_id is None:
        return best_format(wish)
    known = FORMATS.get(wish.format_id)
    if known is None or not known.streamable:
        raise InvalidParameter(f"format {wish.format_id} cannot be streamed", field="format_id")
    return known


def best_format(wish: StreamWish) -> Format:
    """The highest bitrate of the codecs that the device can play. Raises InvalidParameter."""
    codecs = {codec.lower() for codec in wish.accept}
    fitting = [each for each in FORMATS.values() if each.streamable and each.codec.lower() in codecs]
    if wish.max_bitrate is not None:
        fitting = [each for each in fitting if (each.bitrate or 0) <= wish.max_bitrate]
    if not fitting:
        there_are = ", ".join(f"{each.codec.lower()} {each.bitrate}" for each in FORMATS.values() if each.streamable)
        raise InvalidParameter(f"nothing fits; there are {there_are}", field="accept")
    return max(fitting, key=lambda each: each.bitrate or 0)


def refusal_by(who: Standing | None, wish: StreamWish) -> Refusal | None:
    """Why a listener of that standing may not hear the track, in the order in which they would want to know."""
    if who is None:
        return AccountClosed("this account is closed")
    if who.track is None:
        return TrackNotFound("there is no such track")
    if wish.release_id not in {None, who.release_id}:
        return InvalidParameter("the track is not on this release", field="release_id")
    if not who.subscribed:
        return NoSubscription("no subscription covers this moment")
    return None if who.track.playable else unavailable(who.track)


def unavailable(verdict: Verdict) -> TrackUnavailable:
    """The refusal that names the first rule which does not hold."""
    failed, reason = verdict.failed, verdict.reason
    assert failed is not None  # noqa: S101  the verdict is a no
    members: dict[str, Any] = {"reason": reason}
    if reason is Reason.NOT_YET and verdict.available_from is not None:
        members["available_from"] = rfc3339(verdict.available_from)
    return TrackUnavailable(f"the track cannot be streamed: {failed.detail}", **members)
