"""What was reported, as CSV for the platform's reporting team."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Listener
from catalogue.models import Track
from desk.sheets import guarded
from tests.helpers import play
from usage.models import Play, PlayState

pytestmark = pytest.mark.django_db


@pytest.fixture
def book(api: Any, subscriber: Listener, track: Track) -> Listener:
    """Plays around the ends of two days, one of which still waits."""
    times = ["2026-11-09T23:59:59Z", "2026-11-10T00:00:00Z", "2026-11-11T23:59:59+00:00", "2026-11-12T00:00:00Z"]
    plays = [play(track.pk, played_at=at, user_agent="=1+1\n\x0bPixel") for at in times]
    assert b'"accepted":4' in api(subscriber).post("plays", {"plays": plays}).content
    Play.objects.update(state=PlayState.SENT)
    Play.objects.filter(played_at__day=11).update(state=PlayState.IN_DOUBT)
    return subscriber


def exported(*words: str) -> list[dict[str, str]]:
    out = StringIO()
    call_command("export_plays", *words, stdout=out)
    return list(csv.DictReader(StringIO(out.getvalue())))


def test_holds_what_was_sent_of_those_days(book: Listener, track: Track) -> None:
    [row] = exported("2026-11-10", "2026-11-11")

    assert row == {
        "USERID": book.platform_id, "COUNTRY": "GB", "TRACKID": str(track.pk), "RELEASEID": str(track.release_id),
        "FORMATID": "26", "USERAGENT": "'=1+1 Pixel", "DATETIMEPLAYED": "2026-11-10T00:00:00Z",
        "TOTALTIMEPLAYED": "120", "PLAYMODE": "online",
    }  # fmt: skip


def test_other_states_are_asked_for_by_name(book: Listener) -> None:
    rows = exported("2026-11-09", "2026-11-12", "--state", "SENT", "IN_DOUBT")

    assert [row["DATETIMEPLAYED"][8:10] for row in rows] == ["09", "10", "11", "12"]


def test_of_days_without_plays_there_are_the_columns_alone(book: Listener) -> None:
    out = StringIO()
    call_command("export_plays", "2025-01-01", "2025-01-31", stdout=out)

    assert out.getvalue().startswith("USERID,COUNTRY,TRACKID,")
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("2026-11-02", "2026-11-01"),
        ("November", "2026-11-01"),
        ("2026-11-01", "2026-11-02", "--state", "LOST"),
        ("2026-11-01", "9999-12-31"),
    ],
)
def test_refuses_what_makes_no_sense(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        exported(*words)


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@SUM", "\tx", "\rx"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert guarded(f"a{text}") == f"a{text}"
    assert guarded(-1) == -1
