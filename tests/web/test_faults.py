"""Whatever is missing or wrong is named, in bodies, in queries and in headers alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import Listener
from playlists.models import Playlist
from tests.helpers import Api, expect_problem

pytestmark = pytest.mark.django_db

TWICE = str(uuid4())
QUERIES = [
    ("plays?limit=0", "limit"), ("plays?limit=x", "limit"), ("plays?from=x", "from"), ("plays?to=2026-01-01", "to"),
    ("locker?sort=x", "sort"), ("locker?page=0", "page"), ("locker?page_size=51", "page_size"),
    ("locker?release_id=x", "release_id"), ("locker?purchase_id=x", "purchase_id"),
    ("catalogue/search", "q!"), ("catalogue/search?q=" + "a" * 201, "q"), ("catalogue/search?q=a&type=x", "type"),
    ("catalogue/tracks", "ids!"), ("catalogue/tracks?ids=x", "ids"), ("catalogue/tracks?isrc=%C3%A9", "isrc"),
    ("catalogue/tracks/1/availability?use=x", "use"), ("catalogue/tracks/1/availability?country=gb", "country"),
    ("catalogue/tracks/1/availability?at=x", "at"), ("catalogue/releases?order=x", "order"),
    ("catalogue/releases?genre=" + "a" * 513, "genre"), ("catalogue/releases?upc=%20", "upc"),
    ("offline/manifest", "client_id!"), ("offline/manifest?client_id=%07", "client_id"),
    ("streams/events", "client_id!"), ("streams/events?client_id=" + "a" * 256, "client_id"),
    ("playlists/featured?locale=%20", "locale"),
]  # fmt: skip
BODIES: list[tuple[str, str, Any, str]] = [
    ("post", "plays", {}, "plays!"), ("post", "plays", {"plays": []}, "plays"), ("post", "plays", [], ""),
    ("post", "plays", {"plays": "x"}, "plays"), ("post", "plays", {"plays": [], "sent_at": "x"}, "sent_at"),
    ("post", "streams", {"client_id": "phone", "format_id": 26}, "track_id!"), ("post", "playlists", {}, "name!"),
    ("post", "playlists/{}/items", {}, "track_ids!"),
    ("post", "playlists/{}/items/move", {"item_ids": [TWICE, TWICE], "before": None}, "item_ids"),
    ("post", "playlists/{}/items/move", {"item_ids": [TWICE], "before": TWICE}, "before"),
    ("put", "devices/%07", {}, "client_id"), ("patch", "me", [], ""), ("patch", "me", {"country": "XX"}, "country"),
]  # fmt: skip


def check_fault(answer: Any, field: str) -> None:
    """The problem points at the field; one with an exclamation mark is missing."""
    code = "missing_parameter" if field.endswith("!") else "invalid_parameter"
    name = field.rstrip("!")

    problem = expect_problem(answer, 400, code)

    [fault] = problem["errors"]
    assert (fault["pointer"], fault["code"]) == (f"/{name}" if name else "", code)
    assert problem["detail"] in {f"{name or 'body'}: {fault['detail']}", fault["detail"]}
    assert problem["platform_code"] == (1001 if field.endswith("!") else 1002)
    assert not fault["detail"].startswith(name or "body")


@pytest.mark.parametrize(("path", "field"), QUERIES)
def test_a_query_is_told_what_is_wrong_with_it(
    api: Callable[[Listener], Api], listener: Listener, path: str, field: str
) -> None:
    check_fault(api(listener).get(path), field)


@pytest.mark.parametrize(("method", "path", "body", "field"), BODIES)
def test_a_body_is_told_what_is_wrong_with_it(
    api: Callable[[Listener], Api], listener: Listener, method: str, path: str, body: Any, field: str
) -> None:
    playlist = Playlist.objects.create(owner=listener, name="Morning")

    check_fault(getattr(api(listener), method)(path.format(playlist.pk), body, If_Match="*"), field)


def test_a_header_is_told_what_is_wrong_with_it(api: Callable[[Listener], Api], listener: Listener) -> None:
    playlist = Playlist.objects.create(owner=listener, name="Morning")

    check_fault(api(listener).delete(f"playlists/{playlist.pk}", If_Match="1"), "If-Match")
