"""The sweep that queues what the platform must be told next. `python -m benchmarks.renewals [subscriptions]`."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks import stand
from benchmarks.report import table, target

SUBSCRIPTIONS: Final = 100_000
PART: Final = 500  # as the sweep takes them
NOON: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)


def main(subscriptions: int) -> int:
    with stand.engines():
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        for first in range(0, subscriptions, PART):
            fill(range(first, min(first + PART, subscriptions)), DAY * 30 / subscriptions)
        return 0 if measure(subscriptions) else 1


def fill(numbers: range, apart: timedelta) -> None:
    """Subscriptions of a year that began one after another before NOON, told up to their first month's end."""
    from accounts.models import Listener, User
    from subscriptions.models import Plan, PlatformWindow, Subscription
    from subscriptions.telling import window_of

    plan = Plan.objects.get(code="premium-unlimited-streaming")
    users = User.objects.bulk_create(User(email=f"bench{number}@example.org") for number in numbers)
    listeners = Listener.objects.bulk_create(Listener(user=user, country="GB") for user in users)
    made, windows = [], []
    for number, listener in zip(numbers, listeners, strict=True):
        start = NOON - number * apart
        dates: dict[str, Any] = {"activated_at": start, "starts_at": start, "entitled_from": start, "as_of": start}
        dates |= {"expires_at": start + 365 * DAY, "entitled_until": start + 365 * DAY}
        subscription = Subscription(
            listener=listener, external_id=str(number), plan=plan, status="ACTIVE", recurring_fee=999,
            currency="GBP", country="GB", **dates,
        )  # fmt: skip
        window = window_of(subscription, at=start, now=start)
        subscription.told_until, window.state = window.expires_at, PlatformWindow.State.SYNCED
        made.append(subscription)
        windows.append(window)
    Subscription.objects.bulk_create(made)
    PlatformWindow.objects.bulk_create(windows)


def measure(subscriptions: int) -> bool:
    """Print the table; whether the targets were met."""
    from subscriptions.models import PlatformWindow

    runs = [
        timed("a day's renewals", lambda: swept(NOON + DAY)),
        timed("all others at once", lambda: swept(NOON + 31 * DAY)),
    ]
    queued = PlatformWindow.objects.filter(state="PENDING").count()
    bare = inserted()
    rows = [*runs, ("bare insertion of as many windows and messages", *bare)]
    ceiling = bare[0] / bare[1]
    table(
        f"{subscriptions:,} subscriptions, in parts of {PART}",
        ["", "queued", "seconds", "/s", "of the bare", "MiB more"],
        [
            [name, f"{count:,}", f"{seconds:.1f}", f"{count / seconds:,.0f}", f"{count / seconds / ceiling:.2f}",
             f"{grown:.1f}"]
            for name, count, seconds, grown in rows
        ],
    )  # fmt: skip
    return all(
        [
            target("queued", queued, subscriptions),
            target("a day's renewals", runs[0][2], 60, at_most=True, unit=" s"),
            target("all others at once against the bare insertion", runs[1][1] / runs[1][2] / ceiling, 0.2),
            target("memory that grew with them", runs[1][3], 16, at_most=True, unit=" MiB"),
        ]
    )


def timed(name: str, work: Callable[[], int]) -> tuple[str, int, float, float]:
    """How many it did, in how many seconds, and how many MiB more than ever before the process had at its peak."""
    before, began = peak(), time.perf_counter()
    count = work()
    return name, count, time.perf_counter() - began, peak() - before


def swept(now: datetime) -> int:
    """Sweep as beat does, one task after another, until nothing is left."""
    from subscriptions.telling import extend_all

    total = 0
    while found := extend_all(now=now):
        total += found
    return total


def inserted() -> tuple[int, float, float]:
    """The rows of the sweep once more into the same tables, emptied: how many windows, in how many seconds, 0 MiB."""
    from django.db import connection, transaction

    from outbox.models import Message
    from subscriptions.models import PlatformWindow

    windows = list(PlatformWindow.objects.filter(state="PENDING"))
    messages = list(Message.objects.filter(topic="subscription.tell"))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE subscriptions_platformwindow, outbox_message")
    began = time.perf_counter()
    for first in range(0, len(windows), PART):
        with transaction.atomic():
            PlatformWindow.objects.bulk_create(windows[first : first + PART])
            Message.objects.bulk_create(messages[first : first + PART])
    return len(windows), time.perf_counter() - began, 0


def peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SUBSCRIPTIONS))
