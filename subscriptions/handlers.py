"""What billing and the platform bring to, and take from, subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from billing.registry import Happened, on_billing
from massivemusic.errors import PlatformError
from massivemusic.subscriptions import SubscriptionTerms, create_subscription, read_subscription
from outbox.platform import platform
from outbox.registry import Delivery, Record, handles
from subscriptions.actions import fold_billing_events, transfer_subscription
from subscriptions.models import PlatformWindow
from subscriptions.rules import Terms, broken, on_the_wire
from subscriptions.shapes import SubscriptionsTransferred, SubscriptionUpdated
from subscriptions.telling import terms_of


@on_billing("subscription.updated", shape=SubscriptionUpdated, subject="external_id")
def subscription_updated(event: Happened) -> None:
    """Fold everything known about the subscription; this event is among it."""
    fold_billing_events(external_id=event.subject, account_id=event.data.get("account_id"), now=timezone.now())


@on_billing("revenuecat.transfer", shape=SubscriptionsTransferred, subject="account_id")
def subscriptions_transferred(event: Happened) -> None:
    """Hand over what one listener had from RevenueCat to another. Raises UnclearTransfer."""
    transfer_subscription(
        provider=event.provider,
        event_id=event.event_id,
        givers=event.data["given_up_by"],
        taker=event.data["account_id"],
        at=event.occurred_at,
    )


def never_told(body: Mapping[str, Any]) -> None:
    """The window's time went by, or a person gave it up, before the platform could be told."""
    window = PlatformWindow.objects.filter(pk=body["window_id"], state=PlatformWindow.State.PENDING)
    window.update(state=PlatformWindow.State.REFUSED, detail="it could not be told in time")


@handles("subscription.tell", late=never_told, given_up=never_told)
def tell_subscription(delivery: Delivery) -> Record:
    """Tell the platform one window (Streaming guide §2.2).

    Twice is once: before a repeated try the platform is asked what it knows, and told only if
    that differs. A refusal is a result, kept with its reason, and does not stop the listener's lane.
    """
    window = PlatformWindow.objects.select_related("listener", "plan").get(pk=delivery.key)
    now = timezone.now()
    platform_id = window.listener.platform_id
    terms = on_the_wire(terms_of(window), now=now)
    if faults := broken(terms, now=now):
        return partial(
            settle, window, PlatformWindow.State.REFUSED, "; ".join(f"{fault.rule}: {fault.detail}" for fault in faults)
        )
    if delivery.attempt > 1 and already_told(window, terms):
        return partial(settle, window, PlatformWindow.State.SYNCED)
    try:
        create_subscription(platform(), user_id=platform_id, terms=wire_terms(window, terms))
    except PlatformError as no:
        if not no.permanent:
            raise
        return partial(settle, window, PlatformWindow.State.REFUSED, str(no))
    return partial(settle, window, PlatformWindow.State.SYNCED)


def already_told(window: PlatformWindow, terms: Terms) -> bool:
    """Whether an earlier try of ours got through although its answer was lost.

    The platform tells no more than plan level and expiry. Where an earlier window of the listener
    has the same expiry, that says nothing about this one.
    """
    earlier = PlatformWindow.objects.filter(listener=window.listener).exclude(pk=window.pk)
    if earlier.filter(expires_at=window.expires_at).exists():
        return False
    known = read_subscription(platform(), user_id=window.listener.platform_id, country=window.country)
    return known is not None and known.expires_at == terms.expires_at


def wire_terms(window: PlatformWindow, terms: Terms) -> SubscriptionTerms:
    return SubscriptionTerms(
        plan_code=window.plan.code,
        currency=window.currency,
        recurring_fee=window.recurring_fee,
        country=window.country,
        postcode=window.postcode or None,
        activated_at=terms.activated_at,
        starts_at=terms.starts_at,
        trial_ends_at=terms.trial_ends_at,
        expires_at=terms.expires_at,
    )


def settle(window: PlatformWindow, state: str, detail: str = "") -> None:
    """Write down how the platform took it."""
    PlatformWindow.objects.filter(pk=window.pk).update(state=state, detail=detail, told_at=Now())
