"""What subscriptions, and the billing events they are folded from, hold about a listener."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.registry import Rows, forgets, tells
from billing.models import BillingEvent
from billing.personal import forget_letters, told_of, trail_of
from subscriptions.models import Period, PlatformWindow, Subscription

TERMS: Final = (
    "plan_id", "recurring_fee", "currency", "country", "postcode", "activated_at", "starts_at", "trial_ends_at",
    "expires_at",
)  # fmt: skip


@tells("subscriptions")
def subscriptions(listener_id: UUID) -> Rows:
    own = Subscription.objects.filter(listener=listener_id).order_by("activated_at")
    rows: Rows = own.values(
        "external_id", "status", *TERMS, "entitled_from", "entitled_until", "cancel_at_period_end", "as_of"
    )
    return rows


@tells("subscription_history")
def history(listener_id: UUID) -> Rows:
    own = Period.objects.filter(listener=listener_id).order_by("starts_at", "pk")
    rows: Rows = own.values(
        "subscription__external_id", "starts_at", "ends_at", "status", "plan_id", "recurring_fee", "currency",
        "country", "recorded_at", "withdrawn_at",
    )  # fmt: skip
    return rows


@tells("told_to_the_platform")
def windows(listener_id: UUID) -> Rows:
    own = PlatformWindow.objects.filter(listener=listener_id).order_by("created_at")
    rows: Rows = own.values("subscription__external_id", *TERMS, "state", "detail", "created_at", "told_at")
    return rows


@tells("billing_events")
def billing_events(listener_id: UUID) -> Rows:
    return told_of(events_of([listener_id]))


@forgets
def forget_payers(listener_ids: Sequence[UUID]) -> None:
    """Take the postcodes and the raw letters away; what they said of dates and money stays, to be folded again.

    Left alone for now, and met again later: an event that is being folded, a window still to be told.
    """
    Subscription.objects.filter(listener__in=listener_ids).exclude(postcode="").update(postcode="")
    told = PlatformWindow.objects.exclude(state=PlatformWindow.State.PENDING)
    told.filter(listener__in=listener_ids).exclude(postcode="").update(postcode="")
    forget_letters(events_of(listener_ids))


def events_of(listener_ids: Sequence[UUID]) -> QuerySet[BillingEvent]:
    """Every event about the listeners' subscriptions that names them and nobody else, and about what these cost."""
    subjects = list(Subscription.objects.filter(listener__in=listener_ids).values_list("external_id", flat=True))
    named = Q(subject__in=subjects, data__account_id__in=[str(each) for each in listener_ids])
    return BillingEvent.objects.filter(named | Q(pk__in=trail_of(subjects)))
