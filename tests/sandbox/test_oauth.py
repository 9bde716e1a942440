"""Signatures: ours against RFC 5849's own example and against oauthlib, then the border over HTTP."""

from __future__ import annotations

import string
import time
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from oauthlib.oauth1 import SIGNATURE_TYPE_AUTH_HEADER, SIGNATURE_TYPE_BODY, SIGNATURE_TYPE_QUERY, Client

from sandbox import oauth
from tests.sandbox.platform import FORM, KEY, SECRET, Partner, Platform

ORIGIN = "http://127.0.0.1:8001"


# --- pure -------------------------------------------------------------------------------------


def test_builds_the_base_string_of_rfc_5849_section_3_4_1_1():
    request = oauth.Request(
        method="POST",
        path="/request",
        query="b5=%3D%253D&a3=a&c%40=&a2=r%20b",
        form="c2&a3=2+q",
        header='OAuth realm="Example", oauth_consumer_key="9djdj82h48djs9d2", oauth_token="kkk9d7dh3k39sjv7",'
        ' oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="7d8f3e4a",'
        ' oauth_signature="bYT5CMsGcbgUdFHObYMEfcx6bsw%3D"',
    )
    pairs = [pair for pair in oauth.collect(request) if pair[0] != "oauth_signature"]

    assert oauth.base_string("post", "http://EXAMPLE.COM:80/request", pairs) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
        "%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
        "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_signs_as_rfc_5849_section_1_2_does():
    pairs = [
        ("file", "vacation.jpg"),
        ("size", "original"),
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_token", "nnch734d00sl2jdk"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131202"),
        ("oauth_nonce", "chapoH"),
    ]
    base = oauth.base_string("GET", "http://photos.example.net/photos", pairs)

    assert oauth.sign(base, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00") == b"MdpQcU8iPSUjWoN/UDMsK2sui9I="


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(string.ascii_letters + "_-~é ü%&=+", min_size=1, max_size=8).filter(lambda name: "oauth" not in name)


@settings(deadline=None)
@given(
    query=st.lists(st.tuples(NAMES, TEXT), max_size=5),
    form=st.lists(st.tuples(NAMES, TEXT), max_size=5),
    place=st.sampled_from([SIGNATURE_TYPE_AUTH_HEADER, SIGNATURE_TYPE_QUERY, SIGNATURE_TYPE_BODY]),
    secret=st.text(string.printable, max_size=12),
)
def test_accepts_whatever_oauthlib_signs_and_nothing_else(query, form, place, secret):
    client = Client("key", secret, signature_type=place)
    url = f"{ORIGIN}/1.2/some/path?{urlencode(query)}".rstrip("?")
    url, headers, body = client.sign(url, "POST", body=urlencode(form), headers={"Content-Type": FORM})
    header = headers.get("Authorization", "")
    request = oauth.Request(
        method="POST", path="/1.2/some/path", query=urlsplit(url).query, header=header, form=body or ""
    )
    signature = oauth.read(request)

    assert signature.consumer_key == "key"
    assert oauth.fits(signature, request=request, origins=["http://localhost:1", ORIGIN], secret=secret)
    assert not oauth.fits(signature, request=request, origins=["http://localhost:1"], secret=secret)
    assert not oauth.fits(signature, request=request, origins=[ORIGIN], secret=secret + "x")


COMPLETE = {
    "oauth_consumer_key": "k",
    "oauth_signature_method": "HMAC-SHA1",
    "oauth_signature": "s",
    "oauth_timestamp": "1",
    "oauth_nonce": "n",
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"oauth_signature": ""}, "missing oauth_signature"),
        ({"oauth_nonce": ""}, "missing oauth_nonce"),
        ({"oauth_consumer_key": ""}, "missing oauth_consumer_key"),
        ({"oauth_timestamp": ""}, "missing oauth_timestamp"),
        ({"oauth_signature_method": "PLAINTEXT"}, "unsupported oauth_signature_method"),
        ({"oauth_version": "2.0"}, "unsupported oauth_version"),
        ({"oauth_token": "t"}, "unknown oauth_token"),
        ({"oauth_timestamp": "-5"}, "invalid oauth_timestamp"),
        ({"oauth_timestamp": "٣"}, "invalid oauth_timestamp"),
    ],
)
def test_names_what_is_wrong(change, reason):
    with pytest.raises(oauth.Unsigned, match=reason):
        oauth.read(oauth.Request(method="GET", path="/", query=urlencode(COMPLETE | change)))


