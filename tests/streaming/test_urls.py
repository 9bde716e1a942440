"""The URLs that devices are given: for one of them, for one track, for a while, and to be seen by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
import requests
from django.conf import settings

from catalogue.models import Track
from outbox.platform import platform
from tests.helpers import Api, apply_member, expect_problem, release_event, track_member
from tests.sandbox.platform import Platform, error_of, eventually
from tests.streaming.conftest import body_of

pytestmark = pytest.mark.django_db
EVE = "https://eve.example/"
NAMES = ["errorUrl", "errorurl", "error_url", "ERRORURL", "errorUrl[]"]


def wish(track: Track, client_id: str = "phone", **changes: Any) -> dict[str, Any]:
    return {"track_id": track.pk, "format_id": 26, "client_id": client_id} | changes


def issued(phone: Api, track: Track, **changes: Any) -> str:
    url: str = body_of(phone.post("streams", wish(track, **changes)), 201)["url"]
    return url


def query_of(url: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def with_query(url: str, **changes: str) -> str:
    return urlsplit(url)._replace(query=urlencode(query_of(url) | changes)).geturl()


def fetched(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers={"Accept": "application/json"} | headers, timeout=10)


# --- seen by nobody else ------------------------------------------------------------------------


@pytest.mark.usefixtures("device")
def test_no_answer_is_kept_and_no_page_tells_the_next(phone: Api, track: Track) -> None:
    asked = [
        phone.post("streams", wish(track)),
        phone.post("streams", {}),
        phone.get("streams/current"),
        phone.get("streams/events?client_id=phone"),
        phone.post("offline/copies", wish(track)),
        phone.get("offline/manifest?client_id=phone"),
    ]
    assert [response.status_code for response in asked] == [201, 400, 200, 200, 201, 200]
    assert {response.headers["Cache-Control"] for response in asked} == {"no-store"}
    assert {response.headers["Referrer-Policy"] for response in asked} == {"same-origin"}


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("path", ["streams", "offline/copies"])
@pytest.mark.parametrize("name", NAMES)
def test_nobody_says_where_the_platform_sends_a_listener(phone: Api, track: Track, path: str, name: str) -> None:
    plain = query_of(body_of(phone.post(path, wish(track)), 201)["url"])
    elsewhere = f"{path}?{name}={quote(EVE, safe='')}"
    headers = {"Referer": EVE, name.strip("[]"): EVE}
    response = phone.post(elsewhere, wish(track) | {name: EVE}, **headers)

    told = query_of(body_of(response, 201)["url"])
    assert told.keys() == plain.keys()
    assert "eve.example" not in response.content.decode()


@pytest.mark.parametrize("client_id", [f"phone&errorUrl={EVE}", f"phone#?errorUrl={EVE}", f"p%26errorUrl={EVE}"])
def test_no_device_id_becomes_a_parameter(phone: Api, track: Track, client_id: str) -> None:
    assert query_of(issued(phone, track)).keys() == query_of(issued(phone, track, client_id=client_id)).keys()


# --- for one listener, device, track and format -----------------------------------------------


@pytest.fixture
def there(known: Platform) -> Track:
    """A track that the platform has too."""
    number = known.track()
    apply_member(release_event(tracks=[track_member(number)]))
    return Track.objects.get(pk=number)


TAMPERED: list[Callable[[str], str]] = [
    lambda url: with_query(url, userId="eve"),
    lambda url: with_query(url, trackId=str(int(query_of(url)["trackId"]) + 1)),
    lambda url: with_query(url, formatId="56"),
    lambda url: with_query(url, clientId="tablet"),
    lambda url: with_query(url, country="FR"),
    lambda url: with_query(url, releaseId="1"),
    lambda url: with_query(url, oauth_timestamp=str(int(query_of(url)["oauth_timestamp"]) + 60)),
    lambda url: with_query(url, oauth_nonce="another"),
    lambda url: with_query(url, errorUrl=EVE),
    lambda url: f"{url}&clientId=tablet",
    lambda url: url.replace("/subscription?", "/subscription.m3u8?"),
    lambda url: url.replace("/stream/", "/offline/"),
]


def test_what_is_changed_opens_nothing(phone: Api, known: Platform, there: Track) -> None:
    url = issued(phone, there)

    for change in TAMPERED:
        assert change(url) != url
        answer = fetched(change(url))
        assert (answer.status_code, "signature" in answer.text) == (401, True), answer.text
    assert known.journal("streams") == []
    assert fetched(url).status_code == 200


def test_works_once(phone: Api, known: Platform, there: Track) -> None:
    url = issued(phone, there)

    assert [fetched(url).status_code for _ in range(3)] == [200, 401, 401]
    assert len(known.journal("streams")) == 1


# --- for a while ----------------------------------------------------------------------------------


def issued_before(url: str, seconds: int) -> str:
    """The same as we would have signed it so long ago."""
    wished = {name: value for name, value in query_of(url).items() if not name.startswith("oauth_")}
    then = datetime.now(UTC) - timedelta(seconds=seconds)
    return platform().signed_url(url.partition("?")[0], "", wished, now=then)


def test_says_how_long_it_lives(phone: Api, track: Track) -> None:
    told = body_of(phone.post("streams", wish(track)), 201)
    end = int(query_of(told["url"])["oauth_timestamp"]) + settings.STREAM_URL_SECONDS

    assert -1 <= end - datetime.fromisoformat(told["expires_at"]).timestamp() <= 1


def test_opens_until_its_end_and_not_after(phone: Api, known: Platform, there: Track) -> None:
    lifetime, url = settings.STREAM_URL_SECONDS, issued(phone, there)
    last, late = issued_before(url, lifetime - 2), issued_before(url, lifetime + 1)  # signed in whole seconds

    assert fetched(last, Range="bytes=0-99").status_code == 206
    for headers in ({}, {"Range": "bytes=0-99"}):
        answer = fetched(late, **headers)
        assert (answer.status_code, answer.text) == (401, "OAuth authentication error: expired timestamp")


def test_a_player_that_goes_on_too_late_asks_anew(phone: Api, known: Platform, there: Track) -> None:
    url = issued_before(issued(phone, there), settings.STREAM_URL_SECONDS - 2)
    assert fetched(url, Range="bytes=0-99").status_code == 206
    eventually(lambda: fetched(url, Range="bytes=100-").status_code == 401)

    assert fetched(issued(phone, there), Range="bytes=100-").status_code == 206


# --- the platform's own rule ----------------------------------------------------------------------


def test_the_platform_refuses_whom_we_refuse(phone: Api, known: Platform, there: Track) -> None:
    assert fetched(issued(phone, there, client_id="A")).status_code == 200
    again = issued(phone, there, client_id="A")
    assert fetched(issued(phone, there, client_id="B")).status_code == 200

    assert error_of(fetched(again))[:2] == (403, 3201)
    ours = phone.post("streams", wish(there, "A"))
    assert expect_problem(ours, 409, "playing_elsewhere")["platform_code"] == 3201
    assert 1 <= int(ours.headers["Retry-After"]) <= settings.STREAM_BLOCK_SECONDS
    assert [line["clientId"] for line in known.journal("streams")] == ["A", "B"]
