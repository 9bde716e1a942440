"""What editors paste, and which tracks it is taken for."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from catalogue.models import Track
from kernel.errors import InvalidParameter
from playlists.pasting import MOST_LINES, Found, code_of, matched
from tests.helpers import apply_member

ISRC = "GBQQQ2500101"


@pytest.mark.parametrize(
    ("line", "kind", "code"),
    [
        ("100101", "id", "100101"),
        ("  100101  ", "id", "100101"),
        ("\ufeff100101", "id", "100101"),
        ('"100101"', "id", "100101"),
        ("GBQQQ2500101", "isrc", ISRC),
        ("gb-qqq-25-00101", "isrc", ISRC),
        ("GB QQQ 25 00101", "isrc", ISRC),
        ("5050000000017", "upc", "5050000000017"),
        ("1,Étude,The Lamplighters,GBQQQ2500101,204", "isrc", ISRC),
        ("12;5050000000017;Harbour", "upc", "5050000000017"),
        ("Étude\t100101\t3:24", "id", "100101"),
        ("1,Étude,100101", "", ""),
        ("2025-03-07", "", ""),
        ('"Étude, No. 1",100101', "id", "100101"),
        ("title,artist,isrc", "", ""),
        ("Étude by The Lamplighters", "", ""),
        ("=1+1", "", ""),
        ("-5", "", ""),
        ("1.5", "", ""),
        ("٣٤٥", "", ""),
        ("<script>alert(1)</script>", "", ""),
        (",,,;;;\t\t", "", ""),
    ],
)
def test_a_line_asks_for_one_thing(line: str, kind: str, code: str) -> None:
    assert code_of(line) == (kind, code)


@given(st.text())
def test_no_line_does_more_than_be_unknown(line: str) -> None:
    kind, code = code_of(line)

    assert bool(kind) == bool(code)


pytest_database = pytest.mark.django_db


@pytest_database
def test_a_report_says_line_by_line_what_was_found(shelf_of_tracks: Callable[..., list[int]]) -> None:
    one, two = shelf_of_tracks(2)
    other, same = shelf_of_tracks(2, release=7001002, isrc="GBQQQ2500777")
    Track.objects.filter(pk=same).update(popularity=5)
    [gone] = shelf_of_tracks(1, release=7001003)
    apply_member({"id": 7001003, "version": 2, "takedown": True})

    report = matched(f"id\n{two}\n\nGBQQQ2500777\r\n5050000000017\n{gone}\n99\nGB-QQQ-25-00101")

    assert [(each.wish.number, each.found, list(each.track_ids)) for each in report] == [
        (1, Found.UNKNOWN, []),
        (2, Found.FOUND, [two]),
        (4, Found.AMBIGUOUS, [same, other]),
        (5, Found.FOUND, [one, two, other, same]),
        (6, Found.UNKNOWN, []),
        (7, Found.UNKNOWN, []),
        (8, Found.FOUND, [one]),
    ]
    assert [each.detail for each in report][:1] == ["no ISRC or UPC in it, nor one number alone"]


@pytest_database
@pytest.mark.parametrize("code", ["5050000000017", "05050000000017"])
def test_a_upc_has_as_many_zeros_as_it_likes(shelf_of_tracks: Callable[..., list[int]], code: str) -> None:
    ids = shelf_of_tracks(2)

    [match] = matched(code)

    assert (match.found, match.track_ids) == (Found.FOUND, ids)


@pytest_database
def test_ten_thousand_lines_with_junk_are_three_statements(shelf_of_tracks: Callable[..., list[int]]) -> None:
    ids = shelf_of_tracks(50)
    chance = random.Random(7)
    junk = ["", "\x00\x01", "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "'; DROP TABLE",
            "9" * 500, "," * 500, "<img src=x onerror=alert(1)>", "4294967296", "0", "é" * 300]  # fmt: skip
    lines = [str(chance.choice(ids)) if chance.random() < 0.5 else chance.choice(junk) for _ in range(MOST_LINES)]

    with CaptureQueriesContext(connection) as captured:
        report = matched("\n".join(lines))

    assert len(captured) <= 3
    filled = [number for number, line in enumerate(lines, 1) if line.strip()]
    assert [match.wish.number for match in report] == filled
    good = [int(line) for line in lines if line.isdigit() and int(line) in ids]
    assert [track for match in report for track in match.track_ids] == good
    assert Counter(match.found for match in report)[Found.FOUND] == len(good)


@pytest_database
def test_more_lines_are_refused_in_words() -> None:
    with pytest.raises(InvalidParameter, match="10,000 lines"):
        matched("7\n" * (MOST_LINES + 1))


@pytest_database
@pytest.mark.parametrize("text", ["", "\n\n", " \t \r\n"])
def test_nothing_is_nothing(text: str) -> None:
    assert matched(text) == []
