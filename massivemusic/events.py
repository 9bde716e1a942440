"""Catalogue events: whether the caller at our door is the platform ("Technical Specification")."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.types import Options

from kernel.errors import Kind, Refusal

MAX_HEADER: Final = 8 * 1024
MAX_LIFE_SECONDS: Final = 330  # five minutes, and our leeway
LEEWAY_SECONDS: Final = 30
MIN_KEY_BITS: Final = 2048
END_OF_TIME: Final = 2**53  # beyond it a float tells no seconds apart

_TOKEN: Final = re.compile(r"(?:bearer +)?([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
# Which claims the platform sends beyond iat and exp is not public: none is asked for, and the times
# are judged here, against the caller's clock.
_SIGNATURE_ALONE: Final[Options] = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class TokenRefused(Refusal):
    """The Authorization header does not prove that the platform is calling; `reason` says why."""

    code, kind = "not_authenticated", Kind.UNAUTHENTICATED

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_token(authorization: str, *, keys: Sequence[RSAPublicKey], now: datetime) -> int:
    """Return if the header carries a token that one of `keys` signed and that is valid `now` (aware).

    RS256 only, with or without the word Bearer, at most 8 KiB, `iat` and `exp` numbers at most
    330 s apart, 30 s of leeway, no `crit`. Several keys serve a rotation; without any, nobody
    passes. What is returned are 63 bits by which the token is known when it comes again. Raises
    TokenRefused.
    """
    if len(authorization) > MAX_HEADER:
        raise TokenRefused("the header is too long")
    token = _TOKEN.fullmatch(authorization.strip(" "))
    if token is None:
        raise TokenRefused("no token")
    claims = _signed_claims(token[1], keys)
    _check_times(claims, now.timestamp())
    return _digest(token[1])


def load_public_keys(paths: Iterable[str | Path]) -> tuple[RSAPublicKey, ...]:
    """The RSA public keys (PEM, 2048 bits or more) in these files. Raises ValueError naming the file."""
    return tuple(_load(Path(path)) for path in paths)


def _signed_claims(token: str, keys: Sequence[RSAPublicKey]) -> dict[str, Any]:
    try:
        for key in keys:
            with contextlib.suppress(jwt.InvalidSignatureError):
                whole = jwt.decode_complete(token, key, algorithms=["RS256"], options=_SIGNATURE_ALONE)
                if "crit" in whole["header"]:
                    raise TokenRefused("the token has critical extensions")
                claims: dict[str, Any] = whole["payload"]
                return claims
    except jwt.InvalidAlgorithmError:
        raise TokenRefused("the token is not signed with RS256") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenRefused("the token is malformed") from None
    raise TokenRefused("no known key signed the token")


def _digest(token: str) -> int:
    """Of what is signed alone: a signature might be spelt in more ways than one."""
    signed, _, _ = token.rpartition(".")
    return int.from_bytes(hashlib.blake2b(signed.encode(), digest_size=8).digest(), "big") >> 1


def _check_times(claims: dict[str, Any], now: float) -> None:
    issued, expires = _instant(claims, "iat"), _instant(claims, "exp")
    if not 0 < expires - issued <= MAX_LIFE_SECONDS:
        raise TokenRefused("the token's life is out of bounds")
    if expires <= now - LEEWAY_SECONDS:
        raise TokenRefused("the token has expired")
    if issued > now + LEEWAY_SECONDS:
        raise TokenRefused("the token is from the future")
    if "nbf" in claims and _instant(claims, "nbf") > now + LEEWAY_SECONDS:
        raise TokenRefused("the token is not valid yet")


def _instant(claims: dict[str, Any], name: str) -> float:
    """A NumericDate: seconds since 1970, fractions allowed (RFC 7519, section 2)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < END_OF_TIME:
        raise TokenRefused(f"the token's {name} is no time")
    return value


def _load(path: Path) -> RSAPublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, TypeError) as problem:
        raise ValueError(f"{path}: no public key ({type(problem).__name__})") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise ValueError(f"{path}: not an RSA public key of {MIN_KEY_BITS} bits or more")
    return key
