"""Tokens for the door of catalogue events: good ones, and everything that somebody might try instead."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, Final
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY, OTHER, STRANGER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3))
HEADER: Final = {"alg": "RS256", "typ": "JWT"}


def fresh(at: int, **changes: Any) -> dict[str, Any]:
    """The claims of a token signed at this Unix time."""
    return {"iat": at, "exp": at + 300} | changes


def token(claims: Any, header: Any = HEADER, key: rsa.RSAPrivateKey = KEY) -> str:
    """Signed with RSA and SHA-256 whatever the header says. Bytes are taken as they are."""
    signed = unsigned(claims, header)
    return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def single(at: int) -> str:
    """A token like no other of the same second."""
    return token(fresh(at, jti=uuid4().hex))


def unsigned(claims: Any, header: Any) -> str:
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims))
    return ".".join(map(b64, parts))


def symmetric(secret: bytes, claims: Any, **header: Any) -> str:
    """Signed with HMAC and SHA-256."""
    signed = unsigned(claims, {"alg": "HS256"} | header)
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def pem(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def the_44(at: int) -> dict[str, tuple[str, str | None]]:
    """What was tried at this Unix time: Authorization headers, and why each is refused; None: it is benign.

    Which claims the platform sends beyond its times is not public, so none of them can tell friend from foe.
    """
    good = token(fresh(at))
    public, strange = pem(KEY.public_key()), {"kty": "RSA", "n": "AQAB", "e": "AQAB"}
    algorithm = "not signed with RS256"
    return {
        # algorithms and keys
        "none": (token(fresh(at), {"alg": "none"}), algorithm),
        "nOnE": (token(fresh(at), {"alg": "nOnE"}), algorithm),
        "hmac with the public key": (symmetric(public, fresh(at)), algorithm),
        "hmac with an empty key": (symmetric(b"", fresh(at)), algorithm),
        "list of algorithms": (token(fresh(at), {"alg": ["RS256"]}), algorithm),
        "null algorithm": (token(fresh(at), {"alg": None}), algorithm),
        "two algorithms": (token(fresh(at), b'{"alg":"RS256","alg":"none"}'), algorithm),
        "stranger's key": (token(fresh(at), key=STRANGER), "no known key"),
        "stranger's key in the header": (token(fresh(at), HEADER | {"jwk": strange}, STRANGER), "no known key"),
        "stranger's key by URL": (token(fresh(at), HEADER | {"jku": "http://127.0.0.1/"}, STRANGER), "no known key"),
        "key id of a file": (symmetric(b"", fresh(at), kid="../../../dev/null"), algorithm),
        "key id of a statement": (token(fresh(at), HEADER | {"kid": "' OR 1=1 --"}, STRANGER), "no known key"),
        "key id of nobody": (token(fresh(at), HEADER | {"kid": "7"}), None),
        "critical": (token(fresh(at), HEADER | {"crit": ["b64"], "b64": True}), "critical"),
        "unencoded": (token(fresh(at), HEADER | {"b64": False}), "malformed"),
        # times
        "no iat": (token({"exp": at + 300}), "iat is no time"),
        "no exp": (token({"iat": at}), "exp is no time"),
        "iat a text": (token(fresh(at, iat=str(at))), "iat is no time"),
        "iat true": (token({"iat": True, "exp": 2}), "iat is no time"),
        "exp null": (token(fresh(at, exp=None)), "exp is no time"),
        "exp infinite": (token(b'{"iat":1,"exp":Infinity}'), "exp is no time"),
        "exp beyond all": (token(fresh(at, iat=at + 0.5, exp=10**400)), "exp is no time"),
        "fractions": (token(fresh(at, iat=at - 0.25, exp=at + 299.75)), None),
        "ten years": (token(fresh(at, exp=at + 315_360_000)), "out of bounds"),
        "backwards": (token(fresh(at, exp=at - 1)), "out of bounds"),
        "expired": (token(fresh(at - 400)), "expired"),
        "from the future": (token(fresh(at + 200)), "from the future"),
        "not before later": (token(fresh(at, nbf=at + 200)), "not valid yet"),
        # audience and issuer
        "for somebody else": (token(fresh(at, aud="somebody")), None),
        "for several": (token(fresh(at, aud=["somebody", "anybody"])), None),
        "for a number": (token(fresh(at, aud=7)), None),
        "from somebody else": (token(fresh(at, iss="somebody")), None),
        "from a number": (token(fresh(at, iss=7)), None),
        # payload
        "claims a list": (token([at]), "malformed"),
        "claims no json": (token(b"hello"), "malformed"),
        # framing
        "two parts": (good.rpartition(".")[0], "no token"),
        "four parts": (f"{good}.x", "no token"),
        "encrypted": (".".join(["e30"] * 5), "no token"),
        "padding": (f"{good}==", "no token"),
        "other alphabet": (f"{good[:-4]}+/+/", "no token"),
        "line break": (f"Bearer\n{good}", "no token"),
        "two tokens": (f"{good},{good}", "no token"),
        "other scheme": (f"Basic {good}", "no token"),
        # size
        "a megabyte": (token(fresh(at, x="y" * 2**20)), "too long"),
    }
