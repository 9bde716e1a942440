"""The ledger of rights to stream: who could, when, on which plan, and what we held to be true at the time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Listener, country_at
from subscriptions.models import Period, Plan, Subscription
from subscriptions.timeline import Period as Stretch


def record(subscription: Subscription, stretches: Sequence[Stretch], *, plans: dict[str, Plan]) -> None:
    """Bring the ledger up to what is true now; what is not true any more is withdrawn, nothing is deleted.

    `plans` are by the names that billing gives them.
    """
    listeners = {str(pk): pk for pk in listeners_named({stretch.terms.account_id for stretch in stretches})}
    wanted = {
        facts_of(period): period
        for period in (
            period_of(subscription, stretch, listeners[stretch.terms.account_id], plans[stretch.terms.plan])
            for stretch in stretches
            if stretch.terms.account_id in listeners
        )
    }
    believed = {facts_of(period): period for period in subscription.periods.believed()}
    gone = [period.pk for facts, period in believed.items() if facts not in wanted]
    subscription.periods.filter(pk__in=gone).update(withdrawn_at=Now())
    Period.objects.bulk_create(period for facts, period in wanted.items() if facts not in believed)


def listeners_named(account_ids: set[str]) -> list[UUID]:
    return list(Listener.objects.filter(pk__in=account_ids).values_list("pk", flat=True))


def period_of(subscription: Subscription, stretch: Stretch, listener_id: UUID, plan: Plan) -> Period:
    terms = stretch.terms
    return Period(
        subscription=subscription,
        listener_id=listener_id,
        plan=plan,
        status=terms.status,
        recurring_fee=plan.fee(terms.recurring_fee),
        currency=terms.currency or plan.currency,
        country=terms.country or country_at(listener_id=listener_id, instant=stretch.starts_at),
        starts_at=stretch.starts_at,
        ends_at=stretch.ends_at,
    )


def facts_of(period: Period) -> tuple[object, ...]:
    """All that makes a period this one."""
    return (
        period.listener_id, period.plan_id, period.status, period.recurring_fee, period.currency, period.country,
        period.starts_at, period.ends_at,
    )  # fmt: skip


def was_entitled(listener_id: UUID, at: datetime, *, as_known_at: datetime | None = None) -> bool:
    """Whether the listener could stream at `at` (UTC), as far as is known now, or was known then."""
    periods = Period.objects.filter(listener=listener_id, starts_at__lte=at, ends_at__gt=at)
    if as_known_at is None:
        return periods.believed().exists()
    standing = Q(withdrawn_at=None) | Q(withdrawn_at__gt=as_known_at)
    return periods.filter(standing, recorded_at__lte=as_known_at).exists()
