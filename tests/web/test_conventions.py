"""What holds for every path of the API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import get_resolver
from django.utils import timezone
from pytest_django import Settings

from accounts.actions import close_account
from accounts.models import Listener
from catalogue.models import Track
from playlists.models import Playlist
from tests.helpers import Api, expect_problem

pytestmark = pytest.mark.django_db

NOBODYS = "00000000-0000-0000-0000-000000000007"
PATHS = [
    f"me/exports/{NOBODYS}", "me", "catalogue/search?q=a", "catalogue/tracks?ids=1", "catalogue/tracks/1",
    "catalogue/tracks/1/availability", "catalogue/tracks/1/preview",
    "catalogue/releases", "catalogue/releases/1", "catalogue/artists/1",
    "catalogue/artists/1/releases", "catalogue/changes", "subscription", "subscription/history", "streams/current",
    "plays", "devices", "offline/manifest?client_id=phone", "streams/events?client_id=phone", "playlists",
    "playlists/featured", f"playlists/{NOBODYS}", f"playlists/{NOBODYS}/items", "purchases", f"purchases/{NOBODYS}",
    f"purchases/{NOBODYS}/receipt", "locker",
]  # fmt: skip
OTHER_METHODS = {
    "streams", "subscriptions/check", "me/exports", "devices/phone", "devices/phone/offline", "offline/copies",
    "offline/copies/1", "downloads", "previews",
    f"playlists/{NOBODYS}/items/move", f"playlists/{NOBODYS}/items/{NOBODYS}",
}  # fmt: skip
PUBLIC = ["config", "schema", "docs", "plans"]


def test_every_route_is_known_to_these_tests() -> None:
    """A new route must be declared here, closed or public."""
    resolver = next(entry for entry in get_resolver().url_patterns if str(entry.pattern) == "api/v1/")
    routes = {str(entry.pattern).replace("<int:track_id>", "1") for entry in resolver.url_patterns}
    routes = {route.replace("<int:release_id>", "1").replace("<int:artist_id>", "1") for route in routes}
    routes = {re.sub("<opaque:[a-z_]+>", NOBODYS, route) for route in routes}
    routes = {route.replace("<path:client_id>", "phone") for route in routes}
    known = {path.split("?")[0] for path in PATHS} | set(PUBLIC) | OTHER_METHODS

    assert routes == known


@pytest.mark.parametrize("path", PATHS)
def test_is_closed_to_strangers(stranger: Api, path: str) -> None:
    response = stranger.get(path)

    expect_problem(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", PATHS)
def test_is_closed_to_whoever_has_left(api: Any, listener: Listener, path: str) -> None:
    """Their tokens outlive the account by some minutes."""
    phone = api(listener)
    close_account(listener=listener, now=timezone.now())

    expect_problem(phone.get(path), 401, "not_authenticated")


def test_nothing_is_made_by_whoever_has_left(api: Any, listener: Listener) -> None:
    phone = api(listener)
    close_account(listener=listener, now=timezone.now())

    expect_problem(phone.post("playlists", {"name": "After"}), 401, "not_authenticated")
    expect_problem(phone.post("previews", {"plays": []}), 401, "not_authenticated")
    assert not Playlist.objects.exists()


@pytest.mark.parametrize("thing", ["playlists/{}", "playlists/{}/items", "purchases/{}", "purchases/{}/receipt"])
def test_what_cannot_be_an_id_leads_to_nothing_like_any_other(api: Any, listener: Listener, thing: str) -> None:
    phone = api(listener)
    nobodys = json.loads(phone.get(thing.format(NOBODYS)).content)

    for id_ in ("abc", "7", "%00", NOBODYS[:-1], NOBODYS + "7", "%E2%82%AC"):
        told = json.loads(phone.get(thing.format(id_)).content)
        assert told | {"trace_id": ""} == nobodys | {"trace_id": ""}


@pytest.mark.parametrize("path", PUBLIC)
def test_is_open_to_everybody(stranger: Api, path: str) -> None:
    assert stranger.get(path).status_code == 200


@pytest.mark.parametrize("path", [*PATHS, *PUBLIC])
def test_every_answer_carries_a_request_id(stranger: Api, path: str) -> None:
    assert len(stranger.get(path).headers["X-Request-Id"]) >= 8


@pytest.mark.parametrize(
    ("given", "kept"), [("abcdefgh-1", True), ("short", False), ("x" * 65, False), ("a b c d e f", False)]
)
def test_takes_a_harmless_request_id_from_the_caller(stranger: Api, given: str, kept: bool) -> None:
    assert (stranger.get("config", X_Request_Id=given).headers["X-Request-Id"] == given) is kept


def test_an_unknown_path_is_a_problem_too(stranger: Api) -> None:
    expect_problem(stranger.get("nothing"), 404, "not_found")
    expect_problem(stranger.get("/nothing/"), 404, "not_found")


@pytest.mark.parametrize("path", ["catalogue/tracks/1", f"playlists/{NOBODYS}", "catalogue/search"])
def test_a_refusal_is_no_state_to_be_named(api: Any, listener: Listener, path: str) -> None:
    assert "ETag" not in api(listener).get(path).headers


def test_there_are_no_trailing_slashes(stranger: Api) -> None:
    expect_problem(stranger.get("config/"), 404, "not_found")


@pytest.mark.parametrize("path", ["config", "plans", "streams"])
def test_a_method_that_makes_no_sense_is_refused(api: Any, listener: Listener, path: str) -> None:
    expect_problem(api(listener).delete(path), 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["streams", "plays", "subscriptions/check", "offline/copies"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_speaks_json_only(api: Any, subscriber: Listener, path: str, content_type: str) -> None:
    expect_problem(api(subscriber).post(path, b"x", Content_Type=content_type), 415, "unsupported_media_type")


JSON_PATHS = ["streams", "plays", "subscriptions/check", "offline/copies", "playlists", "previews", "downloads"]


@pytest.mark.parametrize("path", JSON_PATHS)
@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "us-ascii", '"latin-1"', ""])
def test_speaks_utf_8_only(api: Any, subscriber: Listener, path: str, charset: str) -> None:
    answer = api(subscriber).post(path, {}, Content_Type=f"application/json; charset={charset}")

    expect_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("path", JSON_PATHS)
@pytest.mark.parametrize("charset", ["charset=utf-8", "charset=UTF-8", 'Charset="Utf-8"', "profile=x"])
def test_does_not_mind_how_utf_8_is_named(api: Any, subscriber: Listener, path: str, charset: str) -> None:
    answer = api(subscriber).post(path, {}, Content_Type=f"Application/JSON; {charset}")

    expect_problem(answer, 400, "missing_parameter")


@pytest.mark.parametrize("path", JSON_PATHS)
@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip"])
def test_an_encoding_it_cannot_undo_is_unsupported(api: Any, subscriber: Listener, path: str, encoding: str) -> None:
    expect_problem(api(subscriber).post(path, {}, Content_Encoding=encoding), 415, "unsupported_content_encoding")


def test_refuses_a_body_by_its_announced_length(api: Any, listener: Listener) -> None:
    expect_problem(api(listener).patch("me", b" " * 65537), 413, "body_too_large")


def test_limits_what_one_listener_asks(api: Any, listener: Listener, make_listener: Any, settings: Settings) -> None:
    settings.LIMITS = settings.LIMITS | {"api": (3, 86_400)}

    statuses = [api(listener).get("me").status_code for _ in range(5)]
    refused = api(listener).get("me")

    assert statuses.count(200) == 3
    expect_problem(refused, 429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 86_400
    assert api(make_listener()).get("me").status_code == 200


def test_limits_without_valkey_too(api: Any, listener: Listener, settings: Settings) -> None:
    settings.LIMITS = settings.LIMITS | {"api": (3, 86_400)}
    cache._away_until = float("inf")  # type: ignore[attr-defined]
    try:
        statuses = [api(listener).get("me").status_code for _ in range(5)]
    finally:
        cache._away_until = 0.0  # type: ignore[attr-defined]

    assert statuses.count(200) == 3


def test_a_forwarded_address_is_not_believed_without_a_proxy(stranger: Api, settings: Settings) -> None:
    settings.LIMITS = settings.LIMITS | {"api": (3, 86_400)}

    statuses = [stranger.get("config", X_Forwarded_For=f"10.0.0.{number}").status_code for number in range(5)]

    assert statuses.count(429) == 2


def test_config_tells_apps_what_they_need(stranger: Api) -> None:
    facts = json.loads(stranger.get("config").content)

    assert set(facts) == {
        "server_time", "min_app_version", "formats", "plans", "limits", "plays_per_request", "stream_block_seconds",
        "stream_url_seconds", "image_sizes",
    }  # fmt: skip
    assert facts["server_time"].endswith("Z")
    assert facts["plays_per_request"] == 500
    assert {"id": 26, "codec": "MP3", "bitrate": 128, "mime_type": "audio/mpeg", "streamable": True,
            "downloadable": False} in facts["formats"]  # fmt: skip
    assert [plan["code"] for plan in facts["plans"]] == [
        "premium-unlimited-streaming", "standard-unlimited-streaming", "trial-unlimited-streaming",
    ]  # fmt: skip


def test_a_bug_is_our_fault_and_says_nothing_more(
    api: Any, listener: Listener, track: Track, settings: Settings
) -> None:
    settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {"image_url": None}
    phone = api(listener)
    phone.client.raise_request_exception = False
    settings.LIMITS = {}  # a KeyError in every view

    body = expect_problem(phone.get("me"), 500, "internal_error")

    assert "KeyError" not in json.dumps(body)


def test_the_documentation_is_served_by_ourselves(stranger: Api) -> None:
    page = stranger.get("docs").content.decode()

    assert "http://" not in page.replace("http://testserver", "")
    assert "https://" not in page


HOSTILE_QUERIES = [
    "q=%00",
    "limit=%F0%9F%92%A9",
    "limit=" + "9" * 400,
    "cursor=" + "A" * 3000,
    "q=%ED%A0%80",
    "limit[]=1",
]


@pytest.mark.parametrize("query", HOSTILE_QUERIES)
@pytest.mark.parametrize(
    "path", ["catalogue/search", "plays", "catalogue/tracks", "streams/current", "devices", "offline/manifest"]
)
def test_no_query_makes_a_500(api: Callable[[Listener], Api], listener: Listener, path: str, query: str) -> None:
    assert api(listener).get(f"{path}?{query}").status_code < 500
