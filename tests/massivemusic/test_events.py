"""Only a token that the platform signed, a moment ago, opens the door."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Kind
from massivemusic.events import TokenRefused, check_token, load_public_keys

KEY, OTHER, STRANGER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3))
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
KEYS = [KEY.public_key(), OTHER.public_key()]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T = int(NOW.timestamp())
FRESH: dict[str, Any] = {"iat": T, "exp": T + 300}
HEADER: dict[str, Any] = {"alg": "RS256", "typ": "JWT"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims: Any = FRESH, header: Any = HEADER, key: rsa.RSAPrivateKey = KEY) -> str:
    """Signed with RSA and SHA-256 whatever the header says."""
    parts = (b64(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (header, claims))
    signed = ".".join(parts)
    return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def pem(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def hmac_with_the_public_key(algorithm: str) -> str:
    signed = f"{b64(json.dumps({'alg': algorithm}).encode())}.{b64(json.dumps(FRESH).encode())}"
    return f"{signed}.{b64(hmac.digest(pem(KEYS[0]), signed.encode(), hashlib.sha256))}"


GOOD = {
    "plain": token(),
    "bearer": f"Bearer {token()}",
    "bearer in capitals": f"BEARER  {token()}",
    "spaces around": f" Bearer {token()} ",
    "second key": token(key=OTHER),
    "key id of nobody": token(header=HEADER | {"kid": "../../etc/passwd"}),
    "key in the header, ours used": token(header=HEADER | {"jwk": {"kty": "RSA"}, "jku": "http://127.0.0.1/"}),
    "claims of any kind": token(FRESH | {"iss": 7, "aud": ["x"], "sub": 5, "jti": None, "body": "0" * 64}),
    "no type": token(header={"alg": "RS256"}),
    "330 s long": token({"iat": T, "exp": T + 330}),
    "29 s late": token({"iat": T - 329, "exp": T - 29}),
    "30 s early": token({"iat": T + 30, "exp": T + 330}),
    "not before now": token(FRESH | {"nbf": T + 30}),
}
BAD = {
    "empty": ("", "no token"),
    "bearer alone": ("Bearer ", "no token"),
    "other scheme": (f"Basic {token()}", "no token"),
    "two parts": (token().rpartition(".")[0], "no token"),
    "four parts": (token() + ".x", "no token"),
    "encrypted": (".".join(["e30"] * 5), "no token"),
    "padding": (token() + "==", "no token"),
    "other alphabet": (token()[:-4] + "+/+/", "no token"),
    "comma": (f"{token()},{token()}", "no token"),
    "line break": (f"Bearer\n{token()}", "no token"),
    "line at the end": (f"Bearer {token()}\n", "no token"),
    "not ascii": ("Bearer é.é.é", "no token"),
    "8 KiB and one": (f"Bearer {token()}".ljust(8193), "too long"),
    "a megabyte": (token(FRESH | {"x": "y" * 2**20}), "too long"),
    "stranger's key": (token(key=STRANGER), "no known key"),
    "stranger's key in the header": (token(header=HEADER | {"jwk": {"kty": "RSA"}}, key=STRANGER), "no known key"),
    "changed claims": (token().replace(b64(json.dumps(FRESH).encode()), b64(b'{"iat":1}')), "no known key"),
    "no signature": (token().rpartition(".")[0] + ".AAAA", "no known key"),
    "none": (token(header={"alg": "none"}), "not signed with RS256"),
    "nOnE": (token(header={"alg": "nOnE"}), "not signed with RS256"),
    "hmac with the public key": (hmac_with_the_public_key("HS256"), "not signed with RS256"),
    "RS384": (token(header={"alg": "RS384"}), "not signed with RS256"),
    "RS512": (token(header={"alg": "RS512"}), "not signed with RS256"),
    "PS256": (token(header={"alg": "PS256"}), "not signed with RS256"),
    "rs256 in small letters": (token(header={"alg": "rs256"}), "not signed with RS256"),
    "no algorithm": (token(header={"typ": "JWT"}), "not signed with RS256"),
    "null algorithm": (token(header={"alg": None}), "not signed with RS256"),
    "list of algorithms": (token(header={"alg": ["RS256"]}), "not signed with RS256"),
    "two algorithms": (token(header=b'{"alg":"RS256","alg":"none"}'), "not signed with RS256"),
    "critical": (token(header=HEADER | {"crit": ["b64"], "b64": True}), "critical"),
    "critical and unknown": (token(header=HEADER | {"crit": ["exp"], "exp": 1}), "malformed"),
    "critical nothing": (token(header=HEADER | {"crit": []}), "malformed"),
    "unencoded": (token(header=HEADER | {"b64": False}), "malformed"),
    "header a list": (token(header=["RS256"]), "malformed"),
    "header no json": (token(header=b"\xff"), "malformed"),
    "header deep": (token(header=b'{"alg":"RS256","x":' + b"[" * 2000), "malformed"),
    "claims a list": (token([1]), "malformed"),
    "claims no json": (token(b"hello"), "malformed"),
    "no iat": (token({"exp": T + 300}), "no whole iat"),
    "no exp": (token({"iat": T}), "no whole exp"),
    "iat a text": (token({"iat": str(T), "exp": T + 300}), "no whole iat"),
    "exp a fraction": (token({"iat": T, "exp": T + 299.5}), "no whole exp"),
    "iat true": (token({"iat": True, "exp": 2}), "no whole iat"),
    "exp null": (token({"iat": T, "exp": None}), "no whole exp"),
    "exp infinite": (token(b'{"iat":1,"exp":Infinity}'), "no whole exp"),
    "exp beyond all": (token({"iat": T, "exp": 10**400}), "out of bounds"),
    "331 s long": (token({"iat": T, "exp": T + 331}), "out of bounds"),
    "ten years": (token({"iat": T, "exp": T + 315_360_000}), "out of bounds"),
    "backwards": (token({"iat": T, "exp": T - 1}), "out of bounds"),
    "30 s late": (token({"iat": T - 330, "exp": T - 30}), "expired"),
    "31 s early": (token({"iat": T + 31, "exp": T + 331}), "from the future"),
    "not before later": (token(FRESH | {"nbf": T + 31}), "not valid yet"),
    "not before a text": (token(FRESH | {"nbf": "x"}), "no whole nbf"),
}


@pytest.mark.parametrize("header", GOOD.values(), ids=GOOD)
def test_good_tokens_pass(header: str) -> None:
    check_token(header, keys=KEYS, now=NOW)


@pytest.mark.parametrize(("header", "reason"), BAD.values(), ids=BAD)
def test_bad_tokens_do_not(header: str, reason: str) -> None:
    with pytest.raises(TokenRefused, match=reason) as refused:
        check_token(header, keys=KEYS, now=NOW)
    assert refused.value.reason == refused.value.detail == str(refused.value)
    assert (refused.value.kind, refused.value.code) == (Kind.UNAUTHENTICATED, "not_authenticated")
    assert len(refused.value.reason) < 60


def test_what_another_library_signs_passes() -> None:
    check_token("Bearer " + jwt.encode(FRESH, KEY, algorithm="RS256"), keys=KEYS, now=NOW)


def test_nobody_passes_without_keys() -> None:
    with pytest.raises(TokenRefused, match="no known key"):
        check_token(token(), keys=[], now=NOW)


def test_a_withdrawn_key_opens_nothing() -> None:
    old, new = token(), token(key=OTHER)
    check_token(old, keys=KEYS, now=NOW)
    with pytest.raises(TokenRefused):
        check_token(old, keys=KEYS[1:], now=NOW)
    check_token(new, keys=KEYS[1:], now=NOW)


@given(st.text(max_size=80) | st.text("eyJ.-_=", max_size=80) | st.integers(0, 300).map(lambda n: token()[:n]))
def test_no_other_text_passes(text: str) -> None:
    with pytest.raises(TokenRefused):
        check_token(text, keys=KEYS, now=NOW)


class TestKeyFiles:
    def test_are_read(self, tmp_path: Path) -> None:
        for name, key in (("a.pem", KEYS[0]), ("b.pem", KEYS[1])):
            (tmp_path / name).write_bytes(pem(key))
        loaded = load_public_keys([tmp_path / "a.pem", str(tmp_path / "b.pem")])
        check_token(token(key=OTHER), keys=loaded, now=NOW)
        assert [key.public_numbers() for key in loaded] == [key.public_numbers() for key in KEYS]

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"hello", id="text"),
            pytest.param(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), id="private key"),
            pytest.param(pem(ec.generate_private_key(ec.SECP256R1()).public_key()), id="elliptic"),
            pytest.param(pem(SHORT.public_key()), id="short"),
        ],
    )
    def test_are_refused_by_name(self, content: bytes, tmp_path: Path) -> None:
        file = tmp_path / "events.pem"
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"events\.pem"):
            load_public_keys([file])

    def test_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"gone\.pem: no public key \(FileNotFoundError\)"):
            load_public_keys([tmp_path / "gone.pem"])
