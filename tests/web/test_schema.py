"""What the OpenAPI document says beyond the types: what always comes, what may be left out, tags and problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Listener
from catalogue.models import Track
from kernel.values import INT32
from playlists.models import Item, Playlist
from tests.helpers import Api, expect_problem

pytestmark = pytest.mark.django_db

SCHEMA: Final[dict[str, Any]] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
SHAPES: Final[dict[str, Any]] = SCHEMA["components"]["schemas"]
ALWAYS: Final = {"type", "title", "status", "detail", "code", "trace_id"}
SOMETIMES: Final = {
    "Problem": set(SHAPES["Problem"]["properties"]) - ALWAYS,
    "ReleasePage": {"missing"},
}
TAGGED: Final = {
    operation["operationId"]: (method, path.removeprefix("/api/v1/"), operation)
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
    if path.startswith(("/api/v1/catalogue/", "/api/v1/playlists"))
}
QUERIES: Final = {"catalogue_search": "?q=tide", "catalogue_tracks": "?ids=100101"}
BODIES: Final[dict[str, Callable[[Track, Item], Any]]] = {
    "playlist_create": lambda track, item: {"name": "Morning"},
    "playlist_change": lambda track, item: {"name": "Morning"},
    "playlist_add": lambda track, item: {"track_id": track.pk},
    "playlist_move": lambda track, item: {"item_ids": [str(item.pk)], "before": None},
}


@pytest.mark.parametrize("name", sorted(name for name in SHAPES if not name.endswith("Request")))
def test_what_always_comes_is_said_to(name: str) -> None:
    shape = SHAPES[name]

    assert set(shape.get("properties", {})) - set(shape.get("required", [])) == SOMETIMES.get(name, set())


@pytest.mark.parametrize("operation", sorted(TAGGED))
def test_tags_are_where_they_are_said_to_be(
    api: Callable[[Listener], Api], subscriber: Listener, track: Track, operation: str
) -> None:
    phone, playlist = api(subscriber), Playlist.objects.create(owner=subscriber, name="Evening", track_count=1)
    item = Item.objects.create(playlist=playlist, track=track, position=1)
    method, path, told = TAGGED[operation]
    ids = {"artist_id": track.artist_id, "release_id": track.release_id, "playlist_id": playlist.pk}
    path = path.format(track_id=track.pk, item_id=item.pk, **ids) + QUERIES.get(operation, "")

    body = {"body": BODIES[operation](track, item)} if operation in BODIES else {}
    answer = getattr(phone, method)(path, **body, If_Match="*")

    described = told["responses"][str(answer.status_code)]
    assert ("ETag" in answer.headers) == ("ETag" in described.get("headers", {}))
    if method == "get" and "ETag" in answer.headers:
        again = phone.get(path, If_None_Match=answer.headers["ETag"])
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
        assert set(told["responses"]["304"]) == {"description", "headers"}
        assert "If-None-Match" in {each["name"] for each in told["parameters"]}


def test_a_play_is_documented_with_the_bounds_that_it_has() -> None:
    play = SHAPES["PlayInputRequest"]["properties"]

    assert {play[name]["maximum"] for name in ("track_id", "release_id", "format_id")} == {INT32}
    assert play["seconds_played"]["maximum"] == 24 * 3600
    assert not any("minLength" in play[name] for name in ("user_agent", "source", "source_id"))


def test_a_verdict_is_documented_with_its_rules() -> None:
    items = SHAPES["Availability"]["properties"]["reasons"]["items"]

    assert set(SHAPES[items["$ref"].rpartition("/")[2]]["properties"]) == {"rule", "holds", "detail"}


def test_problems_are_documented_with_members_of_their_own(api: Callable[[Listener], Api], listener: Listener) -> None:
    described = SHAPES["Problem"]["properties"]
    playlist = Playlist.objects.create(owner=listener, name="Morning")

    answer = api(listener).patch(f"playlists/{playlist.pk}", {"name": "Noon"}, If_Match='"7"')

    problem = expect_problem(answer, 412, "playlist_changed")
    assert set(problem) <= set(described)
    assert described["current"]["allOf"] == [{"$ref": "#/components/schemas/Playlist"}]
    assert set(SHAPES["Playlist"]["required"]) == set(problem["current"])
    assert {"limit", "closed_at", "missing", "item_ids"} < set(described)
