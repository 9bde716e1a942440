"""What may stand in for a track, the best first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from catalogue.models import Track
from playlists.substitutes import ASKED, Candidate, Want, ranked, reasons, standing, substitutes
from tests.helpers import apply_member, offer, statements_noted, track_member

LOST = Want(track_id=1, markets=["DE", "FR", "GB"], lost=["FR"])


def candidate(track_id: int, **facts: Any) -> Candidate:
    plain: dict[str, Any] = {
        "instead_of": 1, "track_id": track_id, "title": "Tide", "version": "", "artist": "Ada", "isrc": "",
        "release_id": 2, "release": "Harbour", "seconds": 200, "explicit": False, "popularity": 0.0,
        "same_isrc": False, "open_in": ["DE", "FR", "GB"], "longer": 0, "same_explicit": True,
    }  # fmt: skip
    return Candidate(**plain | facts)


BEST_FIRST = [
    candidate(9, same_isrc=True, popularity=1.0),
    candidate(8, same_isrc=True),
    candidate(7, same_isrc=True, open_in=["FR"], popularity=9.0),
    candidate(6, same_isrc=True, same_explicit=False, popularity=9.0),
    candidate(5, popularity=9.0),
    candidate(3, longer=-1),
    candidate(4, longer=2),
    candidate(10, longer=2),
    candidate(2, open_in=["DE", "FR"], popularity=9.0),
]


@given(st.permutations(BEST_FIRST))
def test_the_order_is_the_same_however_they_are_found(found: list[Candidate]) -> None:
    assert ranked(found, LOST) == BEST_FIRST


@given(st.lists(st.builds(candidate, st.integers(1, 50), same_isrc=st.booleans(), longer=st.integers(-5, 5),
       popularity=st.sampled_from([0.0, 1.0]), open_in=st.sets(st.sampled_from(["DE", "FR", "GB"])).map(sorted)),
       unique_by=lambda each: each.track_id))  # fmt: skip
def test_no_two_stand_alike_and_none_is_of_no_help(found: list[Candidate]) -> None:
    best = ranked(found, LOST)

    assert len({standing(each, LOST) for each in found}) == len(found)
    assert {each.track_id for each in best} == {each.track_id for each in found if "FR" in each.open_in}
    assert ranked(best, LOST) == best


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"same_isrc": True}, ["same recording (ISRC)"]),
        ({"longer": 2}, ["same title and artist", "2 s longer"]),
        ({"longer": -1, "explicit": True, "same_explicit": False},
         ["same title and artist", "explicit, the other is not", "1 s shorter"]),
        ({"same_explicit": False}, ["same title and artist", "not explicit, the other is"]),
    ],
)  # fmt: skip
def test_it_is_said_what_speaks_for_one(facts: dict[str, Any], words: list[str]) -> None:
    assert reasons(candidate(2, **facts)) == words


# --- Found in the mirror -------------------------------------------------------------------------------------


@pytest.fixture
def lone(shelve: Callable[..., list[Track]]) -> Callable[..., int]:
    """A track alone on a release of its own."""

    def put(number: int, **changes: Any) -> int:
        facts = {"title": "Don’t Go", "subtitle": "Live"} | changes
        licensor = facts.pop("licensor", 4)
        label = {"id": 31, "name": "Quay", "licensor": {"id": licensor, "name": "Quay Group"}}
        member = track_member(number, **facts)
        return shelve(id=7_002_000 + number, tracks=[member], label=label)[0].pk

    return put


def found_for(track_id: int) -> list[int]:
    want = Want(track_id=track_id, markets=["GB", "FR"], lost=["GB"])
    return [each.track_id for each in substitutes([want], at=timezone.now())[track_id]]


@pytest.mark.django_db
def test_the_same_recording_and_the_same_words_are_found(lone: Callable[..., int]) -> None:
    gone = lone(1, isrc="GBQQQ2500001")
    same = lone(2, title="Go Away", isrc="GBQQQ2500001")
    words = lone(3, title="DON'T GO (live)", subtitle=None, duration=207)
    apply_member({"id": 7002001, "version": 2, "takedown": True})

    assert found_for(gone) == [same, words]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other",
    [
        {"subtitle": "Remix"},
        {"title": "Go Don’t"},
        {"duration": 210},
        {"artist": {"id": 777, "name": "Others", "normalisedName": "others"}},
        {"offers": [offer(["FR"])]},
        {"offers": [offer(end="2020-02-01T00:00:00Z")]},
        {"offers": [offer(start="2090-01-01T00:00:00Z")]},
        {"licensor": 5},
    ],
    ids=str,
)
def test_what_is_other_or_does_not_play_there_is_not(
    lone: Callable[..., int], other: dict[str, Any], settings: Settings
) -> None:
    settings.LICENSORS = frozenset({4})
    gone = lone(1)
    lone(2, **other)

    assert found_for(gone) == []


@pytest.mark.django_db
def test_one_that_will_soon_be_gone_too_is_no_substitute(lone: Callable[..., int]) -> None:
    soon, later = ((timezone.now() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (13, 15))
    gone = lone(1)
    lone(2, offers=[offer(end=soon)])
    stays = lone(3, offers=[offer(end=later)])

    assert found_for(gone) == [stays]


@pytest.mark.django_db
def test_titles_without_a_word_are_not_taken_for_each_other(lone: Callable[..., int]) -> None:
    gone = lone(1, title="???", subtitle=None)
    lone(2, title="!!!", subtitle=None)

    assert found_for(gone) == []


@pytest.mark.django_db
@pytest.mark.usefixtures("crowd")
def test_indexes_find_them_in_a_catalogue_of_any_size(lone: Callable[..., int]) -> None:
    with statements_noted() as asked:
        found_for(lone(1))
    [(_, values)] = [each for each in asked if each[0] == ASKED]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {ASKED}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert {"track_by_isrc", "track_by_wording"} <= set(plan.split())
    assert "Index Cond: (track_id = " in plan.replace("((", "(")
    assert "Seq Scan on catalogue_track" not in plan
