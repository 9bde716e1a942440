"""What changes a listener's right to stream."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.actions import note_first_activation
from accounts.models import Listener
from billing.models import BillingEvent
from outbox.actions import Draft, send
from subscriptions.folding import Fact, Folded, fold
from subscriptions.models import Plan, PlatformWindow, Subscription
from subscriptions.rules import START_WITHIN, Terms, first_window


class UnknownAccount(LookupError):
    """No listener has this account_id (yet); the event waits."""


class UnknownPlan(LookupError):
    """No plan has this code (yet); the event waits until somebody adds the plan in the admin."""


class ForeignSubscription(LookupError):
    """The subscription belongs to another account; a person must look."""


@transaction.atomic
def fold_billing_events(*, external_id: str, account_id: str, now: datetime) -> Subscription:
    """Derive the subscription from every stored event about it, and queue what the platform must be told.

    `account_id` is whom the event at hand names. Safe to repeat, in any order. Raises UnknownAccount,
    UnknownPlan or ForeignSubscription.
    """
    facts = [
        Fact(event_id=event.event_id, occurred_at=event.occurred_at, data=event.data)
        for event in BillingEvent.objects.about(external_id).filter(type="subscription.updated").defer("body")
        if event.occurred_at is not None
    ]
    folded = fold(facts)
    if folded.account_id != account_id:
        raise ForeignSubscription("this subscription belongs to another account")
    listener = listener_of(folded.account_id)
    if not Plan.objects.filter(pk=folded.plan_code).exists():
        raise UnknownPlan(f"no plan has the code {folded.plan_code}")
    subscription = write_subscription(external_id, listener, folded)
    note_first_activation(listener=listener, at=folded.activated_at)
    tell_platform(subscription, now=now)
    return subscription


def listener_of(account_id: str) -> Listener:
    """The account's listener, locked, so that its events are folded one at a time. Raises UnknownAccount."""
    try:
        return Listener.objects.select_for_update().get(pk=UUID(account_id), closed_at=None)
    except (Listener.DoesNotExist, ValueError):
        raise UnknownAccount("no listener has this account_id") from None


def write_subscription(external_id: str, listener: Listener, folded: Folded) -> Subscription:
    """Overwrite the row with what is true."""
    subscription, _ = Subscription.objects.update_or_create(
        external_id=external_id,
        defaults={
            "listener": listener,
            "plan_id": folded.plan_code,
            "status": folded.status,
            "recurring_fee": folded.recurring_fee,
            "currency": folded.currency,
            "country": folded.country,
            "postcode": folded.postcode,
            "activated_at": folded.activated_at,
            "starts_at": folded.starts_at,
            "trial_ends_at": folded.trial_ends_at,
            "expires_at": folded.expires_at,
            "entitled_until": folded.entitled_until,
            "cancel_at_period_end": folded.cancel_at_period_end,
            "as_of": folded.as_of,
        },
    )
    return subscription


def tell_platform(subscription: Subscription, *, now: datetime) -> PlatformWindow | None:
    """Queue the current window for the platform; None when there is nothing to tell (now).

    What has ended is not told: the platform knows no cancelling, its windows simply run out.
    """
    if subscription.entitled_until <= now or subscription.starts_at > now + START_WITHIN:
        return None
    terms = first_window(terms_of(subscription))
    window, _ = PlatformWindow.objects.get_or_create(
        subscription=subscription,
        plan=subscription.plan,
        starts_at=terms.starts_at,
        expires_at=terms.expires_at,
        recurring_fee=subscription.recurring_fee,
        defaults={
            "currency": subscription.currency,
            "country": subscription.country,
            "postcode": subscription.postcode,
            "activated_at": terms.activated_at,
            "trial_ends_at": terms.trial_ends_at,
        },
    )
    send(
        Draft(
            topic="subscription.tell",
            key=str(window.pk),
            lane=subscription.listener.platform_id,
            deadline=window.expires_at,
        )
    )
    return window


def terms_of(dated: Subscription | PlatformWindow) -> Terms:
    """The dates as the rules read them."""
    return Terms(
        trial=dated.plan.trial,
        activated_at=dated.activated_at,
        starts_at=dated.starts_at,
        trial_ends_at=dated.trial_ends_at,
        expires_at=dated.expires_at,
    )
