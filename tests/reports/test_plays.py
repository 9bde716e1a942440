"""Plays, counted by whatever one wants to know them by."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import Listener
from catalogue.models import Release, Track
from reports.plays import DIMENSIONS, Unanswerable, plays
from subscriptions.models import Period
from tests.helpers import apply_member, release_event, track_member
from tests.reports.conftest import NOVEMBER, a_play, at
from usage.models import Play, PlayState

pytestmark = pytest.mark.django_db

TICK = timedelta(microseconds=1)
PLANS = ["premium-unlimited-streaming", "standard-unlimited-streaming"]
GROUPINGS = [
    [], ["day"], ["month"], ["country"], ["plan"], ["track"], ["release"], ["label"], ["mode"], ["month", "plan"],
    ["day", "country", "mode"], ["track", "release", "label"], ["label", "plan"],
    ["day", *(name for name in DIMENSIONS if name not in {"day", "month"})],
]  # fmt: skip


def counted(*by: str, **more: Any) -> list[dict[str, Any]]:
    sheet = plays(by, **NOVEMBER | more)
    return [dict(zip(sheet.names, row, strict=True)) for row in sheet.rows()]


# --- the sums --------------------------------------------------------------------------------------


@pytest.fixture
def shelves(shelve: Callable[..., list[Track]]) -> list[Track]:
    """Two labels of one name under two licensors, and one release that nobody knows the label of."""
    quay = {"id": 31, "name": "Quay", "licensor": {"id": 4, "name": "Quay Group"}}
    return [
        *shelve(id_=7001001, label=quay),
        *shelve(id_=7001002, label=quay | {"licensor": {"id": 5, "name": "Others"}}),
        *shelve(id_=7001003, label=None),
    ]


def random_rights(dice: random.Random, listeners: list[Listener], right: Callable[..., Period]) -> list[Period]:
    """Rights that overlap, leave gaps, and of which some are believed no more."""
    rights = []
    for listener in listeners:
        for _ in range(dice.randint(0, 4)):
            start = at("10-25 00:00") + timedelta(hours=dice.randint(0, 900))
            end = start + timedelta(hours=dice.randint(1, 500))
            withdrawn_at = dice.choice([None, None, end])
            fee = dice.choice([499, 999])
            terms = {"plan_id": dice.choice(PLANS), "recurring_fee": fee, "withdrawn_at": withdrawn_at}
            rights.append(right(listener, start, end, **terms))
    return rights


def random_plays(dice: random.Random, listeners: list[Listener], shelves: list[Track], edges: list[Any]) -> list[Play]:
    """Plays at and around the edges of rights, days and months; some of a track that was never heard of."""
    known = [(track.pk, track.release_id) for track in shelves]
    moments = [*edges, *(at("10-31 23:00") + timedelta(minutes=dice.randint(0, 44_640)) for _ in range(40))]
    made = []
    for _ in range(400):
        track_id, release_id = dice.choice([*known, (99, 9900)])
        made.append(
            a_play(
                listener=dice.choice(listeners), track_id=track_id, release_id=release_id,
                country=dice.choice(["GB", "DE", "FR"]), mode=dice.choice(["online", "offline", "online-cached"]),
                seconds_played=dice.choice([0, 29, 30, 31, 500]),
                played_at=dice.choice(moments) + dice.choice([-TICK, 0 * TICK, TICK]),
                state=dice.choice([PlayState.SENT, PlayState.SENT, PlayState.IN_DOUBT]),
            )
        )  # fmt: skip
    return Play.objects.bulk_create(made)


def plan_then(play: Play, rights: Iterable[Period]) -> str:
    held = [
        each for each in rights
        if each.listener_id == play.listener_id and each.starts_at <= play.played_at < each.ends_at
        and each.withdrawn_at is None
    ]  # fmt: skip
    return max(held, key=lambda each: (each.recurring_fee, each.ends_at, -each.pk)).plan_id if held else ""


def by_hand(by: list[str], kept: Iterable[Play], rights: list[Period]) -> dict[Any, tuple[int, ...]]:
    """The same count in plain Python."""
    releases = Release.objects.in_bulk()
    groups = defaultdict(list)
    for play in kept:
        release = releases.get(play.release_id)
        reading: dict[str, Any] = {
            "day": play.played_at.date(), "month": f"{play.played_at:%Y-%m}", "track": play.track_id,
            "release": play.release_id, "country": play.country, "mode": play.mode, "plan": plan_then(play, rights),
            "label": (release.label, release.licensor_id) if release else ("", None),
        }  # fmt: skip
        groups[tuple(reading[name] for name in by)].append(play)
    return {
        key: (
            len(group), sum(play.seconds_played for play in group), len({play.listener_id for play in group}),
            sum(play.seconds_played >= 30 for play in group),
        )
        for key, group in groups.items()
    }  # fmt: skip


KEYS = {"track": ["track_id"], "release": ["release_id"], "label": ["label", "licensor_id"]}


def key_of(row: dict[str, Any], by: list[str]) -> Any:
    cells = (tuple(row[column] for column in KEYS.get(name, [name])) for name in by)
    return tuple(each[0] if len(each) == 1 else each for each in cells)


@pytest.mark.parametrize("seed", range(5))
def test_sums_are_those_of_a_plain_count(
    seed: int, make_listener: Callable[..., Listener], shelves: list[Track], right: Callable[..., Period]
) -> None:
    dice = random.Random(seed)
    listeners = [make_listener() for _ in range(6)]
    rights = random_rights(dice, listeners, right)
    edges = [edge for each in rights for edge in (each.starts_at, each.ends_at)]
    edges += [at("11-01 00:00"), at("11-02 00:00"), at("12-01 00:00")]
    made = random_plays(dice, listeners, shelves, edges)
    kept = [p for p in made if NOVEMBER["start"] <= p.played_at < NOVEMBER["end"] and p.state == PlayState.SENT]
    assert 0 < len(kept) < len(made)

    for by in GROUPINGS:
        rows = counted(*by)
        counts = {key_of(row, by): tuple([*row.values()][-4:]) for row in rows}
        assert len(counts) == len(rows), by
        assert counts == by_hand(by, kept, rights), by
        assert sum(row["plays"] for row in rows) == len(kept), by


def test_rows_stand_in_the_order_of_what_they_are_counted_by(played: Callable[..., Play]) -> None:
    for country, day in [("GB", "03"), ("DE", "03"), ("GB", "02")]:
        played(country=country, played_at=at(f"11-{day} 12:00"))

    assert [(row["day"].day, row["country"]) for row in counted("day", "country")] == [(2, "GB"), (3, "DE"), (3, "GB")]


def test_of_no_plays_there_are_no_rows_and_a_total_of_nothing(db: None) -> None:
    assert counted("track") == []
    assert counted() == [{"plays": 0, "seconds": 0, "listeners": 0, "plays_heard": 0}]


# --- time ------------------------------------------------------------------------------------------


def test_the_first_instant_counts_and_the_last_does_not(played: Callable[..., Play]) -> None:
    for moment in [at("11-01 00:00") - TICK, at("11-01 00:00"), at("12-01 00:00") - TICK, at("12-01 00:00")]:
        played(played_at=moment)

    assert [row["day"].isoformat() for row in counted("day")] == ["2026-11-01", "2026-11-30"]


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "Pacific/Auckland", "America/St_Johns"])
def test_days_are_of_utc_wherever_the_server_thinks_it_is(played: Callable[..., Play], zone: str) -> None:
    """London put its clocks back on 25 October 2026 at 01:00 UTC: that day has 25 hours there, and 24 here."""
    for moment in ["10-24 23:59", "10-25 00:00", "10-25 23:59", "10-26 00:00", "10-31 23:59", "11-01 00:00"]:
        played(played_at=at(moment))
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL TIME ZONE '{zone}'")
    time = {"start": at("10-24 00:00"), "end": at("12-01 00:00")}

    assert [(row["day"].day, row["plays"]) for row in counted("day", **time)] == [
        (24, 1), (25, 2), (26, 1), (31, 1), (1, 1),
    ]  # fmt: skip
    assert [(row["month"], row["plays"]) for row in counted("month", **time)] == [("2026-10", 5), ("2026-11", 1)]


# --- plans -----------------------------------------------------------------------------------------


def test_a_play_counts_for_the_plan_of_its_instant(
    played: Callable[..., Play], listener: Listener, right: Callable[..., Period]
) -> None:
    change = at("11-10 00:00")
    right(listener, at("11-01 00:00"), change)
    right(listener, change, at("11-20 00:00"), plan_id="standard-unlimited-streaming")
    for moment in [change - TICK, change, at("11-20 00:00")]:
        played(played_at=moment)

    assert [(row["plan"], row["plays"]) for row in counted("plan")] == [("", 1), *((plan, 1) for plan in PLANS)]


def test_a_play_under_two_rights_counts_once_for_the_dearer(
    played: Callable[..., Play], listener: Listener, right: Callable[..., Period]
) -> None:
    right(listener, at("11-01 00:00"), at("11-30 00:00"), plan_id="standard-unlimited-streaming", recurring_fee=499)
    right(listener, at("11-09 00:00"), at("11-11 00:00"))
    played()

    assert [(row["plan"], row["plays"]) for row in counted("plan")] == [("premium-unlimited-streaming", 1)]


def test_what_is_believed_no_more_is_nobodys_plan(
    played: Callable[..., Play], listener: Listener, right: Callable[..., Period]
) -> None:
    right(listener, at("11-01 00:00"), at("11-30 00:00"), withdrawn_at=at("11-20 00:00"))
    played()

    assert [row["plan"] for row in counted("plan")] == [""]


# --- what comes along ------------------------------------------------------------------------------


def test_titles_and_codes_come_along(played: Callable[..., Play], track: Track) -> None:
    played(track_id=track.pk, release_id=track.release_id)
    described = {"release_title": "Harbour Lights", "upc": "5050000000017", "label": "Quay", "licensor_id": 4}
    counts = {"plays": 1, "seconds": 120, "listeners": 1, "plays_heard": 1}

    assert counted("release") == [{"release_id": track.release_id} | described | counts]
    assert counted("label") == [{"label": "Quay", "licensor_id": 4} | counts]
    [row] = counted("track")
    assert row == described | counts | {
        "track_id": track.pk, "title": "Tide", "artist": "The Lamplighters", "isrc": track.isrc,
        "duration_seconds": 204,
    }  # fmt: skip


def test_what_has_gone_keeps_its_name(played: Callable[..., Play], track: Track) -> None:
    played(track_id=track.pk, release_id=track.release_id)
    apply_member(release_event(version=2, tracks=[track_member(700100102)]))
    assert Track.objects.get(pk=track.pk).gone_at is not None
    apply_member({"id": track.release_id, "version": 3, "takedown": True})

    [row] = counted("track")
    assert (row["title"], row["release_title"], row["label"]) == ("Tide", "Harbour Lights", "Quay")


def test_what_was_never_heard_of_keeps_its_id(played: Callable[..., Play]) -> None:
    played(track_id=99, release_id=9900)

    [row] = counted("track", "release")
    assert (row["track_id"], row["release_id"], row["plays"]) == (99, 9900, 1)
    assert (row["title"], row["upc"], row["licensor_id"], row["duration_seconds"]) == ("", "", None, 0)


# --- questions -------------------------------------------------------------------------------------


def test_other_states_are_asked_for_by_name(played: Callable[..., Play]) -> None:
    for state in PlayState.values:
        played(state=state)

    assert counted()[0]["plays"] == 1
    assert counted(states=[PlayState.SENT, PlayState.IN_DOUBT])[0]["plays"] == 2
    assert counted(states=PlayState.values)[0]["plays"] == len(PlayState.values)


@pytest.mark.parametrize(
    ("by", "more", "why"),
    [
        (["mood"], {}, "not counted by 'mood'"),
        (["country; DROP TABLE usage_play"], {}, "not counted by"),
        (["track", "track"], {}, "twice"),
        (["day", "month"], {}, "not both"),
        (["day"], {"end": NOVEMBER["start"]}, "ends before it begins"),
        (["day"], {"states": ["LOST"]}, "one of WAITING"),
        (["day"], {"states": []}, "one of WAITING"),
    ],
)
def test_what_makes_no_sense_is_not_answered(by: list[str], more: dict[str, Any], why: str) -> None:
    with pytest.raises(Unanswerable, match=why):
        plays(by, **NOVEMBER | more)


def test_it_takes_one_statement(played: Callable[..., Play], django_assert_num_queries: Any) -> None:
    for _ in range(3):
        played()
    with django_assert_num_queries(3):  # one reads; the others lift the usual limit of time and set it again
        assert len(counted("day", "plan", "track", "release", "label")) == 1
