"""What support reads about a listener's right to stream: what billing said, what we made of it, what was told on."""

from __future__ import annotations

from typing import Final

from django.db.models import Q, QuerySet

from accounts.models import Listener
from billing.models import BillingEvent
from desk.cells import Table, kind_of, label, link, moment, money, state
from desk.story import LATEST, chapter, lane
from desk.strip import Span
from subscriptions.models import Period, PlatformWindow, Subscription

DRAWN: Final = 100


@lane("could stream", model="subscriptions.Subscription")
def rights(listener: Listener) -> list[Span]:
    own = Period.objects.believed().filter(listener=listener).order_by("-ends_at")
    return [
        Span(
            starts_at=each.starts_at, ends_at=each.ends_at, kind=kind_of(each.status),
            text=f"{each.status} on {each.plan_id}, {moment(each.starts_at)} to {moment(each.ends_at)}",
        )
        for each in own[:DRAWN]
    ]  # fmt: skip


@lane("platform told", model="subscriptions.PlatformWindow")
def told(listener: Listener) -> list[Span]:
    own = PlatformWindow.objects.filter(listener=listener).order_by("-created_at")
    return [
        Span(
            starts_at=each.starts_at, ends_at=each.expires_at, kind=kind_of(each.state),
            text=f"{each.state} {each.plan_id}, {moment(each.starts_at)} to {moment(each.expires_at)}",
        )
        for each in reversed(own[:DRAWN])
    ]  # fmt: skip


@chapter("Subscriptions", model="subscriptions.Subscription", place=10)
def subscriptions(listener: Listener) -> Table:
    own = Subscription.objects.filter(listener=listener).select_related("plan").order_by("-entitled_until")[:LATEST]
    return Table(
        headers=["subscription", "plan", "state", "fee", "entitled from", "until", "as of"],
        rows=[
            [
                link(each, each.external_id), each.plan, state(each.status), money(each.recurring_fee, each.currency),
                moment(each.entitled_from), moment(each.entitled_until), moment(each.as_of),
            ]
            for each in own
        ],
    )  # fmt: skip


@chapter("When they could stream", model="subscriptions.Subscription", place=20)
def periods(listener: Listener) -> Table:
    """The ledger, with what was once believed."""
    own = Period.objects.filter(listener=listener).select_related("plan", "subscription").order_by("-ends_at", "-pk")
    return Table(
        headers=["from", "until", "plan", "state", "fee", "country", "recorded", ""],
        rows=[
            [
                moment(each.starts_at), moment(each.ends_at), each.plan, state(each.status),
                money(each.recurring_fee, each.currency), each.country, moment(each.recorded_at),
                label(f"withdrawn {moment(each.withdrawn_at)}") if each.withdrawn_at else "",
            ]
            for each in own[:LATEST]
        ],
    )  # fmt: skip


@chapter("What the platform was told", model="subscriptions.PlatformWindow", place=30)
def windows(listener: Listener) -> Table:
    own = PlatformWindow.objects.filter(listener=listener).select_related("plan").order_by("-created_at")
    return Table(
        headers=["from", "until", "plan", "fee", "state", "told", "what it said"],
        rows=[
            [
                link(each, moment(each.starts_at)), moment(each.expires_at), each.plan,
                money(each.recurring_fee, each.currency), state(each.state), moment(each.told_at), each.detail or "–",
            ]
            for each in own[:LATEST]
        ],
    )  # fmt: skip


@chapter("What billing said", model="billing.BillingEvent", place=40)
def billing_events(listener: Listener) -> Table:
    return Table(
        headers=["event", "from", "happened", "came", "state", "last error"],
        rows=[
            [
                link(each, each.type), each.provider, moment(each.occurred_at), moment(each.received_at),
                state(each.state), each.last_error[:120] or "–",
            ]
            for each in events_about(listener).defer("body", "data").order_by("-received_at")[:LATEST]
        ],
    )  # fmt: skip


def events_about(listener: Listener) -> QuerySet[BillingEvent]:
    """Events about their subscriptions, and those in their name that could not be handled yet."""
    subjects = Subscription.objects.filter(listener=listener).values("external_id")
    stuck = Q(state__in=[BillingEvent.State.WAITING, BillingEvent.State.DEAD], data__account_id=str(listener.pk))
    return BillingEvent.objects.filter(Q(subject__in=list(subjects.values_list("external_id", flat=True))) | stuck)
