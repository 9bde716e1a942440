"""What changes a listener's right to stream."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from accounts.actions import note_first_activation
from accounts.models import Listener
from billing.actions import Letter, store_letter
from billing.models import BillingEvent
from subscriptions.folding import Fact, Folded, fold
from subscriptions.ledger import record
from subscriptions.models import Plan, Subscription
from subscriptions.telling import tell_platform


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
    tell_platform(listener, now=now)
    return subscription


def transfer_subscription(*, provider: str, event_id: str, givers: list[str], taker: str, at: datetime) -> None:
    """Say, in the provider's name, that the one subscription a listener had of it at that time is another's now.

    Twice is once. Raises UnclearTransfer.
    """
    derived = f"{event_id}-transfer"
    if BillingEvent.objects.filter(provider=provider, event_id=derived).exists():
        return
    running = Subscription.objects.lasting(at).filter(listener__in=map(UUID, givers))
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
