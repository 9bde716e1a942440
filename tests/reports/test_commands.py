"""Reports from the command line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pyarrow import parquet

from reports import files
from tests.reports.conftest import at
from usage.models import Play, PlayState

pytestmark = pytest.mark.django_db

NOVEMBER = ["--from", "2026-11-01", "--to", "2026-12-01"]


def printed(*words: str) -> bytes:
    out = TextIOWrapper(BytesIO())
    call_command(*words, stdout=out, stderr=StringIO())
    written = out.detach()
    assert isinstance(written, BytesIO)
    return written.getvalue()


@pytest.fixture
def book(played: Callable[..., Play]) -> None:
    """Two plays in November, one in doubt, and one in December."""
    played(country="DE")
    played(played_at=at("11-30 23:59"))
    played(state=PlayState.IN_DOUBT)
    played(played_at=at("12-01 00:00"))


def test_plays_are_printed_as_csv(book: None) -> None:
    rows = [*csv.reader(StringIO(printed("report_plays", "--by", "country", "--per", "month", *NOVEMBER).decode()))]

    assert rows == [
        ["month", "country", "plays", "seconds", "listeners", "plays_heard"],
        ["2026-11", "DE", "1", "120", "1", "1"],
        ["2026-11", "GB", "1", "120", "1", "1"],
    ]


def test_plays_go_into_a_file(book: None, tmp_path: Path) -> None:
    out = tmp_path / "plays.parquet"
    states = ["--state", "SENT", "IN_DOUBT"]
    printed("report_plays", "--by", "country, track", *NOVEMBER, *states, "--as", "parquet", "--out", str(out))

    assert parquet.read_table(out).column("plays").to_pylist() == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["plays.parquet"]


def test_the_month_goes_into_a_file(book: None, tmp_path: Path) -> None:
    out = tmp_path / "month.tsv"
    printed("report_month", "2026-11", "--out", str(out), "--sender", "PADPIDA2026110101A", "Our Music")

    lines = out.read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["HEAD", "SY01.02", "SY01.02", "SR02.01", "SR02.01", "SRFO"]
    assert "PADPIDA2026110101A\tOur Music\tTonearm" in lines[0]
    assert printed("report_month", "2026-11").count(b"\n") == len(lines)


def test_who_sends_the_month_is_asked_for(db: None) -> None:
    said = StringIO()
    call_command("report_month", "2026-10", stdout=TextIOWrapper(BytesIO()), stderr=said)

    assert "--sender" in said.getvalue()


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def breaking_off() -> object:
        yield b"half"
        raise RuntimeError

    out = tmp_path / "plays.csv"
    out.write_text("the one before")
    with pytest.raises(RuntimeError):
        files.write(breaking_off(), str(out), stdout=None)  # type: ignore[arg-type]

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("plays.csv", "the one before")]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["report_plays", "--by", "mood", *NOVEMBER], "not counted by 'mood'"),
        (["report_plays", "--by", "", *NOVEMBER], "not counted by ''"),
        (["report_plays", "--by", "day", "--per", "month", *NOVEMBER], "not both"),
        (["report_plays", "--by", "track"], "--from, --to"),
        (["report_plays", "--from", "2026-11-01", "--to", "2026-11-01"], "ends before it begins"),
        (["report_plays", "--from", "November", "--to", "2026-12-01"], "--from"),
        (["report_plays", *NOVEMBER, "--as", "xls"], "--as"),
        (["report_plays", *NOVEMBER, "--state", "LOST"], "--state"),
        (["report_plays", *NOVEMBER, "--out", "/nowhere/plays.csv"], "/nowhere/plays.csv: No such file"),
        (["report_month", "2026-13"], "month"),
        (["report_month", "26-11"], "month"),
        (["report_month", "2090-01"], "has not begun"),
        (["report_month", "2026-10", "--out", "/"], "/: a directory"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        printed(*words)
