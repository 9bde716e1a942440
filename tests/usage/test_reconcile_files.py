"""Reading the usage report: however it is spelled, and whatever else is sent instead of it."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from openpyxl import Workbook

from accounts.models import Listener
from tests.usage.reports import HEADINGS, MIDDLE, Line, another, as_csv, imported, lines_of, went_out
from usage.models import Play, ReportRow, UsageReport
from usage.report_files import HEADINGS as WORDS
from usage.report_files import OPTIONAL, BadReport, ReportedPlay, read_report

LINE = Line("7", "2026-10-15 12:01:00", "2026-10-15 12:00:00", "u1", 70, 26, "GB", "online", 120)
NOON = MIDDLE.replace(tzinfo=None)  # as a workbook has it
FIELDS = "stream_id logged_at played_at user_id track_id format_id country mode seconds_played".split()
PLAIN = ReportedPlay(
    line=2, stream_id="7", logged_at=datetime(2026, 10, 15, 12, 1, tzinfo=UTC), user_id="u1", track_id=70, format_id=26,
    country="GB", mode="online", played_at=MIDDLE, seconds_played=120,
)  # fmt: skip


def read(data: bytes) -> list[ReportedPlay]:
    return list(read_report(BytesIO(data)))


def as_xlsx(*rows: Any, change: Callable[[dict[str, bytes]], object] | None = None) -> bytes:
    """A workbook of these rows, perhaps with its parts changed."""
    book, made = Workbook(), BytesIO()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(made)
    if change is None:
        return made.getvalue()
    with zipfile.ZipFile(made) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    again = BytesIO()
    with zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return again.getvalue()


SPELLINGS = {
    "plain": as_csv([LINE]),
    "a byte order mark": "\ufeff".encode() + as_csv([LINE]),
    "semicolons": as_csv([LINE], delimiter=";"),
    "tabs": as_csv([LINE], delimiter="\t"),
    "quotes": b'"Stream ID",' + as_csv([LINE]).split(b",", 1)[1],
    "line feeds": as_csv([LINE]).replace(b"\r\n", b"\n"),
    "capitals": as_csv([LINE], headings=[heading.upper() for heading in HEADINGS]),
    "an offset": as_csv([another(LINE, played_at="2026-10-15T14:00:00+02:00")]),
    "a fraction": as_csv([another(LINE, played_at="2026-10-15T12:00:00.999Z")]),
    "nine digits of it": as_csv([another(LINE, played_at="2026-10-15 12:00:00.123456789")]),
    "UTC by name": as_csv([another(LINE, played_at="2026-10-15 12:00:00 UTC")]),
    "small letters": as_csv([another(LINE, country="gb", mode="Online")]),
    "numbers with a point": as_csv([LINE]).replace(b",120,", b",120.0,"),
    "a workbook": as_xlsx(HEADINGS, astuple(LINE)),
    "a workbook with dates": as_xlsx(
        HEADINGS, astuple(another(LINE, played_at=NOON, logged_at=NOON + timedelta(minutes=1)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", SPELLINGS.values(), ids=SPELLINGS)
def test_is_read_however_it_is_spelled(data: bytes) -> None:
    assert read(data) == [PLAIN]


@pytest.mark.parametrize(("field", "word"), [(field, word) for field in FIELDS for word in WORDS[field]])
def test_every_word_for_a_heading_is_known(field: str, word: str) -> None:
    headings = list(HEADINGS)
    headings[FIELDS.index(field)] = f" {word[:2]}_{word[2:].capitalize()} [UTC]"

    assert read(as_csv([LINE], headings=headings)) == [PLAIN]


def test_lines_keep_their_numbers_below_a_title_and_between_blank_ones() -> None:
    data = b"Usage of October\r\n\r\n" + as_csv([LINE, LINE]).replace(b"\r\n7,", b"\r\n,,,\r\n\r\n7,")
    sheet = as_xlsx(["Usage of October"], [], HEADINGS, [], astuple(LINE))

    assert [play.line for play in read(data)] == [6, 9]
    assert [play.line for play in read(sheet)] == [5]


def test_the_clearest_heading_counts() -> None:
    data = as_csv([LINE], headings=[*HEADINGS[:-1], "Track"])

    assert read(data)[0].track_id == 70


def test_a_report_without_ids_of_streams_will_do() -> None:
    data = as_csv([LINE], headings=["No.", *HEADINGS[1:]])

    assert read(data)[0].stream_id == ""


def test_a_workbooks_seconds_are_not_shortened_by_its_fractions() -> None:
    times = [NOON + timedelta(seconds=n) for n in range(500)]
    plays = read(as_xlsx(HEADINGS, *(astuple(another(LINE, played_at=at)) for at in times)))

    assert [play.played_at for play in plays] == [MIDDLE + timedelta(seconds=n) for n in range(500)]


def test_a_sheet_is_read_to_its_end_whatever_it_says_of_its_size() -> None:
    sheet = as_xlsx(HEADINGS, *[astuple(LINE)] * 3, change=replaced("A1:J4", "A1:B2"))

    assert len(read(sheet)) == 3


@pytest.mark.parametrize("field", sorted(WORDS.keys() - OPTIONAL))
def test_a_heading_that_is_needed_is_missed_by_name(field: str) -> None:
    headings = list(HEADINGS)
    headings[FIELDS.index(field)] = "Something else"

    with pytest.raises(BadReport, match=rf"names {field} \(such as “{WORDS[field][0]}”\)$"):
        read(as_csv([], headings=headings))


BAD_LINES = [
    ({"track_id": "x"}, "line 3, Track ID: 'x' is no whole number"),
    ({"track_id": ""}, "line 3, Track ID: is empty"),
    ({"track_id": "=1+1"}, "line 3, Track ID: is a formula"),
    ({"track_id": "١"}, "line 3, Track ID"),
    ({"seconds": "-1"}, "line 3, Played Duration"),
    ({"seconds": "1.5"}, "line 3, Played Duration"),
    ({"seconds": "9" * 30}, "line 3, Played Duration"),
    ({"user_id": ""}, "line 3, User ID: is empty"),
    ({"user_id": "u" * 256}, "line 3, User ID: is too long"),
    ({"country": "GBR"}, "line 3, Country: 'GBR' is no country of two letters"),
    ({"mode": "live"}, "line 3, Play Mode: 'live' is none of online, offline, online-cached"),
    ({"played_at": "15/10/2026 12:00"}, "line 3, Date Time Played: '15/10/2026 12:00' is no time such as"),
    ({"played_at": "2026-10-15"}, "line 3, Date Time Played"),
    ({"played_at": "2026-13-15 12:00"}, "line 3, Date Time Played"),
    ({"played_at": "0001-01-01T00:00+14:00"}, "line 3, Date Time Played"),
    ({"played_at": "9999-12-31T23:59-14:00"}, "line 3, Date Time Played"),
    ({"logged_at": "1970-01-01 00:00"}, "line 3, Date Time Logged: lies outside of the years"),
]


@pytest.mark.parametrize(("change", "fault"), BAD_LINES)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_line_that_cannot_be_read_is_named(change: dict[str, Any], fault: str, kind: str) -> None:
    lines = [LINE, another(LINE, **change), LINE]
    with pytest.raises(BadReport) as no:
        read(as_csv(lines) if kind == "csv" else as_xlsx(HEADINGS, *map(astuple, lines)))

    assert no.value.detail.startswith(fault)


def replaced(old: str, new: str) -> Callable[[dict[str, bytes]], None]:
    """Change a sheet's XML in one place."""

    def change(parts: dict[str, bytes]) -> None:
        name = "xl/worksheets/sheet1.xml"
        assert old.encode() in parts[name], parts[name]
        parts[name] = parts[name].replace(old.encode(), new.encode(), 1)

    return change


