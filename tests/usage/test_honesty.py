"""Plays that cannot be honest wait for a person, and honest ones for nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.models import Listener
from catalogue.models import Track
from kernel.values import rfc3339
from outbox.models import Message
from streaming.models import Device, OfflineCopy, StreamGrant
from subscriptions.models import Plan
from tests.helpers import Api, play
from usage.actions import batch_waiting_plays, cut_calls
from usage.files import cut_file
from usage.held import discard_held, release_held
from usage.honesty import Claim, Flag, Stretch, crowded, flags_of
from usage.judging import Judged, judge_waiting
from usage.models import Play, PlayBatch, PlayState

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


# --- The rules ---------------------------------------------------------------------------------------


def stretches(*plays: tuple[float, int]) -> list[Stretch]:
    """Plays by how many seconds after noon they began, and how many they lasted."""
    return [
        Stretch(id=number, played_at=NOON + start, seconds_played=seconds)
        for number, (start, seconds) in enumerate(plays)
    ]


def flagged(plays: list[Stretch], *, places: int = 1) -> dict[int, Flag]:
    return dict(crowded(plays, judged={play.id for play in plays}, places=places))


one_listening = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 1200)), max_size=60)


@given(st.integers(1, 4).flatmap(lambda places: st.lists(one_listening, min_size=places, max_size=places)))
def test_whoever_hears_one_thing_after_the_other_is_never_flagged(devices: list[list[tuple[int, int]]]) -> None:
    """As many devices as may, each with pauses and whole days of music."""
    plays, number = [], count()
    for listened in devices:
        at = NOON
        for pause, seconds in listened:
            at += pause
            plays.append(Stretch(id=next(number), played_at=at, seconds_played=seconds))
            at += seconds

    assert flagged(plays, places=len(devices)) == {}


@given(places=st.integers(1, 4), speed=st.integers(3, 20))
def test_whoever_hears_faster_than_time_passes_is_flagged(places: int, speed: int) -> None:
    length = 240
    plays = stretches(*((number * length / (speed * places), length) for number in range(60 * places)))

    kept = 60 * places - len(flagged(plays, places=places))
    assert set(flagged(plays, places=places).values()) == {Flag.TOO_MANY_AT_ONCE}
    assert kept * length <= (plays[-1].played_at - NOON) * (places + 1) * 1.2 + 2 * length * (places + 1)


def test_a_day_has_no_26_hours() -> None:
    plays = stretches(*((number * 24 * 3600 / 130, 12 * 60) for number in range(130)))

    assert set(flagged(plays).values()) == {Flag.OVER_A_DAY}
    assert flagged(plays, places=2) == {}


def test_a_displaced_device_may_finish_its_track() -> None:
    assert flagged(stretches((0, 240), (10, 240))) == {}
    assert flagged(stretches((0, 240), (10, 240), (20, 240))) == {2: Flag.TOO_MANY_AT_ONCE}


def test_what_is_not_judged_counts_but_is_not_flagged() -> None:
    plays = stretches((0, 240), (10, 240), (20, 240))

    assert dict(crowded(plays, judged={0}, places=1)) == {}
    assert dict(crowded(plays, judged={2}, places=1)) == {2: Flag.TOO_MANY_AT_ONCE}


ODD = [
    ({}, []),
    ({"seconds_played": 0}, []),
    ({"seconds_played": 660}, []),  # some of it was heard again and again
    ({"seconds_played": 661}, [Flag.LONGER_THAN_TRACK]),
    ({"seconds_played": 5000, "duration_seconds": 0}, []),
    ({"received_at": NOON + 120}, []),
    ({"received_at": NOON + 119}, [Flag.NOT_OVER_YET]),
]


@pytest.mark.parametrize(("facts", "flags"), ODD)
def test_what_is_odd_about_a_play_by_itself(facts: dict[str, Any], flags: list[Flag]) -> None:
    claim: dict[str, Any] = {
        "id": 1,
        "listener_id": uuid4(),
        "track_id": 1,
        "played_at": NOON,
        "seconds_played": 180,
        "received_at": NOON + 2 * 86400,
        "duration_seconds": 300,
    }
    assert list(flags_of(Claim(**claim | facts))) == flags


# --- The ledger --------------------------------------------------------------------------------------


@pytest.fixture
def held(settings: Settings) -> None:
    settings.USAGE_HONESTY = "hold"


@pytest.fixture
def phone(subscriber: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(subscriber)


def grant(listener: Listener, track: Track, *, ago: timedelta = timedelta(days=2)) -> None:
    StreamGrant.objects.create(
        listener_id=listener.pk, issued_at=timezone.now() - ago, stream_id=uuid4(), track_id=track.pk,
        release_id=track.release_id, format_id=26, client_id="phone", country="GB", offline=False,
    )  # fmt: skip


def tell(phone: Api, track: Track, *starts: timedelta, seconds: int = 120) -> None:
    now = timezone.now()
    plays = [play(track.pk, played_at=rfc3339(now - ago), seconds_played=seconds) for ago in starts]
    assert json.loads(phone.post("plays", {"plays": plays}).content)["accepted"] == len(starts)


def batch() -> int:
    return batch_waiting_plays(now=timezone.now())


def kept() -> list[tuple[str, list[str]]]:
    return list(Play.objects.order_by("played_at").values_list("state", "flags"))


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
def test_an_honest_play_goes_on(phone: Api, subscriber: Listener, track: Track) -> None:
    grant(subscriber, track)
    tell(phone, track, *(timedelta(minutes=5 * number) for number in range(1, 200)))

    assert batch() == 199
    assert set(Play.objects.values_list("state", flat=True)) == {"WAITING"}
    assert not Play.objects.filter(batch=None).exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
def test_a_play_of_what_was_never_handed_out_is_held(phone: Api, track: Track) -> None:
    tell(phone, track, timedelta(hours=1))

    assert batch() == 1
    assert kept() == [("HELD", ["NO_GRANT"])]
    assert [one["state"] for one in json.loads(phone.get("plays").content)["results"]] == ["HELD"]


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
def test_anothers_grant_vouches_for_nothing(phone: Api, track: Track, make_listener: Callable[..., Listener]) -> None:
    grant(make_listener(), track)
    tell(phone, track, timedelta(hours=1))

    batch()

    assert kept() == [("HELD", ["NO_GRANT"])]


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
def test_a_copy_on_a_device_vouches_as_well(phone: Api, subscriber: Listener, track: Track) -> None:
    now = timezone.now()
    device = Device.objects.create(listener=subscriber, client_id="phone", created_at=now, last_seen_at=now)
    OfflineCopy.objects.create(
        device=device, track_id=track.pk, release_id=1, format_id=26, key_number=0, lease_ends_at=now
    )
    tell(phone, track, timedelta(hours=1))

    batch()

    assert kept() == [("WAITING", [])]


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
def test_a_plan_for_several_devices_lets_as_many_play(phone: Api, subscriber: Listener, track: Track) -> None:
    grant(subscriber, track)
    at_once = [timedelta(hours=1, seconds=number) for number in range(6)]  # one streams, three are offline, one ends
    tell(phone, track, *at_once)
    assert Plan.objects.get(code="premium-unlimited-streaming").offline_devices == 3

    batch()

    assert [state for state, _ in kept()] == ["WAITING"] * 5 + ["HELD"]


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
def test_what_was_heard_before_counts_against_what_is_told_later(
    phone: Api, subscriber: Listener, track: Track
) -> None:
    grant(subscriber, track)
    tell(phone, track, *(timedelta(hours=1, seconds=number) for number in range(1, 6)))
    batch()
    tell(phone, track, timedelta(hours=1))

    batch()

    assert kept()[-1] == ("HELD", ["TOO_MANY_AT_ONCE"])


@pytest.mark.django_db
def test_where_nothing_is_held_it_is_flagged_and_goes_on(phone: Api, track: Track) -> None:
    tell(phone, track, timedelta(hours=1))

    assert batch() == 1
    assert kept() == [("WAITING", ["NO_GRANT"])]
    assert not Play.objects.filter(batch=None).exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
def test_a_person_lets_a_held_play_go_and_it_is_not_held_again(phone: Api, track: Track) -> None:
    tell(phone, track, timedelta(hours=1))
    batch()

    assert release_held([Play.objects.get().pk]) == 1
    assert release_held([Play.objects.get().pk]) == 0

    assert batch() == 1
    assert kept() == [("WAITING", ["NO_GRANT", "RELEASED"])]
    assert not Play.objects.filter(batch=None).exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
def test_a_person_keeps_a_held_play_back_and_it_stays_in_the_ledger(phone: Api, track: Track) -> None:
    tell(phone, track, timedelta(hours=1))
    batch()

    assert discard_held([Play.objects.get().pk]) == 1

    assert batch() == 0
    assert kept() == [(PlayState.REJECTED, ["NO_GRANT", "DISCARDED"])]


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("cut", [cut_calls, cut_file])
def test_what_comes_while_others_are_judged_has_its_turn_when_it_was_judged(
    cut: Callable[[Judged], int], played: Callable[..., list[Play]]
) -> None:
    """Older than they are, as what a device brings home, and younger."""
    (honest,) = played(1, flags=["RELEASED"])
    judged = judge_waiting(settled=timezone.now(), limit=10)
    late = played(9, seconds_played=80_000)

    assert cut(judged) == 1

    assert list(Play.objects.exclude(batch=None)) == [honest]
    assert judge_waiting(settled=timezone.now(), limit=10).held == len(late)


@pytest.mark.parametrize("cut", [cut_calls, cut_file])
def test_what_a_person_kept_back_meanwhile_does_not_go_out(
    cut: Callable[[Judged], int], played: Callable[..., list[Play]]
) -> None:
    played(2)
    judged = judge_waiting(settled=timezone.now(), limit=10)
    Play.objects.update(state="REJECTED")

    assert cut(judged) == 0

    assert not PlayBatch.objects.exists()
    assert not Message.objects.filter(topic__startswith="plays.").exists()


def test_only_held_plays_are_for_a_person_to_decide(phone: Api, subscriber: Listener, track: Track) -> None:
    grant(subscriber, track)
    tell(phone, track, timedelta(hours=1))
    batch()

    assert discard_held([Play.objects.get().pk]) == 0
    assert kept() == [("WAITING", [])]


@pytest.mark.django_db
def test_looking_costs_the_same_for_one_play_and_for_a_hundred(phone: Api, subscriber: Listener, track: Track) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            batch()
        return len([one for one in seen.captured_queries if "usage_play" in one["sql"] or "streaming" in one["sql"]])

    grant(subscriber, track)
    tell(phone, track, timedelta(hours=50))
    few = queries()
    tell(phone, track, *(timedelta(minutes=5 * number) for number in range(1, 100)))

    assert queries() == few


# --- Sixty that are not honest, a thousand that are ---------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("held")
def test_sixty_dishonest_listeners_are_found_among_a_thousand_honest_plays(
    make_listener: Callable[..., Listener], subscribe: Callable[..., Any], api: Callable[[Listener], Api], track: Track
) -> None:
    plan = Plan.objects.get(code="standard-unlimited-streaming")
    dishonest: dict[str, list[Listener]] = {"ungranted": [], "fast": [], "long day": []}
    starts = {
        "ungranted": [timedelta(hours=2)],
        "fast": [timedelta(hours=3, seconds=12 * number) for number in range(20)],
        "long day": [timedelta(hours=30, minutes=-11 * number) for number in range(130)],
    }
    lengths = {"ungranted": 120, "fast": 120, "long day": 12 * 60}
    for kind, listeners in dishonest.items():
        for _ in range(20):
            listener = make_listener()
            subscribe(listener, plan=plan)
            if kind != "ungranted":
                grant(listener, track, ago=timedelta(days=3))
            tell(api(listener), track, *starts[kind], seconds=lengths[kind])
            listeners.append(listener)
    honest = [make_listener() for _ in range(20)]
    for listener in honest:
        subscribe(listener, plan=plan)
        grant(listener, track, ago=timedelta(days=3))
        tell(api(listener), track, *(timedelta(minutes=4 * number) for number in range(1, 51)))

    batch()

    held = Play.objects.filter(state="HELD").values_list("listener", flat=True).distinct()
    assert set(held) == {listener.pk for listeners in dishonest.values() for listener in listeners}
    assert Play.objects.filter(listener__in=honest, flags=[]).count() == 1000
