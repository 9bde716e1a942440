"""Nothing is taken for what it only looks like: every field of every JSON body, given every wrong type."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import uuid4

import pytest
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Listener
from catalogue.models import Track
from kernel.values import rfc3339
from playlists.models import Playlist
from subscriptions.models import Plan
from tests.helpers import Api, play

pytestmark = pytest.mark.django_db

WRONG: Final[dict[str, list[Any]]] = {
    "string": [5, 1.5, 0, True, [], ["x"], {}, {"x": "y"}],
    "integer": ["7", "", 7.5, 7.0, True, [7], {}],
    "boolean": ["true", "yes", "", 1, 0, 1.0, [True], {}],
    "array": ["x", 5, True, {"x": "y"}],
    "object": ["x", 5, True, ["x"]],
}
SCHEMA: Final[dict[str, Any]] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
BODIES: Final = {
    operation["operationId"]: (method, path.removeprefix("/api/v1/"), operation["requestBody"]["content"])
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
    if path.startswith("/api/v1/") and "requestBody" in operation
}
VERDICTS: Final = {"plays_report", "previews_report"}  # a bad one never costs a good one


def good(operation: str, track: Track) -> dict[str, Any]:
    """A body that nothing is wrong with."""
    now = timezone.now()
    dates = {"activated_at": now, "current_period_start": now, "expires_at": now + timedelta(days=20)}
    heard = play(track.pk, played_at=rfc3339(now - timedelta(minutes=5)))
    stream = {"track_id": track.pk, "format_id": 26, "client_id": "phone"}
    bodies: dict[str, dict[str, Any]] = {
        "device_offline": {"enabled": False},
        "download_issue": {"release_id": track.release_id, "format_id": 17},
        "offline_copy": stream,
        "playlist_add": {"track_ids": [track.pk]},
        "playlist_create": {"name": "Morning"},
        "playlist_move": {"item_ids": [str(uuid4())], "before": None},
        "plays_report": {"plays": [heard]},
        "previews_report": {"plays": [heard]},
        "stream_issue": stream,
        "subscription_check": {"plan_code": "premium-unlimited-streaming"}
        | {name: rfc3339(at) for name, at in dates.items()},
    }
    return bodies.get(operation, {})


def shape_of(schema: dict[str, Any]) -> dict[str, Any]:
    """What a schema says once its references are followed."""
    for inner in [schema, *schema.get("allOf", []), *schema.get("oneOf", [])]:
        if "$ref" in inner:
            schema = SCHEMA["components"]["schemas"][inner["$ref"].rpartition("/")[2]] | schema
    return schema


def places(schema: dict[str, Any], path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every place of a body, and what the document says may stand there."""
    shape = shape_of(schema)
    if path:
        yield path, shape
    if shape["type"] == "array":
        yield from places(shape["items"], (*path, 0))
    for name, inner in shape.get("properties", {}).items():
        yield from places(inner, (*path, name))


def with_wrong(body: dict[str, Any], path: tuple[Any, ...], wrong: Any) -> dict[str, Any]:
    """The body with something else in one place."""
    changed = place = copy.deepcopy(body)
    for step, following in pairwise(path):
        if isinstance(place, dict):
            place.setdefault(step, [{}] if following == 0 else {})
        place = place[step]
    place[path[-1]] = wrong
    return changed


def refused(operation: str, answer: Any) -> bool:
    """Whether the answer says that something is wrong with the body."""
    told = json.loads(answer.content)
    if operation in VERDICTS and answer.status_code == 200:
        return (told["accepted"], len(told["rejected"])) == (0, 1)
    return (answer.status_code, told.get("code")) == (400, "invalid_parameter")


@pytest.fixture
def call(api: Callable[[Listener], Api], subscriber: Listener) -> Callable[[str, Any], Any]:
    """Call an operation with a body, on a playlist and a device of the caller's."""
    phone, playlist = api(subscriber), Playlist.objects.create(owner=subscriber, name="Evening")

    def answer(operation: str, body: Any) -> Any:
        method, path, _ = BODIES[operation]
        path = path.format(playlist_id=playlist.pk, client_id="phone")
        return getattr(phone, method)(path, body, If_Match="*")

    return answer


@pytest.mark.parametrize("operation", sorted(BODIES))
def test_what_is_right_is_not_refused(call: Callable[[str, Any], Any], track: Track, operation: str) -> None:
    assert call(operation, good(operation, track)).status_code != 400


def test_a_number_is_no_plan_even_where_one_is_called_so(call: Callable[[str, Any], Any], track: Track) -> None:
    Plan.objects.create(code="5", name="Five")

    for code, status in (("5", 200), (5, 400)):
        assert call("subscription_check", good("subscription_check", track) | {"plan_code": code}).status_code == status


@pytest.mark.parametrize("operation", sorted(BODIES))
def test_every_wrong_type_is_refused(call: Callable[[str, Any], Any], track: Track, operation: str) -> None:
    body, taken = good(operation, track), []
    [content] = BODIES[operation][2].values()

    for path, shape in places(content["schema"]):
        for wrong in [*WRONG[shape["type"]], *([] if shape.get("nullable") else [None])]:
            answer = call(operation, with_wrong(body, path, wrong))
            if not refused(operation, answer):
                taken.append((path, wrong, answer.status_code, answer.content[:120]))

    assert taken == []
