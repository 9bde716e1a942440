"""The page on which staff ask for reports."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from pyarrow import parquet

from reports import admin, formats
from reports.sheets import Sheet
from tests.reports.conftest import at
from usage.models import Play, PlayState

pytestmark = pytest.mark.django_db

PAGE = "/admin/reports/"
NOVEMBER = {"first": "2026-11-01", "last": "2026-11-30", "states": ["SENT"], "by": ["country"]}


def content(response: Any) -> bytes:
    assert response.streaming
    return b"".join(response.streaming_content)


@pytest.fixture
def book(played: Callable[..., Play]) -> None:
    """Plays on the first and the last day of November, and others that do not count."""
    for moment in ["11-01 00:00", "11-30 23:59", "11-30 12:00", "10-31 23:59", "12-01 00:00"]:
        played(played_at=at(moment))
    played(state=PlayState.HELD, country="FR")


def test_shows_the_plays_of_the_days_asked_for(boss: Client, book: None) -> None:
    shown = boss.get(PAGE, NOVEMBER)

    assert shown.status_code == 200
    assert shown.context["table"]["rows"] == [["GB", 3, 360, 1, 3]]
    bars = shown.context["days"]
    assert [(bars[number]["count"], bars[number]["height"]) for number in (0, 1, -1)] == [(1, 50), (0, 0), (2, 100)]
    assert len(bars) == 30


def test_other_states_and_times_are_asked_for(boss: Client, book: None) -> None:
    shown = boss.get(PAGE, NOVEMBER | {"states": ["SENT", "HELD"], "per": "month"})

    assert [row[:3] for row in shown.context["table"]["rows"]] == [["2026-11", "FR", 1], ["2026-11", "GB", 3]]


def test_shows_the_first_rows_and_says_that_there_are_more(boss: Client, played: Callable[..., Play]) -> None:
    for number in range(51):
        played(track_id=100 + number)
    shown = boss.get(PAGE, NOVEMBER | {"by": ["track"]})

    assert len(shown.context["table"]["rows"]) == 50
    assert b"shows the first 50 rows" in shown.content
    assert content(boss.get(PAGE, NOVEMBER | {"by": ["track"], "download": "1"})).count(b"\n") == 52


def test_a_long_time_has_no_picture(boss: Client, book: None) -> None:
    shown = boss.get(PAGE, NOVEMBER | {"first": "2020-01-01"})

    assert shown.context["days"] == []
    assert shown.context["table"]["rows"] == [["GB", 4, 480, 1, 4]]


def test_is_of_the_last_days_unless_asked(boss: Client) -> None:
    assert b"Nothing was played in these days." in boss.get(PAGE).content


def test_what_is_downloaded_is_streamed(boss: Client, book: None) -> None:
    response = boss.get(PAGE, NOVEMBER | {"download": "1", "form": "csv"})

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="plays-2026-11-01-2026-11-30.csv"'
    header, *rows = csv.reader(StringIO(content(response).decode()))
    assert (header[:2], rows) == (["country", "plays"], [["GB", "3", "360", "1", "3"]])


@pytest.mark.django_db(transaction=True)
def test_who_leaves_in_the_middle_leaves_nothing_behind(
    boss: Client, book: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "PIECE", 1)
    response = boss.get(PAGE, NOVEMBER | {"per": "day", "download": "1"})
    next(iter(response.streaming_content))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), current_setting('statement_timeout') FROM pg_cursors WHERE name <> ''")
        assert cursor.fetchone() == (1, "0")
        response.close()
        cursor.execute("SELECT count(*), current_setting('statement_timeout') FROM pg_cursors WHERE name <> ''")
        assert cursor.fetchone() == (0, "15s")


def test_parquet_is_downloaded_too(boss: Client, book: None) -> None:
    response = boss.get(PAGE, NOVEMBER | {"download": "1", "form": "parquet"})

    assert response["Content-Disposition"].endswith('.parquet"')
    assert parquet.read_table(BytesIO(content(response))).column("plays").to_pylist() == [3]


def test_titles_are_shown_as_text(boss: Client, shelve: Callable[..., Any], played: Callable[..., Play]) -> None:
    track, *_ = shelve(title="<script>alert(1)</script>")
    played(track_id=track.pk, release_id=track.release_id)
    shown = boss.get(PAGE, NOVEMBER | {"by": ["track", "label"]})

    assert b"<script>alert(1)" not in shown.content
    assert b"&lt;script&gt;alert(1)" in shown.content


def test_what_takes_too_long_to_show_can_be_downloaded(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def nap(*args: Any) -> Sheet:
        return Sheet(columns=(), statement="SELECT pg_sleep(5)", values={})

    monkeypatch.setattr(admin.Asked, "sheet", nap)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 20")
    shown = boss.get(PAGE, NOVEMBER)

    assert shown.status_code == 200
    assert b"take too long to be shown here" in shown.content


def test_what_fails_fails_before_anything_is_sent(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Sheet(columns=(), statement="SELECT 1 / 0", values={})
    monkeypatch.setattr(admin.Asked, "sheet", lambda _: broken)

    with pytest.raises(DatabaseError), transaction.atomic():
        boss.get(PAGE, NOVEMBER | {"download": "1"})


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"last": "2026-10-01"}, "This day lies before the first."),
        ({"last": ""}, "This field is required."),
        ({"first": "x", "last": "\x00"}, "Enter a valid date."),
        ({"last": "9999-12-31"}, "Enter a year between 2000 and 2100."),
        ({"by": ["mood"]}, "mood is not one of the available choices."),
        ({"per": "week"}, "week is not one of the available choices."),
        ({"states": ["LOST"]}, "LOST is not one of the available choices."),
        ({"states": []}, "This field is required."),
        ({"form": "xls"}, "xls is not one of the available choices."),
    ],
)
@pytest.mark.parametrize("more", [{}, {"download": "1"}])
def test_names_what_makes_no_sense(boss: Client, query: dict[str, Any], fault: str, more: dict[str, str]) -> None:
    shown = boss.get(PAGE, NOVEMBER | query | more)

    assert shown.status_code == 200
    assert fault in shown.content.decode()


def test_is_for_those_who_may_view_plays(clerk: Callable[..., Client], book: None) -> None:
    assert clerk("view_track").get(PAGE, NOVEMBER | {"download": "1"}).status_code == 403
    assert Client().get(PAGE).status_code == 302


@pytest.mark.parametrize("permissions", [["view_play"], ["change_play"]])
def test_the_sidebar_leads_there(clerk: Callable[..., Client], permissions: list[str]) -> None:
    groups = clerk(*permissions).get(PAGE).context["sidebar_navigation"]

    assert [item["link"] for group in groups for item in group["items"] if item["title"] == "Reports"] == [PAGE]
