"""What accounts itself holds about a listener, and the API, which knows of none."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.db.models import Case, F, Value, When

from accounts.models import Listener, Residence, User
from accounts.registry import Rows, forgets, tells
from web.models import KeyedRequest


@tells("account")
def account(listener_id: UUID) -> Rows:
    own = Listener.objects.filter(pk=listener_id)
    login = {
        "email": F("user__email"),
        "signed_up_at": F("user__date_joined"),
        "last_signed_in_at": F("user__last_login"),
    }
    return own.values(
        "id", "country", "explicit_filter", "created_at", "on_platform_since", "subscribed_since", **login
    )


@tells("changes_by_staff")
def changes_by_staff(listener_id: UUID) -> Rows:
    rows: Rows = User.history.filter(id__in=User.objects.filter(listener=listener_id).values("pk")).values(
        "history_date", "is_active", "is_staff"
    )
    return rows


@tells("email_addresses")
def email_addresses(listener_id: UUID) -> Rows:
    rows: Rows = EmailAddress.objects.filter(user__listener=listener_id).values("email", "verified", "primary")
    return rows


@tells("country_history")
def country_history(listener_id: UUID) -> Rows:
    by = Case(When(changed_by=F("listener__user"), then=Value("you")), default=Value("us"))
    return Residence.objects.filter(listener=listener_id).order_by("since").values("country", "since", changed=by)


@tells("sessions")
def sessions(listener_id: UUID) -> Rows:
    own = UserSession.objects.filter(user__listener=listener_id).order_by("pk")
    rows: Rows = own.values("user_agent", "ip", "created_at", "last_seen_at")
    return rows


@tells("keyed_requests")
def keyed_requests(listener_id: UUID) -> Rows:
    own = KeyedRequest.objects.filter(listener_id=listener_id).order_by("since")
    for row in own.values("key", "target", "state", "since", "status", "headers", "body").iterator():
        yield row | {"body": bytes(row["body"]).decode()}


@forgets
def forget_keys(listener_ids: Sequence[UUID]) -> None:
    KeyedRequest.objects.filter(listener_id__in=listener_ids).delete()


if apps.is_installed("allauth.socialaccount"):
    from allauth.socialaccount.models import SocialAccount

    @tells("accounts_elsewhere")
    def accounts_elsewhere(listener_id: UUID) -> Rows:
        own = SocialAccount.objects.filter(user__listener=listener_id)
        rows: Rows = own.values("provider", "uid", "extra_data", "date_joined", "last_login")
        return rows
