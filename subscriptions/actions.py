"""What changes a listener's right to stream."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, OuterRef, Subquery

from accounts.actions import note_first_activation
from accounts.models import Listener
from billing.actions import Letter, store_letter
from billing.models import BillingEvent
from outbox.actions import Draft, send_all
from subscriptions.folding import Fact, Folded, fold
from subscriptions.ledger import record
from subscriptions.models import Plan, PlatformWindow, Subscription
from subscriptions.rules import LATE_MARGIN, START_WITHIN, Terms, window_at

EXTEND_SECONDS: Final = 30.0  # of one task, which is killed after 45


class UnknownAccount(LookupError):
    """No listener has this account_id (yet); the event waits."""


class UnknownPlan(LookupError):
    """No plan has this code (yet); the event waits until somebody adds the plan in the admin."""


class ForeignSubscription(LookupError):
    """The subscription belongs to another account; a person must look."""


class UnclearTransfer(LookupError):
    """The listener has (yet) no subscription that could have been moved, or several; a person must look."""


@transaction.atomic
def fold_billing_events(*, external_id: str, account_id: str | None, now: datetime) -> Subscription | None:
    """Derive the subscription from every stored event about it, and queue what the platform must be told.

    `account_id` is whom the event at hand names, if anybody. Safe to repeat, in any order. None for an account that
    has been closed: billing goes on about it for a while. Raises UnknownAccount, UnknownPlan or
    ForeignSubscription.
    """
    lock(external_id)  # before reading: whoever folds next must see what we saw, and more
    facts = [
        Fact(event_id=event.event_id, occurred_at=event.occurred_at, data=event.data)
        for event in BillingEvent.objects.about(external_id).filter(type="subscription.updated").defer("body")
        if event.occurred_at is not None
    ]
    folded = fold(facts)
    owners = {folded.account_id, *(period.terms.account_id for period in folded.periods)}
    if account_id is not None and account_id not in owners:
        raise ForeignSubscription("this subscription belongs to another account")
    listener = listener_of(folded.account_id)
    if listener.closed_at is not None:
        return None
    plans = plans_named({folded.plan, *(period.terms.plan for period in folded.periods)})
    subscription = write_subscription(external_id, listener, folded, plan=plans[folded.plan])
    record(subscription, folded.periods, plans=plans)
    note_first_activation(listener=listener, at=folded.activated_at)
    tell_platform(subscription, now=now)
    return subscription


def transfer_subscription(*, provider: str, event_id: str, givers: list[str], taker: str, at: datetime) -> None:
    """Say, in the provider's name, that the one subscription a listener had of it at that time is another's now.

    Twice is once. Raises UnclearTransfer.
    """
    derived = f"{event_id}-transfer"
    if BillingEvent.objects.filter(provider=provider, event_id=derived).exists():
        return
    running = Subscription.objects.filter(listener__in=map(UUID, givers), entitled_until__gt=at)
    had = running.values_list("external_id", flat=True)
    told = BillingEvent.objects.filter(provider=provider, type="subscription.updated", subject__in=list(had))
    moved = sorted(set(told.values_list("subject", flat=True)))
    if len(moved) != 1:
        raise UnclearTransfer(f"{len(moved)} subscriptions could have been moved")
    store_letter(
        Letter(
            provider=provider,
            event_id=derived,
            type="subscription.updated",
            subject=moved[0],
            occurred_at=at,
            body=b"",
            data={"external_id": moved[0], "transferred_to": taker},
        )
    )


def plans_named(names: set[str]) -> dict[str, Plan]:
    """The plans by the names billing gives them: codes, or what they are sold as. Raises UnknownPlan."""
    plans = {name: Plan.objects.sold_as(name) for name in names}
    if unknown := sorted(name for name, plan in plans.items() if plan is None):
        raise UnknownPlan(f"no plan has the code, or is sold as, {', '.join(unknown)}")
    return {name: plan for name, plan in plans.items() if plan is not None}


def lock(external_id: str) -> None:
    """One fold of a subscription at a time, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"subscription:{external_id}"])


def listener_of(account_id: str) -> Listener:
    """The account's listener, locked, so that its events are folded one at a time. Raises UnknownAccount."""
    try:
        return Listener.objects.select_for_update().get(pk=UUID(account_id))
    except (Listener.DoesNotExist, ValueError):
        raise UnknownAccount("no listener has this account_id") from None


def write_subscription(external_id: str, listener: Listener, folded: Folded, *, plan: Plan) -> Subscription:
    """Overwrite the row with what is true. What billing does not say is the plan's default, or the listener's."""
    subscription, _ = Subscription.objects.update_or_create(
        external_id=external_id,
        defaults={
            "listener": listener,
            "plan": plan,
            "status": folded.status,
            "recurring_fee": plan.fee(folded.recurring_fee),
            "currency": folded.currency or plan.currency,
            "country": folded.country or listener.country,
            "postcode": folded.postcode,
            "activated_at": folded.activated_at,
            "starts_at": folded.starts_at,
            "trial_ends_at": folded.trial_ends_at,
            "expires_at": folded.expires_at,
            "entitled_from": folded.entitled_from,
            "entitled_until": folded.entitled_until,
            "cancel_at_period_end": folded.cancel_at_period_end,
            "as_of": folded.as_of,
        },
    )
    return subscription


