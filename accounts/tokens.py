"""Access tokens: issued by allauth with our claims, checked here without a database.

RS256, `aud`, `iss`, `exp` and the kind of token are checked; the key is ours and fixed, whatever
the token's header suggests.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, Final
from uuid import UUID

import jwt
from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy, internal
from allauth.usersessions.models import UserSession
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models.functions import Now

from accounts.actions import AccountClosed
from web.callers import Hearing

MAX_TOKEN_BYTES: Final = 4096
LEEWAY_SECONDS: Final = 10
REMEMBERED: Final = 10_000
HEARING: Final = "SELECT country, explicit_filter FROM accounts_listener WHERE id = %(listener)s AND closed_at IS NULL"


class BadToken(Exception):
    """No access token of ours that counts now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who a request comes from, as its token says. `listener_id` is None for staff without a listener."""

    user_id: str
    listener_id: UUID | None
    expires_at: int
    is_authenticated: bool = True
    is_active: bool = True

    def hearing(self) -> Hearing:
        """Where the listener lives and what they hide, as of now. Raises AccountClosed."""
        with connection.prepared() as cursor:  # type: ignore[attr-defined]
            cursor.execute(HEARING, {"listener": self.listener_id})
            row = cursor.fetchone()
        if row is None:
            raise AccountClosed("this account is closed")
        return Hearing(country=row[0], explicit_filter=row[1])


class TokenStrategy(JWTTokenStrategy):
    """Allauth's tokens with our claims: audience, issuer, and the listener the login belongs to."""

    def get_claims(self, user: AbstractBaseUser) -> dict[str, Any]:
        listener = getattr(user, "listener", None)
        claims = {"aud": settings.TOKEN_AUDIENCE, "iss": settings.TOKEN_ISSUER}
        return claims | ({"listener": str(listener.pk)} if listener else {})

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """A new pair for a refresh token that was never used; None for any other, and for a login that is banned.

        A token that was used before is in two hands, and nobody can tell which of them is the phone's: its
        session ends, and with it every token of the family.
        """
        payload = internal.decode_token(refresh_token, "refresh")
        key = internal.session_key_from_sid(payload["sid"]) if payload else None
        if key is None:
            return None
        with transaction.atomic():
            session = Session.objects.select_for_update().filter(pk=key)
            if not session:  # locks it: of two refreshes at once, the second sees the first
                return None
            pair: tuple[str, str] | None = super().refresh_token(refresh_token)
            if pair is None:
                session.delete()
            UserSession.objects.filter(session_key=key).update(last_seen_at=Now())
            return pair


@cache
def public_key() -> RSAPublicKey:
    """The key that access tokens verify with."""
    private = load_pem_private_key(settings.HEADLESS_JWT_PRIVATE_KEY.encode(), password=None)
    if not isinstance(private, RSAPrivateKey):
        raise TypeError("HEADLESS_JWT_PRIVATE_KEY must be an RSA key")
    return private.public_key()


class _Remembered:
    """Callers of tokens seen lately, so that a busy phone's signature is checked once. Bounded, and expiring."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}
        self._lock = Lock()

    def get(self, token: str) -> Caller | None:
        caller = self._callers.get(token)
        return caller if caller and caller.expires_at > time.time() else None

    def put(self, token: str, caller: Caller) -> None:
        with self._lock:
            if len(self._callers) >= REMEMBERED:
                self._callers.clear()
            self._callers[token] = caller


_remembered = _Remembered()


def caller_of(token: str) -> Caller:
    """The caller an access token stands for. Raises BadToken, which does not say why."""
    if caller := _remembered.get(token):
        return caller
    if len(token) > MAX_TOKEN_BYTES:
        raise BadToken
    caller = verified(token)
    _remembered.put(token, caller)
    return caller


def verified(token: str) -> Caller:
    """Check every claim we rely on. Raises BadToken."""
    try:
        claims = jwt.decode(
            token,
            public_key(),
            algorithms=["RS256"],
            audience=settings.TOKEN_AUDIENCE,
            issuer=settings.TOKEN_ISSUER,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "aud", "iss", "sub", "jti"]},
        )
        if claims.get("token_use") != "access" or claims["exp"] - claims["iat"] > settings.MAX_TOKEN_SECONDS:
            raise BadToken
        listener = claims.get("listener")
        return Caller(
            user_id=str(claims["sub"]),
            listener_id=UUID(listener) if listener else None,
            expires_at=int(claims["exp"]) + LEEWAY_SECONDS,
        )
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise BadToken from error
