"""The platform's door: only the platform gets in, and what it brings is kept before it is answered."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_django.fixtures import Settings

from catalogue import doors
from catalogue.models import CatalogueEvent
from tests.helpers import Api, expect_problem, release_event, zipped

pytestmark = pytest.mark.django_db
PATH = "/webhooks/catalogue/standard"


def pem_of(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(autouse=True)
def known_keys(key: rsa.RSAPrivateKey, settings: Settings, tmp_path: Path) -> Iterator[None]:
    (tmp_path / "platform.pem").write_bytes(pem_of(key))
    settings.CATALOGUE_EVENT_PUBLIC_KEYS = [str(tmp_path / "platform.pem")]
    doors.public_keys.cache_clear()
    yield
    doors.public_keys.cache_clear()


def token(key: rsa.RSAPrivateKey, **changes: Any) -> str:
    now = int(time.time())
    return jwt.encode({"iat": now, "exp": now + 300} | changes, key, algorithm="RS256")


@pytest.mark.parametrize("scheme", ["Bearer ", ""])
@pytest.mark.parametrize("compressed", [True, False])
def test_keeps_what_the_platform_brings(stranger: Api, key: rsa.RSAPrivateKey, scheme: str, compressed: bool) -> None:
    event = [release_event(), {"id": 2, "version": 1, "takedown": True}]
    headers = {"Authorization": scheme + token(key)} | ({"Content_Encoding": "gzip"} if compressed else {})

    response = stranger.post(PATH, zipped(event) if compressed else event, **headers)

    assert response.status_code == 202, response.content
    kept = CatalogueEvent.objects.get()
    assert json.loads(gzip.decompress(kept.body)) == event
    assert (kept.members, kept.state) == (2, "WAITING")


def test_lets_nobody_in_without_a_key(stranger: Api, key: rsa.RSAPrivateKey, settings: Settings) -> None:
    settings.CATALOGUE_EVENT_PUBLIC_KEYS = []
    doors.public_keys.cache_clear()

    expect_problem(stranger.post(PATH, [release_event()], Authorization=token(key)), 401, "not_authenticated")


def forgeries(key: rsa.RSAPrivateKey) -> dict[str, str]:
    now = int(time.time())
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "nothing": "",
        "another key": token(other),
        "symmetric": jwt.encode({"iat": now, "exp": now + 300}, "k" * 32, algorithm="HS256"),
        "none": jwt.encode({"iat": now, "exp": now + 300}, None, algorithm="none"),
        "expired": token(key, iat=now - 400, exp=now - 100),
        "long life": token(key, exp=now + 3600),
        "no exp": jwt.encode({"iat": now}, key, algorithm="RS256"),
        "from the future": token(key, iat=now + 600, exp=now + 800),
        "cut off": token(key)[:-4],
        "basic": "Basic " + token(key),
        "oversized": "Bearer " + "x" * 9000,
    }


@pytest.mark.parametrize("name", forgeries(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
def test_keeps_forgers_out(stranger: Api, key: rsa.RSAPrivateKey, name: str) -> None:
    expect_problem(stranger.post(PATH, [release_event()], Authorization=forgeries(key)[name]), 401, "not_authenticated")
    assert not CatalogueEvent.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"[NaN]", 400, "invalid_json"),
        (b'[{"id": 1, "id": 2}]', 400, "invalid_json"),
        (b"[1e999]", 400, "invalid_json"),
        (b"[" * 65 + b"]" * 65, 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b"{}", 400, "invalid_event"),
        (b"[]", 400, "invalid_event"),
    ],
)
def test_says_what_is_wrong_with_a_body(
    stranger: Api, key: rsa.RSAPrivateKey, body: bytes, status: int, code: str
) -> None:
    expect_problem(stranger.post(PATH, body, Authorization=token(key)), status, code)


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("size", "status"), [(MIB, 202), (5 * MIB // 2, 202), (5 * MIB, 202), (10 * MIB, 202), (10 * MIB + 1, 413)]
)
@pytest.mark.parametrize("compressed", [True, False])
def test_takes_ten_mebibytes_and_not_a_byte_more(
    stranger: Api, key: rsa.RSAPrivateKey, size: int, status: int, compressed: bool
) -> None:
    frame = json.dumps([release_event(cLine="")]).encode()
    body = frame.replace(b'"cLine": ""', b'"cLine": "' + b"x" * (size - len(frame)) + b'"')
    assert len(body) == size
    headers = {"Authorization": token(key)} | ({"Content_Encoding": "gzip"} if compressed else {})

    response = stranger.post(PATH, zipped(body) if compressed else body, **headers)

    assert response.status_code == status


def test_stops_a_bomb(stranger: Api, key: rsa.RSAPrivateKey) -> None:
    response = stranger.post(PATH, zipped(b"0" * 200 * MIB), Authorization=token(key), Content_Encoding="gzip")

    expect_problem(response, 413, "body_too_large")
