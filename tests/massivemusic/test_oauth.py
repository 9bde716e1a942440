"""Our signatures are those of RFC 5849, and of oauthlib, byte for byte."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib import oauth1
from oauthlib.oauth1 import SIGNATURE_TYPE_AUTH_HEADER, SIGNATURE_TYPE_QUERY

from massivemusic.oauth import Signer, base_string, encode, encoded, joined
from tests.massivemusic.behaviours import OK
from tests.massivemusic.conftest import KEY, SECRET, ClientTo
from tests.massivemusic.stage import Stage, answer, says

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.text(
    "=&%+ ~!*'()/?:@#;,\"\\éß日🎵", min_size=1, max_size=12
)
names = texts.filter(lambda name: not name.startswith("oauth_"))
params = st.dictionaries(names, texts | st.integers(0, 2**31), max_size=6)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
# In a query, and there alone, oauthlib decodes the values of OAuth's own parameters once too often.
plain = keys.filter(lambda text: "%" not in text)
urls = st.sampled_from(
    [
        "https://api.7digital.com/1.2/user/unlimitedStreaming",
        "HTTPS://API.7digital.COM:443/1.2/playlists/5f0c/tracks",
        "http://127.0.0.1:8001/1.2/user/subscription/log",
        "http://[::1]:80/stream/subscription.m3u8",
        "https://stream.svc.7digital.net",
        "https://host.example/a%20path/with%2Fescapes",
    ]
)


def judge(key: str, secret: str, nonce: str, kind: str) -> oauth1.Client:
    return oauth1.Client(key, secret, signature_type=kind, nonce=nonce, timestamp=str(int(NOW.timestamp())))


def test_knows_the_base_string_of_the_rfc() -> None:
    """RFC 5849 §3.4.1.1, where names repeat and values are odd."""
    decoded = [
        ("b5", "=%3D"), ("a3", "a"), ("c@", ""), ("a2", "r b"), ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"), ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"), ("oauth_nonce", "7d8f3e4a"), ("c2", ""), ("a3", "2 q"),
    ]  # fmt: skip
    pairs = [(encode(name), encode(value)) for name, value in decoded]
    assert base_string("post", "http://EXAMPLE.com:80/request", pairs) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
        "%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-"
        "SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_knows_the_signature_of_the_rfc() -> None:
    """RFC 5849 §1.2, the first request."""
    pairs = [
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"), ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131200"), ("oauth_nonce", "wIjqoS"),
        ("oauth_callback", encode("http://printer.example.com/ready")),
    ]  # fmt: skip
    signer = Signer("dpf43f3p2l4k3l03", "kd94hf93k423kf44")
    assert signer.signature("POST", "https://photos.example.net/initiate", pairs) == "74KNZJeDHnMBp0EMJ9ZHt/XKycU="


@given(key=keys, secret=keys, url=urls, query=params, form=params, nonce=keys)
def test_signs_headers_as_oauthlib_does(key: str, secret: str, url: str, query: dict, form: dict, nonce: str) -> None:
    ours = Signer(key, secret).header("POST", url, encoded(query) + encoded(form), now=NOW, nonce=nonce)
    theirs = judge(key, secret, nonce, SIGNATURE_TYPE_AUTH_HEADER)
    _, headers, _ = theirs.sign(f"{url}?{joined(encoded(query))}", "POST", joined(encoded(form)), FORM)
    assert ours == headers["Authorization"]


@given(key=plain, secret=keys, url=urls, query=params, nonce=plain)
def test_signs_queries_as_oauthlib_does(key: str, secret: str, url: str, query: dict, nonce: str) -> None:
    ours = Signer(key, secret).signed_url(url, query, now=NOW, nonce=nonce)
    theirs, _, _ = judge(key, secret, nonce, SIGNATURE_TYPE_QUERY).sign(f"{url}?{joined(encoded(query))}")
    assert ours.startswith(url + "?")
    assert parse_qsl(urlsplit(ours).query, keep_blank_values=True) == parse_qsl(
        urlsplit(theirs).query, keep_blank_values=True
    )


@given(texts)
def test_leaves_nothing_reserved_bare(text: str) -> None:
    assert unquote(encode(text)) == text
    assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*", encode(text))


def test_writes_a_space_as_percent_20() -> None:
    url = Signer("key", "secret").signed_url("https://h.example/p", {"clientId": "my phone"}, now=NOW, nonce="n")
    assert "clientId=my%20phone&" in url
    assert "+" not in url


def test_never_uses_a_nonce_twice() -> None:
    signer = Signer("key", "secret")
    nonces = {parse_qsl(signer.signed_url("https://h.example/p", {}))[0][1] for _ in range(10_000)}
    nonces |= {signer.header("GET", "https://h.example/p", []).split('"')[1] for _ in range(10_000)}
    assert len(nonces) == 20_000


def test_signs_each_try_anew(client_to: ClientTo) -> None:
    with Stage(says(answer("200 OK", OK), keep=True)) as stage:
        client = client_to(stage.origin)
        for _ in range(3):
            client.call("GET", "/status")
        assert len({heard.headers["authorization"] for heard in stage.heard}) == 3


QUERY = {"userId": "a b/ü&c=d", "country": "GB"}
BODIES = [
    pytest.param({"form": {"planCode": "x y", "recurringFee": 999}}, b"planCode=x%20y&recurringFee=999", id="form"),
    pytest.param({"json": {"a": ["ü", 1]}}, '{"a":["ü",1]}'.encode(), id="json"),
    pytest.param({"xml": "<a>ü</a>"}, "<a>ü</a>".encode(), id="xml"),
    pytest.param({}, b"", id="none"),
]


@pytest.mark.parametrize(("body", "sent"), BODIES)
def test_is_verified_as_it_arrives(body: dict, sent: bytes, client_to: ClientTo) -> None:
    """From the bytes on the wire alone: forms are in the base string, JSON and XML are not."""
    with Stage(says(answer("200 OK", OK))) as stage:
        client_to(stage.origin).call("POST", "/user/x", query=QUERY, **body)
        heard, origin = stage.heard[0], stage.origin
    assert heard.target == "/1.2/user/x?userId=a%20b%2F%C3%BC%26c%3Dd&country=GB"
    assert heard.body == sent
    said = dict(re.findall(r'(\w+)="([^"]*)"', heard.headers["authorization"]))
    form = heard.body.decode() if "form" in body else None
    verifier = oauth1.Client(KEY, SECRET, nonce=said["oauth_nonce"], timestamp=said["oauth_timestamp"])
    _, headers, _ = verifier.sign(origin + heard.target, "POST", form, FORM if form else None)
    assert headers["Authorization"] == heard.headers["authorization"]
    assert heard.headers.get("content-type") == {
        "form": "application/x-www-form-urlencoded", "json": "application/json", "xml": "application/xml",
    }.get(next(iter(body), ""))  # fmt: skip


def test_sends_one_body(client_to: ClientTo) -> None:
    with pytest.raises(ValueError, match="one body"):
        client_to("http://127.0.0.1:9").call("POST", "/x", json={}, form={})


def test_shows_no_secret() -> None:
    signer = Signer("key", "hush")
    assert "hush" not in repr(signer) + str(vars(signer))
