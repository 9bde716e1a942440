"""What a view needs to know about its caller."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.actions import AccountClosed
from accounts.models import Listener
from accounts.tokens import BadToken, Caller, caller_of
from web.callers import ListenerRequest, listener_id_of


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>`, checked without a database."""

    def authenticate(self, request: Request) -> tuple[Caller, str] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, token = header.partition(" ")
        if not header:
            return None
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("sign in and send the access token as a Bearer token")
        try:
            return caller_of(token.strip()), token
        except BadToken:
            raise AuthenticationFailed("the access token is not valid or has run out") from None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells the OpenAPI document about our tokens."""

    target_class = "accounts.http.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def listener_of(request: ListenerRequest) -> Listener:
    """The caller's listener row. Raises AccountClosed when the account is closed or banned."""
    listeners = Listener.objects.select_related("user").filter(closed_at=None, user__is_active=True)
    listener = listeners.filter(pk=listener_id_of(request)).first()
    if listener is None:
        raise AccountClosed("this account is closed")
    return listener
