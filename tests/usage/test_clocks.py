"""A device whose clock is wrong says so by what it shows, and its plays are set right by that."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Listener
from catalogue.models import Track
from kernel.values import rfc3339
from tests.helpers import Api, expect_problem, play
from usage.models import Play
from usage.rules import STEADY, set_right, skew_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def phone(subscriber: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(subscriber)


def told(phone: Api, *plays: dict[str, Any], sent_at: object) -> dict[str, Any]:
    answer = phone.post("plays", {"plays": list(plays), "sent_at": sent_at})
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = json.loads(answer.content)
    return body


def off_by(wrong: timedelta, track: Track, *, ago: timedelta = timedelta(hours=1)) -> tuple[dict[str, Any], str]:
    """A play of some time ago on a device whose clock is wrong by so much, and what it shows now."""
    shown = timezone.now() + wrong
    return play(track.pk, played_at=rfc3339(shown - ago)), rfc3339(shown)


# --- The rule ---------------------------------------------------------------------------------------


@given(wrong=st.timedeltas(min_value=-timedelta(days=20_000), max_value=timedelta(days=20_000)), ago=st.timedeltas())
def test_what_is_set_right_lies_as_far_back_as_the_device_says(wrong: timedelta, ago: timedelta) -> None:
    skew = skew_of(NOON + wrong, now=NOON)
    try:
        shown = NOON + wrong - ago
    except OverflowError:
        return
    played_at = set_right(shown, skew)

    if abs(wrong) <= STEADY:
        assert skew == timedelta()
    elif played_at is not None:
        assert abs(NOON - played_at - ago) <= timedelta(seconds=0.5)


@pytest.mark.parametrize("seconds", [0, 59, -59, 60, -60])
def test_the_way_here_is_no_wrong_clock(seconds: int) -> None:
    assert skew_of(NOON + timedelta(seconds=seconds), now=NOON) == timedelta()


# --- Over the API ------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong", [timedelta(hours=1), timedelta(days=365), -timedelta(hours=3), -timedelta(days=20_700)], ids=str
)
def test_plays_of_a_wrong_clock_are_set_right_and_it_is_written_down(
    phone: Api, track: Track, wrong: timedelta
) -> None:
    sent, now_there = off_by(wrong, track)

    assert told(phone, sent, sent_at=now_there)["accepted"] == 1

    kept = Play.objects.get()
    assert abs(timezone.now() - timedelta(hours=1) - kept.played_at) < timedelta(seconds=30)
    assert abs(kept.skew_seconds + wrong.total_seconds()) <= 1


@pytest.mark.django_db
def test_without_its_word_such_plays_are_refused(phone: Api, track: Track) -> None:
    sent, _ = off_by(timedelta(days=365), track)

    assert told(phone, sent, sent_at=None)["rejected"][0]["code"] == "invalid_parameter"


@pytest.mark.django_db
def test_a_right_clock_changes_nothing(phone: Api, track: Track) -> None:
    sent, now_there = off_by(timedelta(seconds=40), track)

    assert told(phone, sent, sent_at=now_there)["accepted"] == 1

    kept = Play.objects.get()
    assert (rfc3339(kept.played_at), kept.skew_seconds) == (sent["played_at"], 0)


@pytest.mark.django_db
def test_sent_again_by_a_clock_that_was_put_right_meanwhile_it_still_counts_once(phone: Api, track: Track) -> None:
    sent, now_there = off_by(-timedelta(hours=1), track)
    told(phone, sent, sent_at=now_there)

    assert told(phone, sent, sent_at=rfc3339(timezone.now()))["duplicates"] == 1
    assert Play.objects.get().skew_seconds == 3600


@pytest.mark.django_db
def test_a_time_beyond_every_calendar_costs_no_good_play(phone: Api, track: Track) -> None:
    good, now_there = off_by(-timedelta(days=20_700), track)
    beyond = play(track.pk, played_at="9999-12-31T23:59:59Z")

    body = told(phone, good, beyond, sent_at=now_there)

    assert (body["accepted"], [no["index"] for no in body["rejected"]]) == (1, [1])


@pytest.mark.django_db
@pytest.mark.parametrize("cut", [False, True], ids=["", "beside a text that was cut"])
@pytest.mark.parametrize("bad", ["2026-11-22T12:00:00", "noon", 5, True, {}, []], ids=str)
def test_a_clock_that_cannot_be_read_is_named_and_nothing_is_lost(
    phone: Api, track: Track, bad: object, cut: bool
) -> None:
    sent = play(track.pk, played_at=rfc3339(timezone.now())) | ({"source": "\ud800"} if cut else {})

    problem = expect_problem(phone.post("plays", {"plays": [sent], "sent_at": bad}), 400, "invalid_parameter")

    assert problem["detail"].startswith("sent_at")
    assert not Play.objects.exists()
