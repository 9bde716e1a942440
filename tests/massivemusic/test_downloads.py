"""Downloads are signed URLs on the media host; nothing is called."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from oauthlib import oauth1

from massivemusic.client import Client
from massivemusic.downloads import purchase_zip_url, release_zip_url, track_url
from tests.massivemusic.conftest import KEY, SECRET, ClientTo
from tests.massivemusic.stage import fields

MEDIA = "https://media.geo.7digital.com"
TRACK = {"userId": "u 1", "trackId": "11", "releaseId": "7", "formatId": "17", "country": "GB"}


def purchase(client: Client) -> str:
    return purchase_zip_url(client, user_id="u 1", purchase_id=49193524, country="GB")


def release(client: Client) -> str:
    return release_zip_url(client, user_id="u 1", release_id=7, format_id=17, country="GB")


def track(client: Client) -> str:
    return track_url(client, user_id="u 1", track_id=11, release_id=7, format_id=17, country="GB")


def track_or_else(client: Client) -> str:
    error_url = "https://tonearm.example/sorry?a=b&c=ü"
    return track_url(client, user_id="u 1", track_id=11, release_id=7, format_id=17, country="GB", error_url=error_url)


ALL = [
    (purchase, "/media/user/download/purchase", {"userId": "u 1", "purchaseId": "49193524", "country": "GB"}),
    (
        release, "/media/user/download/release",
        {"userId": "u 1", "releaseId": "7", "formatId": "17", "country": "GB"},
    ),
    (track, "/media/user/downloadtrack", TRACK),
    (track_or_else, "/media/user/downloadtrack", TRACK | {"errorUrl": "https://tonearm.example/sorry?a=b&c=ü"}),
]  # fmt: skip


@pytest.mark.parametrize(("make", "path", "said"), ALL)
def test_downloads_say_who_fetches_what(
    client_to: ClientTo, make: Callable[[Client], str], path: str, said: dict[str, str]
) -> None:
    parts = urlsplit(make(client_to("http://127.0.0.1:9", media_url=MEDIA)))
    query = fields(parts.query)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == MEDIA + path
    assert {name: value for name, value in query.items() if not name.startswith("oauth_")} == said


@pytest.mark.parametrize("make", [each[0] for each in ALL])
def test_downloads_are_verified_by_their_url_alone(client_to: ClientTo, make: Callable[[Client], str]) -> None:
    url = make(client_to("http://127.0.0.1:9", media_url=MEDIA))
    bare, _, said = url.rpartition("&oauth_signature=")
    oauth = fields(urlsplit(url).query)
    verifier = oauth1.Client(KEY, SECRET, nonce=oauth["oauth_nonce"], timestamp=oauth["oauth_timestamp"])
    _, headers, _ = verifier.sign(bare.partition("&oauth_nonce")[0])
    assert f'oauth_signature="{said}"' in headers["Authorization"]
    assert SECRET not in url
