"""A request's plays, read at speed: one pass by msgspec, the verdict per play, nothing thrown away."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from kernel.errors import InvalidParameter, MissingParameter
from usage.rules import SOURCE_LIMIT, USER_AGENT_LIMIT, Fault, Mode, Reported

MOST: Final = 500
INT32: Final = 2**31 - 1
YEARS: Final = range(2000, 2101)
MISSING: Final = re.compile(r"missing required field `(\w+)`")
Id = Annotated[int, msgspec.Meta(ge=1, le=INT32)]


class PlayBody(msgspec.Struct):
    """One play of POST /plays."""

    play_id: uuid.UUID
    track_id: Id
    release_id: Id
    format_id: Id
    played_at: Annotated[datetime, msgspec.Meta(tz=True)]
    seconds_played: Annotated[int, msgspec.Meta(ge=0, le=INT32)]
    mode: Mode
    user_agent: str
    source: Annotated[str, msgspec.Meta(max_length=SOURCE_LIMIT)] | None = None
    source_id: Annotated[str, msgspec.Meta(max_length=SOURCE_LIMIT)] | None = None


class PlaysBody(msgspec.Struct):
    plays: list[msgspec.Raw]


class Named(msgspec.Struct):
    play_id: Any = None


read_plays = msgspec.json.Decoder(PlaysBody).decode
read_play = msgspec.json.Decoder(PlayBody).decode
read_name = msgspec.json.Decoder(Named).decode


def plays_in(body: bytes) -> tuple[list[Reported], list[Fault]]:
    """The well-formed plays and the faults of the others, 1 to 500 in all.

    Raises MissingParameter or InvalidParameter when the body as a whole is not a list of plays, and
    msgspec.DecodeError when it is no JSON.
    """
    try:
        items = read_plays(body).plays
    except msgspec.ValidationError as error:
        if MISSING.search(str(error)):
            raise MissingParameter("plays: is missing") from None
        raise InvalidParameter(f"the body must be an object with a list of plays: {error}") from None
    if not 1 <= len(items) <= MOST:
        raise InvalidParameter(f"plays: send 1 to {MOST} at a time")
    plays: list[Reported] = []
    faults: list[Fault] = []
    for index, item in enumerate(items):
        try:
            plays.append(reported(index, read_play(item)))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            faults.append(fault_from(index, item, error))
    return plays, faults


def reported(index: int, play: PlayBody) -> Reported:
    """The play as the rules read it. Raises ValueError for what cannot be stored."""
    if "\x00" in play.user_agent or "\x00" in (play.source or "") or "\x00" in (play.source_id or ""):
        raise ValueError("a text holds NUL")
    if play.played_at.year not in YEARS:
        raise ValueError("played_at must lie between the years 2000 and 2100")
    played_at = play.played_at.astimezone(UTC)
    return Reported(
        index=index,
        play_id=play.play_id,
        track_id=play.track_id,
        release_id=play.release_id,
        format_id=play.format_id,
        played_at=played_at,
        seconds_played=play.seconds_played,
        mode=play.mode,
        user_agent=play.user_agent[:USER_AGENT_LIMIT],
        source=play.source or "",
        source_id=play.source_id or "",
    )


def fault_from(index: int, item: msgspec.Raw, error: Exception) -> Fault:
    """What is wrong with one play, with its id where it has one."""
    text = str(error)
    missing = MISSING.search(text)
    try:
        name = read_name(item).play_id
    except (msgspec.MsgspecError, RecursionError):
        name = None
    return Fault(
        index=index,
        play_id=name[:64] if isinstance(name, str) else None,
        code="missing_parameter" if missing else "invalid_parameter",
        detail=f"{missing[1]} is missing" if missing else text[:200],
    )
