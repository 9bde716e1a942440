"""Reports as CSV and as Parquet."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pyarrow import parquet

from accounts.models import Listener
from catalogue.models import Track
from reports import formats
from reports.formats import csv_of, parquet_of
from reports.plays import DIMENSIONS, plays
from reports.sheets import Column, Kind, Sheet
from tests.desk.test_sheets import DANGEROUS
from tests.reports.conftest import NOVEMBER, at
from usage.models import Play

pytestmark = pytest.mark.django_db

EVERYTHING = [name for name in DIMENSIONS if name != "month"]
MANY = 200_000
MIB_MORE = 16  # that a report of ten times the rows may take
FILL = """
    INSERT INTO usage_play (play_id, track_id, release_id, format_id, country, played_at, seconds_played, mode,
                            user_agent, source, source_id, state, listener_id)
    SELECT gen_random_uuid(), 1000 + n, 10 + n %% 1000, 26, 'GB', %(start)s + n * interval '1 second', n %% 300,
           'online', 'Pixel 9', '', '', 'SENT', %(listener)s
      FROM generate_series(1, %(many)s) AS n
"""


def texts(*cells: str) -> Sheet:
    """A report of one column."""
    return Sheet(
        columns=(Column("title", Kind.TEXT),),
        statement="SELECT * FROM unnest(%(cells)s::text[]) AS cell",
        values={"cells": [*cells]},
    )


def read_csv(sheet: Sheet) -> list[list[str]]:
    return list(csv.reader(StringIO(b"".join(csv_of(sheet)).decode(), newline="")))


def read_parquet(sheet: Sheet) -> Any:
    return parquet.ParquetFile(BytesIO(b"".join(parquet_of(sheet))))


@pytest.fixture
def book(played: Callable[..., Play], track: Track) -> Sheet:
    """A report by everything, of tracks that are known and not."""
    for number in range(5):
        played(track_id=track.pk, release_id=track.release_id, played_at=at("11-03 12:00") + number * timedelta(days=1))
    played(track_id=99, release_id=9900)
    return plays(EVERYTHING, **NOVEMBER)


def test_csv_has_a_header_and_a_line_for_each_row(book: Sheet) -> None:
    header, *lines = read_csv(book)

    assert header == book.names
    assert [dict(zip(header, line, strict=True))["day"] for line in lines] == [f"2026-11-0{day}" for day in "34567"] + [
        "2026-11-10"
    ]


def test_parquet_says_what_csv_says(book: Sheet) -> None:
    read = read_parquet(book).read()
    cells = [["" if cell is None else str(cell) for cell in row.values()] for row in read.to_pylist()]

    assert [read.column_names, *cells] == read_csv(book)


def test_parquet_has_types(book: Sheet) -> None:
    schema = read_parquet(book).schema_arrow

    assert {name: str(schema.field(name).type) for name in ("day", "title", "licensor_id", "plays")} == {
        "day": "date32[day]", "title": "string", "licensor_id": "int32", "plays": "int64",
    }  # fmt: skip


def test_parquet_comes_in_row_groups(book: Sheet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "GROUP_ROWS", 4)
    read = read_parquet(book)

    assert len([*parquet_of(book)]) == 3  # two groups, and the file's end
    assert [read.metadata.row_group(number).num_rows for number in range(read.num_row_groups)] == [4, 2]


@pytest.mark.parametrize(
    "read", [lambda sheet: read_csv(sheet), lambda sheet: [read_parquet(sheet).schema_arrow.names]]
)
def test_a_report_of_nothing_has_its_columns(db: None, read: Callable[[Sheet], list[list[str]]]) -> None:
    sheet = plays(["day", "track"], **NOVEMBER)

    assert read(sheet) == [sheet.names]


def test_no_cell_of_csv_is_a_formula_and_none_is_lost(db: None) -> None:
    odd = ["a,b", 'a"b', "a\nb", "é𝄞", "", *DANGEROUS]
    _, *rows = read_csv(texts(*odd))

    assert [cell for (cell,) in rows] == odd[:5] + [f"'{text}" for text in DANGEROUS]
    assert read_parquet(texts(*odd)).read().column("title").to_pylist() == odd


def test_rows_may_take_longer_than_a_statement_may(db: None) -> None:
    slow = Sheet(
        columns=(Column("title", Kind.TEXT),),
        statement="SELECT 'late' FROM (SELECT pg_sleep(0.05)) AS nap",
        values={},
    )
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 20")

    assert list(slow.rows()) == [("late",)]


@pytest.fixture
def many(listener: Listener) -> Sheet:
    """MANY plays of as many tracks."""
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"start": NOVEMBER["start"], "listener": listener.pk, "many": MANY})
    return plays(["day", "track"], **NOVEMBER)


@pytest.mark.parametrize("write", [csv_of, parquet_of])
def test_memory_does_not_grow_with_the_plays(many: Sheet, write: Callable[[Sheet], Iterator[bytes]]) -> None:
    few = highest(write(replace(many, statement=f"{many.statement} LIMIT {MANY // 10}")))

    assert highest(write(many)) < few + MIB_MORE


def highest(pieces: Iterator[bytes]) -> float:
    """MiB that the process has at the highest while it writes a report; libpq's are not Python's, and count too."""
    Path("/proc/self/clear_refs").write_text("5")
    assert sum(map(len, pieces)) > 100_000
    [kib] = re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kib) / 1024


def test_pyarrow_is_loaded_for_parquet_alone() -> None:
    look = "import django; django.setup(); import config.urls, reports.formats, sys; sys.exit('pyarrow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", look], env=os.environ, check=False).returncode == 0
