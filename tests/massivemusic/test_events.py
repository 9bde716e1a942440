"""Only a token that the platform signed, a moment ago, opens the door."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Kind
from massivemusic.events import TokenRefused, check_token, load_public_keys
from tests.massivemusic.forge import HEADER, KEY, OTHER, b64, fresh, pem, the_44, token

SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
KEYS = [KEY.public_key(), OTHER.public_key()]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T = int(NOW.timestamp())
FRESH = fresh(T)

TRIED = the_44(T)
GOOD = {name: header for name, (header, reason) in TRIED.items() if reason is None} | {
    "plain": token(FRESH),
    "bearer": f"Bearer {token(FRESH)}",
    "bearer in capitals": f"BEARER  {token(FRESH)}",
    "spaces around": f" Bearer {token(FRESH)} ",
    "second key": token(FRESH, key=OTHER),
    "key in the header, ours used": token(FRESH, HEADER | {"jwk": {"kty": "RSA"}, "jku": "http://127.0.0.1/"}),
    "claims of any kind": token(FRESH | {"iss": 7, "aud": ["x"], "sub": 5, "jti": None, "body": "0" * 64}),
    "no type": token(FRESH, {"alg": "RS256"}),
    "330 s long": token({"iat": T, "exp": T + 330}),
    "29 s late": token({"iat": T - 329, "exp": T - 29}),
    "30 s early": token({"iat": T + 30, "exp": T + 330}),
    "not before now": token(FRESH | {"nbf": T + 30}),
    "whole as a fraction": token({"iat": T + 0.0, "exp": T + 300}),
}
BAD = {name: (header, reason) for name, (header, reason) in TRIED.items() if reason} | {
    "empty": ("", "no token"),
    "bearer alone": ("Bearer ", "no token"),
    "line at the end": (f"Bearer {token(FRESH)}\n", "no token"),
    "not ascii": ("Bearer é.é.é", "no token"),
    "8 KiB and one": (f"Bearer {token(FRESH)}".ljust(8193), "too long"),
    "changed claims": (token(FRESH).replace(b64(json.dumps(FRESH).encode()), b64(b'{"iat":1}')), "no known key"),
    "no signature": (token(FRESH).rpartition(".")[0] + ".AAAA", "no known key"),
    "RS384": (token(FRESH, {"alg": "RS384"}), "not signed with RS256"),
    "RS512": (token(FRESH, {"alg": "RS512"}), "not signed with RS256"),
    "PS256": (token(FRESH, {"alg": "PS256"}), "not signed with RS256"),
    "rs256 in small letters": (token(FRESH, {"alg": "rs256"}), "not signed with RS256"),
    "no algorithm": (token(FRESH, {"typ": "JWT"}), "not signed with RS256"),
    "critical and unknown": (token(FRESH, HEADER | {"crit": ["exp"], "exp": 1}), "malformed"),
    "critical nothing": (token(FRESH, HEADER | {"crit": []}), "malformed"),
    "header a list": (token(FRESH, ["RS256"]), "malformed"),
    "header no json": (token(FRESH, b"\xff"), "malformed"),
    "header deep": (token(FRESH, b'{"alg":"RS256","x":' + b"[" * 2000), "malformed"),
    "exp not a number": (token(b'{"iat":1,"exp":NaN}'), "exp is no time"),
    "iat before time": (token({"iat": -1, "exp": 1}), "iat is no time"),
    "331 s long": (token({"iat": T, "exp": T + 331}), "out of bounds"),
    "a fraction over 330 s": (token({"iat": T, "exp": T + 330.5}), "out of bounds"),
    "no life at all": (token({"iat": T, "exp": T}), "out of bounds"),
    "30 s late": (token({"iat": T - 330, "exp": T - 30}), "expired"),
    "31 s early": (token({"iat": T + 31, "exp": T + 331}), "from the future"),
    "not before 31 s": (token(FRESH | {"nbf": T + 31}), "not valid yet"),
    "not before a text": (token(FRESH | {"nbf": "x"}), "nbf is no time"),
}


def test_the_44_are_44_and_7_of_them_are_benign() -> None:
    assert len(TRIED) == 44
    assert [reason for _, reason in TRIED.values()].count(None) == 7


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


def test_a_token_is_known_again() -> None:
    def known(header: str) -> int:
        return check_token(header, keys=KEYS, now=NOW)

    another = token(FRESH | {"jti": "another"})
    assert known(token(FRESH)) == known(f"Bearer {token(FRESH)}")
    assert known(token(FRESH)) != known(another)
    assert 0 <= known(another) < 2**63


def test_nobody_passes_without_keys() -> None:
    with pytest.raises(TokenRefused, match="no known key"):
        check_token(token(FRESH), keys=[], now=NOW)


def test_a_withdrawn_key_opens_nothing() -> None:
    old, new = token(FRESH), token(FRESH, key=OTHER)
    check_token(old, keys=KEYS, now=NOW)
    with pytest.raises(TokenRefused):
        check_token(old, keys=KEYS[1:], now=NOW)
    check_token(new, keys=KEYS[1:], now=NOW)


@given(st.text(max_size=80) | st.text("eyJ.-_=", max_size=80) | st.integers(0, 300).map(lambda n: token(FRESH)[:n]))
def test_no_other_text_passes(text: str) -> None:
    with pytest.raises(TokenRefused):
        check_token(text, keys=KEYS, now=NOW)


class TestKeyFiles:
    def test_are_read(self, tmp_path: Path) -> None:
        for name, key in (("a.pem", KEYS[0]), ("b.pem", KEYS[1])):
            (tmp_path / name).write_bytes(pem(key))
        loaded = load_public_keys([tmp_path / "a.pem", str(tmp_path / "b.pem")])
        check_token(token(FRESH, key=OTHER), keys=loaded, now=NOW)
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
