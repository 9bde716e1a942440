"""A request's plays, of subscribers or of clips, read at speed: one pass by msgspec, the verdict per play, nothing
thrown away."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import msgspec

from kernel.errors import InvalidParameter, MissingParameter, Refusal
from usage.rules import Fault, Instant, Reported
from web.bodies import parse_json

MOST: Final = 500
# Half a character is msgspec's own error, a byte that is not UTF-8 is Python's.
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
BAD_TEXT: Final = "a text holds NUL, half a character, or bytes that are not UTF-8"
MISSING: Final = re.compile(r"missing required field `(\w+)`")


Item = TypeVar("Item", bound=msgspec.Struct)


class Sent(msgspec.Struct, kw_only=True):
    sent_at: Instant | None = None


class Plays(Sent, Generic[Item], kw_only=True):
    plays: list[Item]


class RawPlays(Sent, kw_only=True):
    plays: list[msgspec.Raw]


@dataclass(frozen=True, kw_only=True)
class Letter(Generic[Item]):
    """A request's well-formed plays with their positions, the faults of the others, and what the device's clock showed
    when it sent them, if it says."""

    plays: list[tuple[int, Item]]
    faults: list[Fault] = field(default_factory=list)
    sent_at: datetime | None = None


class Reader(Generic[Item]):
    """Reads requests of one kind of play."""

    def __init__(self, kind: type[Item]) -> None:
        self.read_plays = msgspec.json.Decoder(Plays[kind]).decode  # type: ignore[valid-type]
        self.read_play = msgspec.json.Decoder(kind).decode

    def letter_in(self, body: bytes) -> Letter[Item]:
        """A request's plays, 1 to 500 in all.

        Raises MissingParameter or InvalidParameter when the body as a whole is not a list of plays, and
        NotJSON when it is no JSON.
        """
        if b"\\u0000" not in body:  # the only way a text of ours could hold NUL, which PostgreSQL does not take
            try:
                told = self.read_plays(body)
            except UNREADABLE:
                pass  # something is wrong somewhere: one by one, then
            else:
                check_length(told.plays)
                return Letter(plays=list(enumerate(told.plays)), sent_at=told.sent_at)
        return self.one_by_one(body)

    def one_by_one(self, body: bytes) -> Letter[Item]:
        """As `letter_in`, for bodies in which some play is bad."""
        items, sent_at = items_in(body)
        check_length(items)
        plays: list[tuple[int, Item]] = []
        faults: list[Fault] = []
        for index, item in enumerate(items):
            try:
                play = self.read_play(item)
                if any(isinstance(value, str) and "\x00" in value for value in msgspec.structs.astuple(play)):
                    raise ValueError(BAD_TEXT)
                plays.append((index, play))
            except UNREADABLE as error:
                faults.append(fault_from(index, item, error))
        return Letter(plays=plays, faults=faults, sent_at=sent_at)


read_raw_plays = msgspec.json.Decoder(RawPlays).decode
letter_in = Reader(Reported).letter_in


def items_in(body: bytes) -> tuple[list[msgspec.Raw], datetime | None]:
    """The plays, unread, and when they were sent. Raises MissingParameter, InvalidParameter or NotJSON."""
    try:
        told = read_raw_plays(body)
        return told.plays, told.sent_at
    except msgspec.ValidationError as error:
        raise refused(error) from None
    except UNREADABLE:  # or a text holds half a character, which msgspec minds even in what it does not read
        document = parse_json(body, texts=False)
    if not isinstance(document, dict) or not isinstance(document.get("plays"), list):
        raise no_list(in_object=isinstance(document, dict))
    try:
        sent_at = msgspec.convert({"sent_at": document.get("sent_at")}, Sent).sent_at
    except msgspec.ValidationError as error:
        raise refused(error) from None
    return [msgspec.Raw(json.dumps(item).encode()) for item in document["plays"]], sent_at


def refused(error: msgspec.ValidationError) -> Refusal:
    """Why a whole body is refused."""
    if MISSING.search(str(error)):
        return MissingParameter("is missing", field="plays")
    if "$.sent_at" in str(error):
        return InvalidParameter("must be an instant with its offset, such as 2026-11-22T02:51:00Z", field="sent_at")
    return no_list(in_object="$.plays" in str(error))


def no_list(*, in_object: bool) -> InvalidParameter:
    """The body is no object, or the `plays` in it are no list."""
    if in_object:
        return InvalidParameter("must be a list", field="plays")
    return InvalidParameter("the body must be an object with a list of plays")


def check_length(items: list[Any]) -> None:
    if not 1 <= len(items) <= MOST:
        raise InvalidParameter(f"send 1 to {MOST} at a time", field="plays")


def fault_from(index: int, item: msgspec.Raw, error: Exception) -> Fault:
    """What is wrong with one play, with its id where it has one."""
    detail = str(error) if isinstance(error, msgspec.ValidationError) else BAD_TEXT
    missing = MISSING.search(detail)
    return Fault(
        index=index,
        play_id=name_in(item),
        code="missing_parameter" if missing else "invalid_parameter",
        detail=f"{missing[1]} is missing" if missing else detail[:200],
    )


def name_in(item: msgspec.Raw) -> str | None:
    """A play's id as it was sent, also where another of its texts cannot be read: the device knows it by that."""
    try:
        told = json.loads(bytes(item).decode(errors="replace"))
    except UNREADABLE:
        return None
    name = told.get("play_id") if isinstance(told, dict) else None
    return name[:64].encode(errors="replace").decode() if isinstance(name, str) else None
