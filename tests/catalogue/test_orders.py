"""However events come — out of order, again, contradicting each other — the mirror ends alike."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from catalogue.actions import apply_waiting
from catalogue.models import Artist, CatalogueEvent, Release, TrackTags
from tests.catalogue.conftest import Door
from tests.catalogue.mirrored import Standing, digest_of_rows, what_stands
from tests.catalogue.test_apply_events import TEST_EVENTS, state
from tests.helpers import offer, release_event, track_member

pytestmark = pytest.mark.django_db


def versions(id_: int) -> list[Any]:
    """Six versions of a release, with a takedown and a return."""
    track = id_ * 100
    return [
        release_event(id_, version=1, title="One"),
        release_event(id_, version=2, title="Two", tracks=[track_member(track + 1)]),
        {"id": id_, "version": 3, "takedown": True},
        release_event(id_, version=4, title="Four", genres=[], tracks=[track_member(track + 3, title="Back")]),
        release_event(id_, version=5, title="Five", tracks=[track_member(track + 1, offers=[])]),
        release_event(id_, version=6, title="Six", tracks=[track_member(track + 2, offers=[offer(["JP"])])]),
    ]


def versions_and_out(id_: int) -> list[Any]:
    """The same, but taken down again in the end."""
    return [*versions(id_)[:5], {"id": id_, "version": 6, "takedown": True}]


ENDS = pytest.mark.parametrize(
    ("history", "shown"), [(versions, ("Six", ["Pop"])), (versions_and_out, False)], ids=["returned", "taken down"]
)
ORDERS = list(itertools.permutations(range(6)))  # one for each of the releases 1 to 720
AGAIN = random.Random(7)


def expect_one_end(standing: Standing, shown: Any) -> None:
    assert len(standing) == 720
    assert len({str(end) for end in standing.values()}) == 1
    assert (standing[1]["version"], standing[1]["shown"]) == (6, shown)
    assert bool(standing[1]["tracks"]) == bool(standing[1]["offers"]) == bool(shown)


@ENDS
def test_all_720_orders_of_six_versions_end_alike(door: Door, history: Callable[[int], list[Any]], shown: Any) -> None:
    """The releases hear of their versions one after the other, and twice of an earlier one again."""
    told = {release: history(release) for release in range(1, 721)}
    for step in (*range(6), None, None):
        door.bring(
            *(
                told[release][AGAIN.randrange(6) if step is None else order[step]]
                for release, order in enumerate(ORDERS, 1)
            )
        )

    expect_one_end(what_stands(told), shown)


@ENDS
def test_all_720_orders_end_alike_within_one_body(door: Door, history: Callable[[int], list[Any]], shown: Any) -> None:
    told = {release: history(release) for release in range(1, 721)}
    door.bring(*(told[release][which] for release, order in enumerate(ORDERS, 1) for which in order))

    expect_one_end(what_stands(told), shown)


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "another title": {"title": "Other"},
    "no title": {"title": None},
    "another label": {"label": {"id": 9, "name": "Other", "licensor": {"id": 9, "name": "Other"}}},
    "explicit": {"explicitContent": True},
    "no tracks": {"tracks": []},
    "other tracks": {"tracks": [track_member(1)]},
    "other offers": {"tracks": [track_member(1, offers=[offer(["US"])])]},
    "another date": {"releaseDate": "2020-01-01T00:00:00Z"},
    "an unknown field": {"future": 1},
    "a takedown": {"takedown": True},
}


@pytest.mark.parametrize("change", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_what_contradicts_a_version_is_named_and_the_first_stands(door: Door, change: dict[str, Any]) -> None:
    ids = range(1, 6)
    door.bring(*(release_event(id_, version=3) for id_ in ids))
    before = digest_of_rows()

    event = door.bring(*(release_event(id_, version=3) | change for id_ in ids))

    assert (event.state, event.outcome) == ("PARTLY", {"refused": [], "conflicts": list(ids)})
    assert digest_of_rows() == before


def test_the_contradictions_are_50() -> None:
    assert len(CONTRADICTIONS) * 5 == 50


@pytest.mark.parametrize("member", TEST_EVENTS, ids=["maximum", "minimum", "takedown"])
def test_test_events_are_taken_and_leave_nothing(door: Door, member: Any) -> None:
    event = door.bring(member)

    assert (event.state, event.outcome) == ("APPLIED", {"test": 1, "refused": []})
    assert state() == {name: [] for name in state()}


@pytest.mark.parametrize("applied", ["at once", "in the end"])
def test_a_body_that_was_not_acknowledged_comes_fifty_times_more(door: Door, applied: str) -> None:
    """The process died between the commit and the answer: to the platform the body has failed."""
    body = [release_event(1), release_event(2, version=7), {"id": 3, "version": 1, "takedown": True}, None]
    door.keep(body)
    apply_waiting()
    before = digest_of_rows()

    for _ in range(50):
        door.keep(body)
        if applied == "at once":
            apply_waiting()
    apply_waiting()

    assert digest_of_rows() == before
    outcomes = CatalogueEvent.objects.order_by("pk").values_list("outcome", flat=True)
    refused = {"refused": [{"index": 3, "reason": "the member is not an object"}]}
    assert list(outcomes) == [{"applied": 3} | refused] + [{"stale": 3} | refused] * 50


def a_days_bodies() -> list[tuple[str, list[Any]]]:
    """What comes in a day, by door: a body every quarter of an hour, not in the order of its versions."""
    dice = random.Random(20)
    bodies: list[tuple[str, list[Any]]] = [("standard", [release_event(id_, version=100) for id_ in range(1, 6)])]
    for quarter in range(1, 96):
        if quarter % 8 == 0:
            said = {"releaseId": 1, "trackId": 101, "version": dice.randrange(50), "mood": [quarter]}
            bodies.append(("enhanced", [said]))
        bodies.append(("standard", [happening(dice, around=quarter) for _ in range(dice.randint(1, 5))]))
    return bodies


def happening(dice: random.Random, *, around: int) -> Any:
    """A change, takedown, contradiction, test event or nonsense, of a version near the time of the day."""
    id_, version = dice.randint(1, 30), 100 + around + dice.randint(-20, 20)
    match dice.randrange(10):
        case 0:
            return {"id": id_, "version": version, "takedown": True}
        case 1:
            return dice.choice([None, release_event(-id_), release_event(id_, version="x"), {"id": id_}])
        case _:
            number = dice.randint(1, 3)
            artist = {"id": dice.randint(501, 503), "name": f"Artist {version}"}
            tracks = [track_member(id_ * 100 + n, number=n, artist=artist) for n in range(1, number + 1)]
            return release_event(id_, version=version, title=f"Of {around}", artist=artist, tracks=tracks)


def test_a_days_backlog_redriven_twice_ends_alike(door: Door) -> None:
    bodies = a_days_bodies()
    for hour in range(0, len(bodies), 4):
        for kind, members in bodies[hour : hour + 4]:
            door.keep(members, kind=kind)
        apply_waiting()
    before = digest_of_rows()
    assert (Release.objects.count(), Artist.objects.count(), TrackTags.objects.count()) == (30, 3, 1)
    assert Release.objects.exclude(taken_down_at=None).exists()

    for redrive in range(2):
        random.Random(redrive).shuffle(bodies)
        for kind, members in bodies:
            door.keep(members, kind=kind)
        apply_waiting()
        assert digest_of_rows() == before

    redriven = CatalogueEvent.objects.order_by("-pk")[: 2 * len(bodies)]
    assert not any("applied" in event.outcome for event in redriven)