def test_counts_an_identical_protocol_parameter_once_and_refuses_two_different_ones():
    query = urlencode(COMPLETE)
    twice = oauth.Request(method="GET", path="/", query=query, header='OAuth oauth_consumer_key="k"')
    assert sorted(oauth.read(twice).pairs) == sorted(
        oauth.read(oauth.Request(method="GET", path="/", query=query)).pairs
    )

    with pytest.raises(oauth.Unsigned, match="conflicting values for oauth_consumer_key"):
        oauth.read(oauth.Request(method="GET", path="/", query=query, header='OAuth oauth_consumer_key="other"'))


@pytest.mark.parametrize("header", ["OAuth nonsense", 'OAuth a="b', 'OAuth a="b" c="d"', 'OAuth a="%ff"'])
def test_refuses_a_header_it_cannot_read(header):
    with pytest.raises(oauth.Unsigned):
        oauth.read(oauth.Request(method="GET", path="/", header=header))


# --- over HTTP --------------------------------------------------------------------------------


def assert_denied(answer: requests.Response, sentence: str) -> None:
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == sentence


def test_wants_a_signature(platform: Platform):
    url = f"{platform.url}/1.2/user/create?userId=x&country=GB"
    assert_denied(requests.get(url, timeout=5), "Access to resource denied")
    answer = requests.get(f"{url}&oauth_consumer_key={KEY}", timeout=5)
    assert_denied(answer, "OAuth authentication error: missing oauth_signature_method")


def test_refuses_an_unknown_key_and_a_wrong_secret(platform: Platform):
    stranger, forger = Partner(platform, key="nobody"), Partner(platform, secret="guess")

    assert_denied(stranger.request("GET", "/1.2/user/create", userId="x", country="GB"), "Access to resource denied")
    answer = forger.request("GET", "/1.2/user/create", userId="x", country="GB")
    assert_denied(answer, "OAuth authentication error: invalid signature")
    stranger.close()
    forger.close()


def test_refuses_a_changed_parameter(partner: Partner):
    url = partner.signed_url("/1.2/user/create", userId="honest", country="GB")
    assert_denied(partner.fetch(url.replace("honest", "forged")), "OAuth authentication error: invalid signature")


def test_takes_a_nonce_once(partner: Partner):
    url = partner.signed_url("/1.2/user/unlimitedStreaming", userId="x", country="GB")
    assert partner.fetch(url).status_code == 404
    assert_denied(partner.fetch(url), "OAuth authentication error: nonce already used")


@pytest.mark.parametrize("off", [-301, 310])
def test_refuses_a_clock_that_is_off(partner: Partner, off: int):
    url = partner.signed_url("/1.2/user/unlimitedStreaming", at=time.time() + off, userId="x", country="GB")
    assert_denied(partner.fetch(url), "OAuth authentication error: expired timestamp")


@pytest.mark.parametrize("off", [-290, 290])
def test_bears_with_a_clock_that_is_nearly_right(partner: Partner, off: int):
    url = partner.signed_url("/1.2/user/unlimitedStreaming", at=time.time() + off, userId="x", country="GB")
    assert partner.fetch(url).status_code == 404


def test_does_not_ask_the_host_header(partner: Partner):
    url = partner.signed_url("/1.2/user/unlimitedStreaming", userId="x", country="GB")
    assert partner.fetch(url, Host="127.0.0.1").status_code == 404


