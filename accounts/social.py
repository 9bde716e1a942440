"""Signing in with somebody else's account: Google's, Apple's, or any OpenID provider's.

An app brings the provider's id token; allauth checks it. Whoever comes for the first time is asked for their country.
"""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User


class SocialAdapter(DefaultSocialAccountAdapter):
    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        saved: User = super().save_user(request, sociallogin, form)
        return saved

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Any:
        """The provider, wary: allauth's own believe that every token has the members they look for."""
        found = super().get_provider(request, provider, client_id=client_id)
        verify = found.verify_token

        def verify_token(request: HttpRequest, token: dict[str, Any]) -> Any:
            try:
                return verify(request, token)
            except (KeyError, TypeError, AttributeError):
                raise self.validation_error("invalid_token") from None

        found.verify_token = verify_token
        return found
