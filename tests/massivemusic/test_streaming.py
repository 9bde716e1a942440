"""Streams are signed URLs; nothing is called."""

from __future__ import annotations

from urllib.parse import urlsplit

from oauthlib import oauth1

from massivemusic.streaming import FORMATS, online_stream_url
from tests.massivemusic.conftest import KEY, SECRET, ClientTo
from tests.massivemusic.stage import fields


def test_streams_are_signed_for_one_device(client_to: ClientTo) -> None:
    client = client_to("http://127.0.0.1:9", stream_url="https://stream.svc.7digital.net")
    url = online_stream_url(client, user_id="u 1", track_id=88001, format_id=56, client_id="phone/1", country="GB")
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://stream.svc.7digital.net/stream/subscription"
    query = fields(parts.query)
    assert {name: value for name, value in query.items() if not name.startswith("oauth_")} == {
        "userId": "u 1",
        "trackId": "88001",
        "formatId": "56",
        "clientId": "phone/1",
        "country": "GB",
    }
    assert len(query) == 11


def test_streams_come_as_hls_and_with_a_release(client_to: ClientTo) -> None:
    client = client_to("http://127.0.0.1:9")
    url = online_stream_url(
        client, user_id="u", track_id=1, format_id=56, client_id="c", country="GB", release_id=7, hls=True
    )
    assert urlsplit(url).path == "/stream/subscription.m3u8"
    assert fields(urlsplit(url).query)["releaseId"] == "7"


LOSSY, LOSSLESS = {17, 33, 48}, {45, 52, 58, 60, 62, 87}


def test_streams_are_verified_by_their_url_alone(client_to: ClientTo) -> None:
    url = online_stream_url(
        client_to("https://stream.example"), user_id="ü 1", track_id=1, format_id=26, client_id="a+b", country="GB"
    )
    bare, _, said = url.rpartition("&oauth_signature=")
    oauth = {name: value for name, value in fields(urlsplit(url).query).items() if name.startswith("oauth_")}
    verifier = oauth1.Client(KEY, SECRET, nonce=oauth["oauth_nonce"], timestamp=oauth["oauth_timestamp"])
    _, headers, _ = verifier.sign(bare.partition("&oauth_nonce")[0])
    assert f'oauth_signature="{said}"' in headers["Authorization"]


def test_streams_have_formats() -> None:
    assert {number for number, known in FORMATS.items() if known.streamable} == {26, 55, 56}
    assert {number for number, known in FORMATS.items() if known.downloadable} == LOSSY | LOSSLESS
    assert {number: known.id for number, known in FORMATS.items()} == {number: number for number in FORMATS}
    assert (FORMATS[56].codec, FORMATS[56].bitrate, FORMATS[56].mime_type) == ("AAC", 160, "audio/mp4")
    assert len(FORMATS) == 21
