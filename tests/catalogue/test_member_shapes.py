"""Schemas grow and fields go missing: what a member lacks or has too much of is taken, or named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.actions import apply_waiting
from catalogue.models import Offer, Release, Track
from tests.catalogue.conftest import Door
from tests.helpers import expect_problem, offer, release_event, stored_event, track_member
from web.bodies import parse_json

pytestmark = pytest.mark.django_db
WHOLE = release_event(2, gRid=None, courtesyLine="Ours", pdfBooklet={"id": 1, "name": "Booklet"})
TRACK = WHOLE["tracks"][0]
OFFER = offer()


def without(what: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in what.items() if name not in names}


def backwards(value: Any) -> Any:
    """The same with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {name: backwards(value[name]) for name in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def on_track(**changes: Any) -> Any:
    return WHOLE | {"tracks": [TRACK | changes]}


def on_offer(**changes: Any) -> Any:
    return on_track(subscriptionStreamingAvailability=[OFFER | changes])


NULLABLE = ["upc", "title", "subtitle", "genres", "type", "releaseDate", "duration", "label", "pLine", "cLine"]
LISTS = ["downloadAvailability", "subscriptionStreamingAvailability", "adSupportedStreamingAvailability", "tracks"]
LOOSE = [*NULLABLE, *LISTS, "explicitContent", "gRid", "courtesyLine", "pdfBooklet"]

TAKEN: dict[str, Any] = {
    "as documented": WHOLE,
    "keys in another order": backwards(WHOLE),
    "takedown false": WHOLE | {"takedown": False},
    "takedown null": WHOLE | {"takedown": None},
    "an unknown text": WHOLE | {"future": "x"},
    "an unknown null": WHOLE | {"future": None},
    "an unknown object": WHOLE | {"future": {"id": [1, {"a": None}]}},
    "unknown fields in track, artist and offer": on_track(
        future=1, artist=TRACK["artist"] | {"future": 1}, subscriptionStreamingAvailability=[OFFER | {"future": 1}]
    ),
    "a key that differs in case": WHOLE | {"Title": "Other", "ID": 9},
    "every optional null": WHOLE | dict.fromkeys(LOOSE),
    "every optional missing": without(WHOLE, *LOOSE),
    "every optional empty": WHOLE | {"title": "", "upc": "", "genres": [], "label": {}, "pdfBooklet": {}},
    "every optional of a track null": on_track(**dict.fromkeys(without(TRACK, "id"))),
    "every optional of a track missing": WHOLE | {"tracks": [{"id": TRACK["id"]}]},
    "a label without a licensor": WHOLE | {"label": {"id": 31, "name": "Quay"}},
    "a label of nulls": WHOLE | {"label": {"id": None, "name": None, "licensor": None}},
    "an offer without an end": on_track(subscriptionStreamingAvailability=[without(OFFER, "end")]),
    "an offer of what is sold": on_offer(currencyCode="GBP", priceCode="A1", packages=[{"id": 2, "formats": [17]}]),
    "an artist without a normalised name": WHOLE | {"artist": {"id": 501, "name": "The Lamplighters"}},
    "one track more": WHOLE | {"tracks": [TRACK, track_member(203, title="New")]},
}
NAMED: dict[str, tuple[Any, str]] = {
    "no id": (without(WHOLE, "id"), "id"),
    "no version": (without(WHOLE, "version"), "version"),
    "id null": (WHOLE | {"id": None}, "id"),
    "version null": (WHOLE | {"version": None}, "version"),
    "id a text": (WHOLE | {"id": "2"}, "id"),
    "id true": (WHOLE | {"id": True}, "id"),
    "no artist": (without(WHOLE, "artist"), "artist"),
    "an artist without an id": (WHOLE | {"artist": {"name": "A"}}, "id"),
    "an artist by name": (WHOLE | {"artist": "A"}, "artist"),
    "genres as text": (WHOLE | {"genres": "Pop"}, "genres"),
    "tracks as an object": (WHOLE | {"tracks": {"1": TRACK}}, "tracks"),
    "a track null": (WHOLE | {"tracks": [TRACK, None]}, "tracks"),
    "a track without an id": (on_track(id=None), "id"),
    "an offer null": (on_track(subscriptionStreamingAvailability=[None]), "availability"),
    "an offer without a start": (on_offer(start=None), "start"),
    "an offer for nowhere": (on_offer(territories=[]), "territories"),
    "an offer without territories": (on_offer(territories=None), "territories"),
}
DOUBLED: dict[str, bytes] = {
    "the id twice": json.dumps(WHOLE).encode().replace(b'"id": 2', b'"id": 2, "id": 2'),
    "the title twice": json.dumps(WHOLE).encode().replace(b'"gRid"', b'"title": "Other", "gRid"'),
    "the takedown twice": b'{"id": 2, "version": 1, "takedown": false, "takedown": true}',
}


def test_the_shapes_are_40() -> None:
    assert len(TAKEN) + len(NAMED) + len(DOUBLED) == 40


@pytest.mark.parametrize("member", TAKEN.values(), ids=TAKEN)
def test_is_taken(door: Door, member: Any) -> None:
    event = door.bring(release_event(1), member, release_event(3))

    assert (event.state, event.outcome) == ("APPLIED", {"applied": 3, "refused": []})
    release = Release.objects.get(pk=2)
    assert release.title == (member.get("title") or "")
    assert release.artist is not None
    assert release.artist.name == "The Lamplighters"
    tracks = list(Track.objects.standing().filter(release=2).order_by("pk").values_list("pk", flat=True))
    assert tracks == [track["id"] for track in member.get("tracks") or []]


@pytest.mark.parametrize(("member", "field"), NAMED.values(), ids=NAMED)
def test_is_named_and_costs_its_neighbours_nothing(door: Door, member: Any, field: str) -> None:
    event = door.bring(release_event(1), member, release_event(3))

    assert (event.state, event.outcome["applied"]) == ("PARTLY", 2)
    assert [(no["index"], no["reason"].partition(":")[0]) for no in event.outcome["refused"]] == [(1, field)]
    assert set(Release.objects.values_list("pk", flat=True)) == {1, 3}


@pytest.mark.parametrize("member", DOUBLED.values(), ids=DOUBLED)
def test_a_key_twice_says_two_things_and_is_refused(door: Door, member: bytes) -> None:
    expect_problem(door.post(b"[" + member + b"]"), 400, "invalid_json")
    apply_waiting()
    assert not Release.objects.exists()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a member something stands: keys and indexes, from the outside in."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def put(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The member with something else at one place."""
    if not path:
        return other
    copy = value.copy()
    copy[path[0]] = put(value[path[0]], path[1:], other)
    return copy


PLACES = sorted(places(WHOLE | {"takedown": None, "future": {"x": 1}}), key=str)
SCALARS = (
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.integers(-(10**30), 10**30) | st.text(st.characters(categories=["Cs", "Cc"]), max_size=3)
    | st.sampled_from(["0001-01-01", "9999-12-31T23:59:59.9999999", "2025-03-07T00:00:00+23:59", "GB", -1, 2**31 - 1])
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("id"), inner, max_size=3),
    max_leaves=6,
)
SPOILT = st.builds(put, st.just(WHOLE | {"takedown": None, "future": {"x": 1}}), st.sampled_from(PLACES), ANYTHING)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SPOILT, max_size=6))
def test_no_member_whatever_its_shape_stops_its_neighbours(db: None, spoilt: list[Any]) -> None:
    Offer.objects.all().delete()
    Release.objects.filter(pk__in=[1, 3]).update(version=-1)

    body = json.dumps([release_event(1), *spoilt, release_event(3)]).encode()
    event = stored_event(body=body, members=parse_json(body, texts=False))
    apply_waiting()

    event.refresh_from_db()
    assert event.state in {"APPLIED", "PARTLY"}, event.last_error
    assert "PostgreSQL" not in json.dumps(event.outcome)
    assert Release.objects.filter(pk__in=[1, 3], version__gte=1).count() == 2
