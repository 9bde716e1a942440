"""Where allauth's sign-up becomes ours: a login and a listener, or neither."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.usersessions.models import UserSession
from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from accounts.actions import register_listener
from accounts.models import User
from kernel.values import is_country
from web.limits import address_of

log = logging.getLogger(__name__)


class SignupForm(forms.Form):
    """What sign-up asks beside e-mail and password."""

    country = forms.CharField(max_length=2, help_text="ISO 3166-1 alpha-2, upper case")

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"]
        if not is_country(country):
            raise ValidationError("Use an ISO 3166-1 alpha-2 code in upper case.", code="invalid_country")
        return country

    def signup(self, request: HttpRequest, user: User) -> None:
        """Allauth wants this hook; the work is done in `AccountAdapter.save_user`, in one transaction."""


class AccountAdapter(DefaultAccountAdapter):
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        try:
            with transaction.atomic():
                saved: User = super().save_user(request, user, form, commit)
                register_listener(user=saved, country=form.cleaned_data["country"], now=timezone.now())
        except IntegrityError:  # a double tap: the other one was faster, and its answer is on its way
            raise ImmediateHttpResponse(email_taken()) from None
        return saved

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """What failed sign-ins are counted by: the login, whoever guesses.

        An address that the login has signed in from counts by itself, so that no guesser elsewhere locks it out.
        """
        email, address = str(credentials.get("email", "")).lower(), self.get_client_ip(request)
        at_home = UserSession.objects.filter(user__email=email, ip=address).exists()
        return f"{email} at {address}" if at_home else email

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        if User.objects.filter(email=email_address.email).exclude(pk=email_address.user_id).exists():
            raise ImmediateHttpResponse(email_taken())  # somebody has signed up with it since
        confirmed: bool = super().confirm_email(request, email_address)
        return confirmed

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send it now, or not at all: whoever waits for it asks again, and nobody's sign-up hangs on a mail server."""
        try:
            super().send_mail(template_prefix, email, context)
        except OSError as error:
            log.error("e-mail %s not sent: %s", template_prefix, type(error).__name__)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that rate limits go by, the same for sign-in as for everything else; 0.0.0.0 where it is none."""
        try:
            return str(ip_address(address_of(request).partition("%")[0]))  # a zone means nothing to anybody else
        except ValueError:
            return "0.0.0.0"  # noqa: S104  nobody listens there


def email_taken() -> JsonResponse:
    """In allauth's own words and shape."""
    error = {"message": "A user is already registered with this email address.", "code": "email_taken"}
    return JsonResponse({"status": 400, "errors": [error | {"param": "email"}]}, status=400)
