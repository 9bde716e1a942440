"""The mirror ends in the same state whatever order, and however often, events arrive."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.actions import apply_batch, apply_event, taken_lock
from catalogue.events import EventRefused, read_member
from catalogue.models import Artist, CatalogueEvent, Offer, Region, Release, Track
from tests.helpers import apply_member, apply_members, offer, release_event, stored_event, track_member

pytestmark = pytest.mark.django_db


def state() -> dict[str, Any]:
    """Everything phones could tell apart."""
    return {
        "releases": list(
            Release.objects.order_by("pk").values("pk", "version", "title", "artist", "genres", "explicit")
        ),
        "down": list(Release.objects.exclude(taken_down_at=None).values_list("pk", flat=True)),
        "tracks": list(Track.objects.order_by("pk").values("pk", "title", "release", "duration_seconds")),
        "gone": list(Track.objects.exclude(gone_at=None).order_by("pk").values_list("pk", flat=True)),
        "offers": sorted(
            map(str, Offer.objects.values_list("release", "track", "use", "region__territories", "starts_at"))
        ),
        "artists": list(Artist.objects.order_by("pk").values("pk", "name")),
    }


def apply(*members: Any) -> list[str]:
    return [apply_member(member) for member in members]


def test_writes_a_whole_release(db: None) -> None:
    tracks = [track_member(11, downloadAvailability=[offer(["GB"], "2025-03-07T00:00:00Z", "2026-01-01T00:00:00Z")])]

    assert apply(release_event(tracks=tracks)) == ["applied"]

    release = Release.objects.get(pk=7001001)
    assert (release.title, release.upc, release.label, release.licensor_id) == (
        "Harbour Lights", "5050000000017", "Quay", 4,
    )  # fmt: skip
    assert release.artist is not None
    assert release.artist.name == "The Lamplighters"
    track = Track.objects.get(pk=11)
    assert (track.title, track.subtitle, track.isrc, track.duration_seconds) == ("Tide", "", "GBQQQ2500011", 204)
    assert {(each.use, tuple(each.region.territories)) for each in track.offers.all()} == {
        ("STREAM", ("DE", "FR", "GB", "IE")),
        ("DOWNLOAD", ("GB",)),
    }


def test_offers_of_the_same_territories_share_one_region() -> None:
    apply(release_event(tracks=[track_member(n, offers=[offer(list(mixed))]) for n, mixed in enumerate(MIXED, 1)]))

    region = Region.objects.get(territories__contains=["US"])
    assert region.territories == ["FR", "GB", "US"]
    with connection.cursor() as cursor:  # as the migration computes it
        cursor.execute("SELECT ('x' || substr(md5('FR,GB,US'), 1, 15))::bit(60)::bigint")
        assert cursor.fetchone() == (region.pk,)


MIXED = [["GB", "US", "FR"], ["FR", "GB", "US"], ["US", "FR", "GB", "US"]]
HISTORY = [
    release_event(version=1, title="One"),
    release_event(version=2, title="Two", tracks=release_event()["tracks"][:1]),
    {"id": 7001001, "version": 3, "takedown": True},
    release_event(version=4, title="Four"),
    release_event(version=5, title="Five", tracks=[track_member(1, offers=[])]),
    {"id": 7001001, "version": 6, "takedown": True},
]


def test_a_takedown_is_not_undone_by_an_older_event() -> None:
    assert apply(HISTORY[2], HISTORY[1], HISTORY[0]) == ["applied", "stale", "stale"]
    assert not Track.objects.standing().exists()


def test_a_takedown_is_undone_by_a_newer_one() -> None:
    assert apply(HISTORY[0], HISTORY[2], HISTORY[3]) == ["applied"] * 3
    assert Track.objects.standing().count() == 2


def test_the_same_event_again_changes_nothing() -> None:
    assert apply(release_event(), dict(reversed(release_event().items()))) == ["applied", "stale"]


def test_other_content_under_the_same_version_is_a_conflict_and_the_first_stands() -> None:
    assert apply(release_event(title="First"), release_event(title="Second")) == ["applied", "conflict"]
    assert Release.objects.get().title == "First"


def test_a_conflict_within_one_body_is_one_too() -> None:
    outcome = apply_members([release_event(title="First"), release_event(title="Second")])

    assert outcome == {"applied": 1, "refused": [], "conflicts": [7001001]}


def test_an_artist_is_called_what_the_highest_version_says_even_a_stale_one() -> None:
    def named(name: str) -> dict[str, Any]:
        return {"artist": {"id": 501, "name": name}, "tracks": []}

    newer = release_event(1, version=5, artist={"id": 9, "name": "Other"}, tracks=[])
    apply(newer, release_event(1, version=4, **named("The Newest")), release_event(2, version=3, **named("The Oldest")))

    assert Artist.objects.get(pk=501).name == "The Newest"


def test_changes_are_numbered_as_they_become_visible() -> None:
    apply(release_event(1), release_event(2), release_event(1, version=2))
    first, second = Release.objects.get(pk=1), Release.objects.get(pk=2)

    assert first.arrival is not None
    assert second.arrival is not None
    assert first.arrival < second.arrival == second.change
    assert first.change is not None
    assert first.change > second.change
    apply({"id": 1, "version": 3, "takedown": True}, release_event(1, version=4))
    assert Release.objects.filter(pk=1, arrival=F("change"), change__gt=first.change).exists()


def test_a_track_that_a_newer_snapshot_drops_is_gone() -> None:
    apply(release_event(version=1), release_event(version=2, tracks=release_event()["tracks"][1:]))

    assert list(Track.objects.standing().values_list("title", flat=True)) == ["Lantern Street"]
    assert Track.objects.count() == 2


@pytest.mark.parametrize("value", [[], None, ...])
def test_no_offers_means_not_for_that_use(value: Any) -> None:
    track = track_member(11)
    track["subscriptionStreamingAvailability"] = value
    apply(release_event(tracks=[{name: field for name, field in track.items() if field is not ...}]))

    assert not Offer.objects.filter(track_id=11).exists()


TEST_EVENTS = [
    release_event(-1),
    {"id": -2, "version": 1, "upc": None, "title": None, "artist": None},
    {"id": -3, "version": 9, "takedown": True},
]


def test_test_events_leave_nothing_behind() -> None:
    assert apply(*TEST_EVENTS) == ["test"] * 3
    assert state() == {name: [] for name in state()}


def test_unknown_null_and_absent_fields_are_tolerated() -> None:
    event = {
        "id": 5, "version": 1, "artist": {"id": 1, "name": "Solo", "mood": "blue"}, "future": {"field": [1]},
        "tracks": [{"id": 6, "title": "Only"}], "title": None, "genres": None, "label": None,
    }  # fmt: skip

    assert apply(event) == ["applied"]
    assert Track.objects.get(pk=6).artist.name == "Solo"


REFUSED: list[tuple[Any, str]] = [
    (None, "object"),
    ({"version": 1}, "id"),
    (release_event(0), "id"),
    (release_event(2**31), "id"),
    (release_event(version=-1), "version"),
    (release_event(version=2**63), "version"),
    (release_event(version="7"), "version"),
    (release_event(artist=None), "artist"),
    (release_event(artist={"id": "x", "name": "A"}), "id"),
    (release_event(title=["a"]), "title"),
    (release_event(releaseDate="soon"), "releaseDate"),
    (release_event(tracks={}), "tracks"),
    (release_event(tracks=[7]), "tracks"),
    (release_event(tracks=[track_member(1, duration=-1)]), "duration"),
    (release_event(tracks=[track_member(1, offers=[offer(["gb"])])]), "territories"),
    (release_event(tracks=[track_member(1, offers=[offer([])])]), "territories"),
    (release_event(tracks=[track_member(1, offers=[offer([{}])])]), "territories"),
    (release_event(tracks=[track_member(1, offers=[offer(start="never")])]), "start"),
    (release_event(tracks=[track_member(1, offers=[offer(end="2019-01-01T00:00:00Z")])]), "end"),
]


@pytest.mark.parametrize(("member", "field"), REFUSED)
def test_a_member_that_makes_no_sense_is_refused_by_name(member: Any, field: str) -> None:
    with pytest.raises(EventRefused, match=field):
        read_member(member)


def test_a_refused_member_costs_the_others_nothing() -> None:
    outcome = apply_members([release_event(1), release_event(2, title=7), release_event(3)])

    assert outcome == {
        "applied": 2,
        "refused": [{"index": 1, "reason": "title: must be a text without NUL or half characters"}],
    }
    assert set(Release.objects.values_list("pk", flat=True)) == {1, 3}


@pytest.mark.parametrize("cut", [b"\\u0000", b"\\ud83d", b"half\\udc00"])
def test_a_text_that_cannot_be_stored_costs_its_member_alone(cut: bytes) -> None:
    body = json.dumps([release_event(1), release_event(2, title="CUT"), release_event(3)]).encode().replace(b"CUT", cut)
    event = stored_event(body=body, members=json.loads(body))

    assert apply_event(event_id=event.pk) == "PARTLY"
    event.refresh_from_db()
    assert [no["index"] for no in event.outcome["refused"]] == [1]
    assert set(Release.objects.values_list("pk", flat=True)) == {1, 3}


def test_a_stored_body_is_applied_once() -> None:
    event = stored_event(body=json.dumps([release_event(), None]).encode(), members=[release_event(), None])

    assert apply_event(event_id=event.pk) == "PARTLY"
    assert apply_event(event_id=event.pk) is None
    assert CatalogueEvent.objects.get().outcome == {
        "applied": 1,
        "refused": [{"index": 1, "reason": "the member is not an object"}],
    }


def test_territories_nobody_can_live_in_are_passed_over() -> None:
    apply(release_event(tracks=[track_member(1, offers=[offer(["GB", "XK"]), offer(["XK"])])]))

    assert [each.region.territories for each in Offer.objects.filter(track_id=1)] == [["GB"]]


def test_an_end_in_the_year_9999_is_no_end() -> None:
    apply(release_event(tracks=[track_member(1, offers=[offer(end="9999-12-31T23:59:59.9999999")])]))

    assert Offer.objects.get(track_id=1).ends_at is None


def test_a_batch_takes_many_bodies_and_one_transaction(django_assert_max_num_queries: Any) -> None:
    for number in range(1, 41):
        stored_event(body=json.dumps([release_event(number)]).encode(), members=[release_event(number)])

    with django_assert_max_num_queries(40):
        assert apply_batch() == 40
    assert Release.objects.count() == 40
    assert apply_batch() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("apply_now", [apply_batch, lambda: apply_event(event_id=CatalogueEvent.objects.get().pk)])
def test_nobody_applies_while_another_applier_is_at_it(apply_now: Any) -> None:
    stored_event(body=json.dumps([release_event()]).encode(), members=[release_event()])
    taken, done = threading.Event(), threading.Event()

    def another() -> None:
        try:
            with transaction.atomic():
                assert taken_lock()
                taken.set()
                done.wait(10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=another)
    thread.start()
    try:
        assert taken.wait(10)
        assert not apply_now()
        assert not Release.objects.exists()
    finally:
        done.set()
        thread.join(10)
    assert apply_now()
    assert Release.objects.count() == 1


def test_hostile_titles_are_kept_as_text() -> None:
    title = "<script>alert(1)</script> ‮RTL"
    apply(release_event(tracks=[track_member(1, title=title)]))

    assert Track.objects.get(pk=1).title == title


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_shuffle_with_repeats_ends_alike(data: st.DataObject) -> None:
    versions = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    for model in (Offer, Track, Release, Artist):
        model.objects.all().delete()

    apply(*(HISTORY[version - 1] for version in versions))

    newest = HISTORY[max(versions) - 1]
    release = Release.objects.get()
    assert release.version == max(versions)
    assert (release.taken_down_at is not None) == ("takedown" in newest)
    if "takedown" not in newest:
        assert release.title == newest["title"]
        standing = list(Track.objects.standing().order_by("pk").values_list("pk", flat=True))
        assert standing == [member["id"] for member in newest["tracks"]]
