"""Enhanced metadata enriches tracks we know, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalogue.actions import apply_batch
from catalogue.models import CatalogueEvent, Track, TrackTags
from tests.helpers import apply_member, release_event, stored_event, track_member

pytestmark = pytest.mark.django_db


def tags(track_id: Any = 1, *, version: Any = 1, release_id: Any = 7, **said: Any) -> dict[str, Any]:
    return {"version": version, "releaseId": release_id, "trackId": track_id} | (said or {"mood": ["calm"]})


def told(*members: Any) -> dict[str, Any]:
    """The outcome of one enhanced body."""
    body = json.dumps(members).encode()
    event = stored_event(body=body, members=json.loads(body), kind="enhanced")
    apply_batch()
    event.refresh_from_db()
    return event.outcome


@pytest.fixture
def shelf(db: None) -> None:
    apply_member(release_event(7, tracks=[track_member(1), track_member(2)]))


@pytest.mark.usefixtures("shelf")
def test_keeps_the_tags_of_the_highest_version() -> None:
    assert told(tags(version=2, mood=["calm"])) == {"applied": 1, "refused": []}
    assert told(tags(version=1, mood=["loud"])) == {"stale": 1, "refused": []}
    assert told(tags(version=3, genre={"main": "Folk"}), tags(version=4), tags(version=3)) == {
        "applied": 1, "stale": 2, "refused": [],
    }  # fmt: skip
    assert (TrackTags.objects.get().version, TrackTags.objects.get().tags) == (4, {"mood": ["calm"]})


@pytest.mark.usefixtures("shelf")
def test_enriches_only_what_is_known() -> None:
    assert told(tags(99), tags(1, release_id=8), tags(2)) == {"applied": 1, "unknown": 2, "refused": []}
    assert Track.objects.count() == 2


@pytest.mark.usefixtures("shelf")
def test_a_body_of_both_kinds_of_tests_and_nonsense() -> None:
    outcome = told(
        tags(-5), None, {"version": 1, "releaseId": 7, "trackId": 1}, tags(version="x"), tags(mood="a\u0000")
    )

    assert outcome["test"] == 1
    assert [no["index"] for no in outcome["refused"]] == [1, 2, 3, 4]
    assert not TrackTags.objects.exists()


def test_tags_of_a_release_that_comes_in_the_same_batch_find_it() -> None:
    for kind, member in (("enhanced", tags()), ("standard", release_event(7, tracks=[track_member(1)]))):
        body = json.dumps([member]).encode()
        stored_event(body=body, members=[member], kind=kind)

    assert apply_batch() == 2
    assert TrackTags.objects.count() == 1
    assert set(CatalogueEvent.objects.values_list("state", flat=True)) == {"APPLIED"}
