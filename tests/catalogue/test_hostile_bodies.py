"""Whatever JSON comes, the door says 202 or what is wrong with it, and what it kept can be applied."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalogue import doors
from catalogue.actions import apply_waiting
from catalogue.models import CatalogueEvent, Release
from tests.catalogue.conftest import Door
from tests.helpers import expect_problem, release_event

pytestmark = pytest.mark.django_db

NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "an array cut off": b'[{"id": 1',
    "an object cut off": b'[{"id": 1, "version"',
    "a text cut off": b'[{"title": "Har',
    "NaN": b'[{"id": NaN}]',
    "Infinity": b'[{"id": Infinity}]',
    "minus Infinity": b'[{"id": -Infinity}]',
    "a number too large": b'[{"id": 1e999}]',
    "a number of a megabyte": b'[{"id": ' + b"9" * 2**20 + b"}]",
    "ten thousand digits": b'[{"id": ' + b"9" * 10_000 + b"}]",
    "a zero in front": b'[{"id": 01}]',
    "a plus in front": b'[{"id": +1}]',
    "a number in hex": b'[{"id": 0x1}]',
    "a raw NUL in a text": b'[{"title": "a\x00b"}]',
    "a raw NUL behind": b"[1]\x00",
    "a raw line break in a text": b'[{"title": "a\nb"}]',
    "an escape of nothing": b'[{"title": "\\x41"}]',
    "half an escape": b'[{"title": "\\ud8"}]',
    "bytes that are no UTF-8": b'[{"title": "\xff\xfe"}]',
    "UTF-8 cut off": b'[{"title": "\xc3"}]',
    "UTF-8 longer than it need be": b'[{"title": "\xc0\xaf"}]',
    "half a character in UTF-8": b'[{"title": "\xed\xa0\x80"}]',
    "Latin-1": '[{"title": "é"}]'.encode("latin-1"),
    "a byte order mark": "\ufeff[1]".encode(),
    "UTF-16": "[1]".encode("utf-16"),
    "UTF-16 without its mark": "[1]".encode("utf-16-le"),
    "UTF-32": "[1]".encode("utf-32"),
    "a key twice": b'[{"id": 1, "id": 2}]',
    "a key twice, deep inside": b'[{"id": 1, "artist": {"id": 1, "id": 2}}]',
    "a key twice, once escaped": b'[{"id": 1, "\\u0069d": 2}]',
    "comments": b"[1] // one",
    "single quotes": b"[{'id': 1}]",
    "a comma at the end": b"[1,]",
    "two arrays": b"[1] [2]",
    "65 levels": b"[" * 65 + b"]" * 65,
    "900 levels": b"[" * 900 + b"]" * 900,
    "900 levels of objects": b'[{"a":' * 450 + b"1" + b"}]" * 450,
    "1,100 levels": b"[" * 1_100 + b"]" * 1_100,
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "100,000 levels, open": b'[{"a":' * 100_000,
    "XML": b'<?xml version="1.0"?><release id="1"/>',
    "a form": b"id=1&version=2",
}
NOT_AN_EVENT: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "a text": b'"takedown"',
    "an object": b'{"id": 1, "version": 1, "takedown": true}',
    "an empty object": b"{}",
    "an empty array": b"[]",
    "too many members": b"[" + b"0," * doors.MAX_MEMBERS + b"0]",
    "millions of members": b"[" + b"0," * (5 * 2**20 - 2) + b"0]",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_no_json_is_refused(door: Door, body: bytes) -> None:
    expect_problem(door.post(body), 400, "invalid_json")
    assert not CatalogueEvent.objects.exists()


@pytest.mark.parametrize("body", NOT_AN_EVENT.values(), ids=NOT_AN_EVENT)
def test_what_is_no_event_is_refused(door: Door, body: bytes) -> None:
    expect_problem(door.post(body), 400, "invalid_event")
    assert not CatalogueEvent.objects.exists()


def member(**changes: Any) -> bytes:
    return json.dumps(release_event(2, **changes)).encode()


def with_field(raw: bytes) -> bytes:
    """A release with one more field, spelt as given."""
    return member()[:-1] + b', "future": ' + raw + b"}"


# A member between two good ones, and why it alone is refused; None: it is applied.
KEPT: dict[str, tuple[bytes, str | None]] = {
    "61 levels": (with_field(b"[" * 61 + b"]" * 61), None),
    "ten thousand keys": (with_field(json.dumps({str(n): n for n in range(10_000)}).encode()), None),
    "a key of a megabyte": (with_field(json.dumps({"k" * 2**20: 1}).encode()), None),
    "three megabytes of text": (member(cLine="x" * 3 * 2**20), None),
    "255 characters": (member(title="x" * 255), None),
    "4,000 emoji": (member(title="🎧" * 4_000), None),
    "prototype keys": (with_field(b'{"__proto__": {"admin": true}, "constructor": 1}'), None),
    "keys of no letters": (with_field(b'{"": 1, " ": 2, "\\u0000": 3}'), None),
    "a huge number nobody reads": (with_field(b"9" * 400), None),
    "beyond 64 bits where nobody reads": (with_field(b"18446744073709551616"), None),
    "half a character nobody reads": (with_field(b'"\\ud800"'), None),
    "half a character in a key": (with_field(b'{"\\udfff": 1}'), None),
    "a huge number and half a character": (with_field(b"[" + b"9" * 400 + b', "\\ud800"]'), None),
    "half a genre": (member(genres=["\ud800", "Pop"]), None),
    "half a normalised name": (member(artist={"id": 1, "name": "A", "normalisedName": "\udc00"}), None),
    "minus zero": (member(duration=0).replace(b'"duration": 0', b'"duration": -0'), None),
    "an id beyond 32 bits": (member(id=2**31), "id"),
    "a version beyond 64 bits": (member(version=2**63), "version"),
    "a version of 400 digits": (member(version=10**399), "version"),
    "a version with a fraction": (member(version=1.5), "version"),
    "a version in exponents": (member(version=1e3), "version"),
    "a duration beyond 32 bits": (member(duration=2**31), "duration"),
    "NUL in the title": (member(title="a\x00b"), "title"),
    "half a character in the title": (member(title="a\ud83d"), "title"),
    "a scalar": (b"7", "the member is not an object"),
    "a mixed list": (member(genres=[1, "Pop", None, [], {}]), None),
}


@pytest.mark.parametrize(("raw", "field"), KEPT.values(), ids=KEPT)
def test_what_is_kept_is_applied_or_refused_by_itself(door: Door, raw: bytes, field: str | None) -> None:
    before, behind = (json.dumps(release_event(id_)).encode() for id_ in (1, 3))
    event = door.keep(b"[" + before + b"," + raw + b"," + behind + b"]")

    apply_waiting()

    event.refresh_from_db()
    refused = {no["index"]: no["reason"].partition(":")[0] for no in event.outcome["refused"]}
    assert refused == ({} if field is None else {1: field})
    assert event.outcome["applied"] == 3 - len(refused)
    assert set(Release.objects.values_list("pk", flat=True)) >= {1, 3}


@pytest.mark.parametrize("raw", [with_field(b'"\\ud800"'), with_field(b"9" * 400)], ids=["half", "huge"])
def test_what_is_spelt_oddly_is_known_again(door: Door, raw: bytes) -> None:
    for _ in range(2):
        event = door.keep(b"[" + raw + b"]")
        apply_waiting()

    event.refresh_from_db()
    assert event.outcome == {"stale": 1, "refused": []}


def test_an_event_of_the_most_members_is_applied(door: Door) -> None:
    event = door.bring(*({"id": id_, "version": 1, "takedown": True} for id_ in range(1, doors.MAX_MEMBERS + 1)))

    assert event.outcome == {"applied": doors.MAX_MEMBERS, "refused": []}


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/json; charset=latin-1", "x", ""])
def test_the_content_type_decides_nothing(door: Door, kind: str) -> None:
    assert door.post([release_event()], Content_Type=kind).status_code == 202