def other(parts: dict[str, bytes]) -> None:
    parts.clear()
    parts["letter.txt"] = b"hello"


def bomb(parts: dict[str, bytes]) -> None:
    parts["xl/sharedStrings.xml"] = b"<sst>" + b" " * 200_000_000


def entities(parts: dict[str, bytes]) -> None:
    dtd = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    for name in ("xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "xl/workbook.xml"):
        if name in parts:
            head, _, tail = parts[name].rpartition(b"?>")
            parts[name] = head + (b"?>" if head else b"") + dtd + tail


def file_entity(parts: dict[str, bytes]) -> None:
    name = "xl/worksheets/sheet1.xml"
    parts[name] = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + parts[name]


NONSENSE = {
    "nothing": (b"", "the file is empty"),
    "blank lines": (b"\r\n\r\n , \r\n", "no line of headings"),
    "no headings": (as_csv([LINE]).split(b"\r\n", 1)[1], "no line of headings"),
    "a heading twice": (as_csv([], headings=[*HEADINGS, "Country"]), "two columns are headed “Country”"),
    "bytes": (bytes(range(256)) * 9, "line 1: "),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(99), "line 1: "),
    "UTF-16": (as_csv([LINE]).decode().encode("utf-16"), "line 1: is no text in UTF-8"),
    "Latin-1": (as_csv([another(LINE, device="Téléphone")]).decode().encode("latin-1"), "line 2: is no text in UTF-8"),
    "NUL": (as_csv([LINE]).replace(b"Pixel", b"Pi\x00el"), "line 2: holds NUL"),
    "a line of 1 MB": (as_csv([another(LINE, device="x" * 2**20)]), "line 2: is longer than"),
    "an open quote": (as_csv([LINE]) + b'"' + b"x\r\n" * 100_000, "line "),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "save it as .xlsx or as CSV"),
    "the start of a workbook": (as_xlsx(HEADINGS)[:999], "the workbook cannot be read"),
    "another archive": (as_xlsx(change=other), "the workbook cannot be read"),
    "a workbook without sheets": (as_xlsx(change=lambda parts: parts.pop("xl/workbook.xml")), "the workbook cannot"),
    "a formula": (as_xlsx(HEADINGS, ["=1+1", *astuple(LINE)[1:]]), "line 2, Stream ID: is a formula"),
    "a bomb": (as_xlsx(HEADINGS, change=bomb), "unpacks to more"),
    "entities": (as_xlsx(HEADINGS, astuple(LINE), change=entities), "the workbook cannot be read"),
    "a file as entity": (as_xlsx(HEADINGS, change=file_entity), "the workbook cannot be read"),
    "a row beyond the last": (
        as_xlsx(HEADINGS, astuple(LINE), change=replaced('<row r="2"', '<row r="99999999999"')),
        "the sheet is full",
    ),
    "a column beyond the last": (
        as_xlsx(HEADINGS, astuple(LINE), change=replaced('r="J2"', 'r="ZZZZZZZZ2"')),
        "the workbook cannot be read",
    ),
    "a truth": (as_xlsx(HEADINGS, [*astuple(LINE)[:4], True, *astuple(LINE)[5:]]), "line 2, Track ID: "),
}


@pytest.mark.parametrize(("data", "fault"), NONSENSE.values(), ids=NONSENSE)
def test_what_is_no_report_is_refused_in_words(data: bytes, fault: str) -> None:
    with pytest.raises(BadReport) as no:
        read(data)

    assert fault in no.value.detail
    assert len(no.value.detail) < 800


def test_a_damaged_workbook_is_refused_or_read_but_never_a_bug() -> None:
    chance, whole = random.Random(5), as_xlsx(HEADINGS, *[astuple(LINE)] * 20)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read(bytes(data))
        except BadReport:
            continue


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"track_id": "x"}, "line 3, Track ID"),
        ({"logged_at": "2026-11-01 00:00:00"}, "line 3: was logged at 2026-11-01"),
    ],
)
def test_nothing_of_a_bad_file_is_taken(listener: Listener, change: dict[str, Any], fault: str) -> None:
    [play] = went_out(listener, MIDDLE, state="IN_DOUBT")
    line = lines_of([play])[0]

    with pytest.raises(BadReport, match=fault):
        imported([line, another(line, **change)])

    assert (UsageReport.objects.count(), ReportRow.objects.count()) == (0, 0)
    assert Play.objects.get().state == "IN_DOUBT"
    assert imported([line]).matched == 1