def test_believes_its_public_origins_alone(partner: Partner, differently):
    other = differently(SANDBOX_PUBLIC_ORIGINS="https://platform.example, http://localhost:9", SANDBOX_WORKERS="1")
    url = partner.signed_url("/1.2/user/unlimitedStreaming", userId="x", country="GB")
    elsewhere = url.replace(partner.platform.url, other.url)
    assert_denied(partner.fetch(elsewhere), "OAuth authentication error: invalid signature")

    client = Client(KEY, SECRET, signature_type=SIGNATURE_TYPE_QUERY)
    url = client.sign("https://platform.example/1.2/user/unlimitedStreaming?userId=x&country=GB")[0]
    assert partner.fetch(url.replace("https://platform.example", other.url)).status_code == 404


def test_signs_a_form_body_but_no_json_body(partner: Partner):
    """The body of a form is part of the signature: changing it breaks it. JSON may change on the way."""
    url, headers, _ = Client(KEY, SECRET).sign(
        f"{partner.platform.url}/1.2/user/create", "POST", body="userId=a&country=GB", headers={"Content-Type": FORM}
    )
    answer = partner.session.post(url, data="userId=b&country=GB", headers=headers, timeout=5)
    assert_denied(answer, "OAuth authentication error: invalid signature")
    assert partner.log("nobody", '{"playLogItem": [{}]}').status_code == 400


def test_opens_only_the_countries_of_the_key(contrarian: Partner):
    assert contrarian.request("GET", "/1.2/user/create", userId="in-ireland", country="IE").status_code == 200
    answer = contrarian.request("GET", "/1.2/user/create", userId="in-france", country="FR")
    assert_denied(answer, "Access to resource denied")


def test_knows_more_keys_than_one(contrary: Platform):
    third = Partner(contrary, key="third", secret="s3")
    assert third.request("GET", "/1.2/user/unlimitedStreaming", userId="x", country="GB").status_code == 404
    third.close()


@pytest.mark.parametrize("path", ["/", "/1.2", "/1.2/user/create/", "/1.2/nothing", "/stream", "/_control/nothing"])
def test_does_not_know_other_paths(platform: Platform, path: str):
    assert_denied(requests.get(platform.url + path, timeout=5), "Resource not found")


def test_does_not_know_other_verbs(partner: Partner):
    assert_denied(partner.request("DELETE", "/1.2/user/create", userId="x", country="GB"), "Resource not found")


def test_puts_rate_headers_on_every_answer(partner: Partner):
    first = partner.request("GET", "/1.2/user/unlimitedStreaming", userId="x", country="GB")
    second = partner.request("GET", "/1.2/user/unlimitedStreaming", userId="x", country="GB")
    assert int(second.headers["X-RateLimit-Current"]) == int(first.headers["X-RateLimit-Current"]) + 1
    for path in ("/nowhere", "/_control/faults", "/static/img/sleeveart/00/000/000/0000000000_50.jpg"):
        headers = requests.get(partner.platform.url + path, timeout=5).headers
        assert headers["X-RateLimit-Limit"] == "2147483647"
        assert headers["X-RateLimit-Current"] == "0"
        assert 0 < int(headers["X-RateLimit-Reset"]) <= 86400


def test_ends_the_day_at_the_quota(differently):
    platform = differently(SANDBOX_QUOTA="2", SANDBOX_WORKERS="1", SANDBOX_CONSUMERS="poor:secret")
    poor = Partner(platform, key="poor", secret="secret")
    answers = [poor.request("GET", "/1.2/user/unlimitedStreaming", userId="x", country="GB") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert [answer.headers["X-RateLimit-Current"] for answer in answers] == ["1", "2", "3"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"2"}
    assert answers[2].headers["Content-Type"] == "text/plain; charset=utf-8"
    poor.close()
