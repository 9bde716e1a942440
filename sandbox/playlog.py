"""Reading the body of a play log or a preview log ("Report a subscriber stream", "Report a preview stream").

JSON or XML, item by item.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from xml.etree import ElementTree

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from django.conf import settings

from sandbox import instants
from sandbox.answers import Refused
from sandbox.calls import INT32, invalid
from sandbox.countries import WORLD

OLDEST: Final = timedelta(days=61)
MODES: Final = ("online", "offline", "online-cached")
USER_AGENT: Final = 256  # characters kept
WHOLE_NUMBERS: Final = ("trackId", "releaseId", "formatId", "totalTimePlayed")
FIELDS: Final = (*WHOLE_NUMBERS[:3], "dateTimePlayed", "totalTimePlayed", "playMode", "userAgent")
PREVIEW: Final = ("userId", "country", "trackId", "playMode", "dateTimePlayed", "totalTimePlayed", "userAgent")
USES: Final = ("view", "creation")

# Every formatId met anywhere in the documentation: a play may be reported in any of them.
FORMATS: Final = frozenset({1, 2, 6, 17, 26, 33, 45, 48, 50, 52, 55, 56, 58, 60, 62, 87})

Item = Mapping[str, str]


def read_items(body: bytes, *, content_type: str, most: int) -> list[Item]:
    """The items of a body, names in lower case, values as text; `most` of them, 0 = any number.

    Raises 1001 where there are none, 1002 on rubbish.
    """
    looks_like_xml = "xml" in content_type or ("json" not in content_type and body.lstrip()[:1] == b"<")
    try:
        items = _xml_items(body) if looks_like_xml else _json_items(body)
    except (ValueError, RecursionError, ElementTree.ParseError, DefusedXmlException, LookupError):
        raise Refused(1002, "The body is not a readable play log") from None
    if not items:
        raise Refused(1001, 'Missing "playLogItem" parameter')
    if most and len(items) > most:
        raise Refused(1002, f"Too many plays in one request, at most {most}")
    return items


def read_play(item: Item, *, now: datetime) -> dict[str, Any]:
    """One play as it goes into the journal. Raises 1001 for a missing field, 1002 for a wrong one."""
    return _read(item, FIELDS, required=settings.LOG_REQUIRED, now=now)


def read_preview(item: Item, *, now: datetime) -> dict[str, Any]:
    """One preview, likewise. Its user and country are its own; without a usage it was for viewing."""
    preview = {"usage": "view"} | _read(item, (*PREVIEW, "usage"), required=PREVIEW, now=now)
    if len(preview["userId"]) > 255:
        raise invalid("userId", preview["userId"])
    if preview["country"].upper() not in WORLD:
        raise Refused(1002, "country is not valid")
    if preview["usage"] not in USES:
        raise invalid("usage", preview["usage"])
    return preview | {"country": preview["country"].upper()}


def _read(item: Item, fields: Sequence[str], *, required: Sequence[str], now: datetime) -> dict[str, Any]:
    for name in required:
        if not item.get(name.lower()):
            raise Refused(1001, f'Missing "{name}" parameter')
    given = {name: item[name.lower()] for name in fields if item.get(name.lower())}
    for name, value in given.items():
        if "\0" in value or any("\ud800" <= mark <= "\udfff" for mark in value):
            raise invalid(name, ascii(value))
    play: dict[str, Any] = given | {name: _whole(name, given[name]) for name in WHOLE_NUMBERS if name in given}
    if play.get("formatId", 26) not in FORMATS:
        raise invalid("formatId", given["formatId"])
    if play.get("playMode", "online") not in MODES:
        raise invalid("playMode", play["playMode"])
    if "dateTimePlayed" in play:
        _check_date(play["dateTimePlayed"], now=now)
    if "userAgent" in play:
        play["userAgent"] = play["userAgent"][:USER_AGENT]
    return play


def _json_items(body: bytes) -> list[Item]:
    tree = json.loads(body)
    items = tree.get("playLogItem") if isinstance(tree, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("playLogItem is a list of objects")
    return [{name.lower(): _as_text(value) for name, value in item.items()} for item in items]


def _xml_items(body: bytes) -> list[Item]:
    root = fromstring(body, forbid_dtd=True)
    if root.tag != "playLog":
        raise ValueError("the root is playLog")
    return [{field.tag.lower(): (field.text or "").strip() for field in item} for item in root.iter("playLogItem")]


def _as_text(value: object) -> str:
    """Numbers come as numbers or as text; anything else is not a value."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return f"\0{value!r}"  # which no field accepts
    return str(value)


def _whole(name: str, value: str) -> int:
    lowest = 0 if name == "totalTimePlayed" else 1
    if not (value.isascii() and value.isdecimal() and len(value) <= 10 and lowest <= int(value) <= INT32):
        raise invalid(name, value)
    return int(value)


def _check_date(text: str, *, now: datetime) -> None:
    try:
        played = instants.parse(text)
    except ValueError:
        raise invalid("dateTimePlayed", text) from None
    if played > now:
        raise Refused(1002, 'Invalid value for "dateTimePlayed": lies in the future')
    if played <= now - OLDEST:
        raise Refused(1002, 'Invalid value for "dateTimePlayed": must be less than 61 days old')
