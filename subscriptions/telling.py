"""What the platform is told of a right to stream: a chain of windows, of which each is told a day before it begins.

The platform knows one subscription of a listener. Where several run at once, it is told the dearest, since
rightsholders are paid by the fee, and of equals the one that runs longest. The others wait until that one ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Least

from accounts.models import Listener
from outbox.actions import Draft, leave_all, send_all
from outbox.clock import database_now
from subscriptions.models import PlatformWindow, Subscription
from subscriptions.rules import LATE_MARGIN, START_WITHIN, Terms, window_at

EXTEND_SECONDS: Final = 30.0  # of one task, which is killed after 45
LAST_TOLD: Final = """
    SELECT wanted.id AS before, told.* FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[]) AS wanted (id, who, until)
    CROSS JOIN LATERAL (
        SELECT told.* FROM subscriptions_platformwindow AS told
         WHERE told.listener_id = wanted.who AND told.starts_at < wanted.until
         ORDER BY told.created_at DESC, told.starts_at DESC LIMIT 1
    ) AS told
"""

Running = Mapping[UUID, Sequence[Subscription]]


def tell_platform(listener: Listener, *, now: datetime, again: bool = False) -> list[PlatformWindow]:
    """Queue the stretch that runs now for the platform, or the next one when that is about to begin.

    Nothing where there is nothing to tell (yet): what has ended is not told, because the platform knows
    no cancelling, and its windows simply run out; what begins later is told a day before
    (`extend_windows`). Whatever differs from what was queued last is told anew, and with `again` everything.
    """
    soon = {}
    for each in Subscription.objects.lasting(now).filter(listener=listener).select_related("listener", "plan"):
        if each.starts_at > now + START_WITHIN:
            Subscription.objects.filter(pk=each.pk).update(told_until=each.starts_at)
        else:
            soon[each] = max(now, each.starts_at)
    fresh = store_windows(soon, now=now, again=again)
    send_all(map(draft_of, fresh))
    return fresh


@transaction.atomic
def tell_again(listener: Listener, *, now: datetime) -> list[PlatformWindow]:
    """A person's decision: tell the platform what holds now, whatever it was told before."""
    return tell_platform(Listener.objects.select_for_update().get(pk=listener.pk), now=now, again=True)


def store_windows(
    wanted: Mapping[Subscription, datetime], *, now: datetime, again: bool = False
) -> list[PlatformWindow]:
    """Store the stretches that hold the subscriptions' instants; of a listener's, the leader's. Their messages follow.

    What the platform was last told of the listener is left out, unless `again`. A later stretch, told ahead,
    takes nothing of an earlier one back.
    """
    running = running_of({each.listener_id for each in wanted}, now=now)
    leaders = {each: leader(each, running.get(each.listener_id, []), at=at) for each, at in wanted.items()}
    led = [window_of(each, at=at, now=now) for each, at in wanted.items() if leaders[each] == each]
    last = {} if again else last_told(led)
    fresh = sorted((each for each in led if facts_of(each) != last.get(each.pk)), key=lambda each: each.starts_at)
    clock = database_now()
    for window in fresh:
        window.created_at = clock
    PlatformWindow.objects.bulk_create(fresh)
    note_told([window.subscription_id for window in led])
    for window in fresh:
        others = [each for each in running[window.listener_id] if each != window.subscription]
        review([each for each in others if each.entitled_from <= now], at=window.expires_at)
    for each, ahead in leaders.items():
        if ahead != each:
            review([each], at=ahead.entitled_until)
    return fresh


def running_of(listeners: Set[UUID], *, now: datetime) -> Running:
    """The listeners' subscriptions that have not ended."""
    running: dict[UUID, list[Subscription]] = {}
    for each in Subscription.objects.lasting(now).filter(listener__in=listeners):
        running.setdefault(each.listener_id, []).append(each)
    return running


def leader(subscription: Subscription, rivals: Iterable[Subscription], *, at: datetime) -> Subscription:
    """The one of which the platform is told at an instant."""
    holding = [each for each in rivals if each.entitled_from <= at < each.entitled_until]
    return max(holding, key=lambda each: (each.recurring_fee, each.entitled_until, each.pk), default=subscription)


def window_of(subscription: Subscription, *, at: datetime, now: datetime) -> PlatformWindow:
    """The stretch that holds `at`, not stored yet; what takes over from another only then begins then."""
    terms = window_at(terms_of(subscription), at)
    if at > now:
        terms = replace(terms, starts_at=at)
    facts = {name: getattr(subscription, name) for name in ("plan", "recurring_fee", "currency", "country", "postcode")}
    dates = {name: getattr(terms, name) for name in ("activated_at", "starts_at", "trial_ends_at", "expires_at")}
    return PlatformWindow(subscription=subscription, listener=subscription.listener, **facts, **dates)


def last_told(wanted: Sequence[PlatformWindow]) -> dict[UUID, list[Any]]:
    """By window, the facts of what was queued last for its listener, but for what begins after it ends."""
    asked = [[each.pk, each.listener_id, each.expires_at] for each in wanted]
    told = PlatformWindow.objects.raw(LAST_TOLD, [list(column) for column in zip(*asked, strict=True)] or [[], [], []])
    return {each.before: facts_of(each) for each in told}  # type: ignore[attr-defined]


def facts_of(window: PlatformWindow) -> list[Any]:
    """Whose it is, and all that the platform is told of it."""
    return [window.subscription_id, *(getattr(window, name) for name in PlatformWindow.TOLD)]


def note_told(subscriptions: Sequence[UUID]) -> None:
    """Remember up to when the platform has been told of these."""
    newest = PlatformWindow.objects.filter(subscription=OuterRef("pk")).order_by("-created_at", "-starts_at")
    told = Subscription.objects.filter(pk__in=subscriptions)
    told.update(told_until=Subquery(newest.values("expires_at")[:1]))


def review(waiting: Iterable[Subscription], *, at: datetime) -> None:
    """Look at these again when that is over of which the platform has been told instead."""
    for each in waiting:
        Subscription.objects.filter(pk=each.pk).update(told_until=Least(at, F("entitled_until")))


def draft_of(window: PlatformWindow) -> Draft:
    return Draft(
        topic="subscription.tell",
        key=str(window.pk),
        lane=window.listener.platform_id,
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
    ending = Subscription.objects.lasting(now).filter(
        told_until__lt=F("entitled_until"), told_until__lte=now + START_WITHIN - LATE_MARGIN
    )
    mine = ending.select_for_update(of=["self"], skip_locked=True).select_related("listener", "plan")
    found = list(mine.order_by("told_until")[:limit])
    wanted = {each: max(now, each.told_until) for each in found if each.told_until is not None}
    leave_all(map(draft_of, store_windows(wanted, now=now)), at=database_now())
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