def tell_platform(subscription: Subscription, *, now: datetime) -> PlatformWindow | None:
    """Queue the stretch that runs now for the platform, or the next one when that is about to begin.

    None when there is nothing to tell (yet): what has ended is not told, because the platform knows
    no cancelling, and its windows simply run out; what begins later is told a day before
    (`extend_windows`). Whatever differs from what was queued last is told anew.
    """
    if subscription.entitled_until <= now:
        return None
    if subscription.starts_at > now + START_WITHIN:
        Subscription.objects.filter(pk=subscription.pk).update(told_until=subscription.starts_at)
        return None
    return queue_window(subscription, at=max(now, subscription.starts_at))


def queue_window(subscription: Subscription, *, at: datetime) -> PlatformWindow | None:
    """Queue the stretch that holds `at`, unless the platform was last told just that."""
    queued = queue_windows([window_of(subscription, at=at)])
    return queued[0] if queued else None


def queue_windows(wanted: Sequence[PlatformWindow]) -> list[PlatformWindow]:
    """Store those of the windows, one a subscription, that the platform was not last told, with their messages.

    A later stretch, told ahead, takes nothing of an earlier one back.
    """
    last = {window.subscription_id: window for window in last_told(wanted)}
    fresh = [window for window in wanted if facts_of(window) != facts_of(last.get(window.subscription_id))]
    PlatformWindow.objects.bulk_create(fresh)
    newest = PlatformWindow.objects.filter(subscription=OuterRef("pk")).order_by("-created_at")
    concerned = Subscription.objects.filter(pk__in=[window.subscription_id for window in wanted])
    concerned.update(told_until=Subquery(newest.values("expires_at")[:1]))
    send_all(message_of(window) for window in fresh)
    return fresh


def window_of(subscription: Subscription, *, at: datetime) -> PlatformWindow:
    """The stretch that holds `at`, not stored yet."""
    terms = window_at(terms_of(subscription), at)
    facts = {name: getattr(subscription, name) for name in ("plan", "recurring_fee", "currency", "country", "postcode")}
    dates = {name: getattr(terms, name) for name in ("activated_at", "starts_at", "trial_ends_at", "expires_at")}
    return PlatformWindow(subscription=subscription, **facts, **dates)


LAST_TOLD: Final = """
    SELECT told.* FROM unnest(%s::uuid[], %s::timestamptz[]) AS wanted (subscription_id, until)
    CROSS JOIN LATERAL (
        SELECT * FROM subscriptions_platformwindow AS told
        WHERE told.subscription_id = wanted.subscription_id AND told.starts_at < wanted.until
        ORDER BY told.created_at DESC LIMIT 1
    ) AS told
"""


def last_told(wanted: Sequence[PlatformWindow]) -> Iterable[PlatformWindow]:
    """What was queued last for each window's subscription, but for what begins after the window."""
    subscriptions = [window.subscription_id for window in wanted]
    return PlatformWindow.objects.raw(LAST_TOLD, [subscriptions, [window.expires_at for window in wanted]])


def facts_of(window: PlatformWindow | None) -> list[Any]:
    """All that the platform is told of a window."""
    return [] if window is None else [getattr(window, name) for name in PlatformWindow.TOLD]


def message_of(window: PlatformWindow) -> Draft:
    return Draft(
        topic="subscription.tell",
        key=str(window.pk),
        lane=window.subscription.listener.platform_id,
        body={"window_id": str(window.pk)},
        deadline=window.expires_at,
    )


def extend_all(*, now: datetime) -> int:
    """Queue what is about to begin, part by part, so that memory and locks stay small; how many there were.

    What half a minute does not suffice for is left for the next time.
    """
    total, end = 0, time.monotonic() + EXTEND_SECONDS
    while time.monotonic() < end and (found := extend_windows(now=now)):
        total += found
    return total


@transaction.atomic
def extend_windows(*, now: datetime, limit: int = 500) -> int:
    """Queue the next stretch of subscriptions that outlast what the platform has been told; how many were looked at.

    A stretch is told up to a day before it begins. What somebody else holds is left for the next time.
    """
    ending = Subscription.objects.filter(
        told_until__lt=F("entitled_until"), told_until__lte=now + START_WITHIN - LATE_MARGIN, entitled_until__gt=now
    )
    mine = ending.select_for_update(of=["self"], skip_locked=True).select_related("listener", "plan")
    found = list(mine.order_by("told_until")[:limit])
    queue_windows([window_of(each, at=max(now, each.told_until)) for each in found if each.told_until is not None])
    return len(found)


def terms_of(dated: Subscription | PlatformWindow) -> Terms:
    """The dates as the rules read them."""
    return Terms(
        trial=dated.plan.trial,
        activated_at=dated.activated_at,
        starts_at=dated.starts_at,
        trial_ends_at=dated.trial_ends_at,
        expires_at=dated.expires_at,
    )
