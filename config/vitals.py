"""How the work gets on, as PostgreSQL knows it: how much waits, for how long, and what stands still.

Whoever asks, asks again and again. So every question is answered along an index, and of many rows
only the first are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, Max, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from billing.models import BillingEvent
from catalogue.models import CatalogueEvent
from downloads.models import Purchase, Refund
from downloads.rules import open_since
from outbox.circuit import PLATFORM
from outbox.models import Circuit, Heartbeat, Message
from usage.models import TOPICS, Play, PlayBatch, PlayState
from usage.rules import REPORTABLE

A_DAY: Final = timedelta(days=1)
CAP: Final = 10_001  # rows that are counted at the most: so many means more than 10,000


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Rows that are to be worked off. Seconds are 0 when nothing waits.

    `oldest_seconds` is how long the oldest has been here; `overdue_seconds` is how long the most
    overdue has been due. One that is put off until later is not due.
    """

    waiting: int
    dead: int
    oldest_seconds: float
    overdue_seconds: float


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """Messages to the platform. `oldest_seconds` is the age of the oldest that waits or is being sent, or 0."""

    waiting: int
    sending: int
    dead: int
    oldest_seconds: float


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Plays in no batch yet, batches by state, and how long ago the oldest play was played that is not sent, or 0."""

    unbatched: int
    batches: dict[str, int]
    oldest_seconds: float


@dataclass(frozen=True, kw_only=True)
class Shop:
    """Sales of which nobody knows, and refunds that are not done: to be logged, refused, or closing within a day.

    What was refused counts for as long as its month may be open: afterwards nobody can do anything about it.
    """

    unknown: int
    waiting: int
    refused: int
    closing: int


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """Whether calls to a neighbour rest, and how many have failed in a row."""

    is_open: bool
    failures: int


def billing() -> Queue:
    return queue_of(BillingEvent.objects.all())


def catalogue() -> Queue:
    return queue_of(CatalogueEvent.objects.all())


def partly_applied() -> int:
    """Catalogue events of which some members were refused."""
    return counted(CatalogueEvent.objects.filter(state=CatalogueEvent.State.PARTLY))


def silence() -> dict[str, float | None]:
    """Per kind of catalogue event, how many seconds ago the last one came; None where none ever did."""
    return {kind: last_heard(kind) for kind in CatalogueEvent.Kind.values}


def last_heard(kind: str) -> float | None:
    newest = CatalogueEvent.objects.filter(kind=kind).order_by("-pk")
    age = newest.annotate(age=since("received_at")).values_list("age", flat=True).first()
    return None if age is None else seconds(age)


def outbox() -> Outbox:
    waiting = rows_and_age(Message.objects.waiting().order_by("due_at"), "created_at")
    sending = rows_and_age(Message.objects.filter(state=Message.State.SENDING).order_by("lease_until"), "created_at")
    return Outbox(
        waiting=waiting[0],
        sending=sending[0],
        dead=counted(Message.objects.filter(state=Message.State.DEAD)),
        oldest_seconds=max(waiting[1], sending[1]),
    )


def ledger() -> Ledger:
    states = (PlayBatch.State.WAITING, PlayBatch.State.SENDING, PlayBatch.State.IN_DOUBT)
    fresh = Play.objects.filter(state=PlayState.WAITING, batch=None).order_by("played_at")
    unbatched, oldest = rows_and_age(fresh, "played_at")
    return Ledger(
        unbatched=unbatched,
        batches={state.value: counted(PlayBatch.objects.filter(state=state)) for state in states},
        oldest_seconds=max(oldest, oldest_batched()),
    )


def oldest_batched() -> float:
    """How many seconds ago the oldest play in an unsent batch was played; 0 when there is none.

    Asks the outbox: a batch's deadline is its oldest play's 61st day.
    """
    first = Message.objects.waiting().order_by("due_at")[:CAP]
    deadline = Max(Now() + REPORTABLE - F("deadline"), filter=Q(topic__in=TOPICS.values()))
    return seconds(first.aggregate(age=deadline)["age"])


def shop() -> Shop:
    now = timezone.now()
    open_months, tomorrow = open_since(now), open_since(now + A_DAY)
    waiting, refused = (Refund.objects.filter(state=state) for state in (Refund.State.WAITING, Refund.State.REFUSED))
    mendable = refused.filter(asked_at__gte=open_months)  # nobody asks for a refund before the sale
    return Shop(
        unknown=counted(Purchase.objects.filter(state=Purchase.State.UNKNOWN)),
        waiting=counted(waiting),
        refused=counted(mendable),
        closing=sum(sold_in(open_months, tomorrow, first_of(refunds)) for refunds in (waiting, mendable)),
    )


def first_of(refunds: QuerySet[Refund]) -> QuerySet[Refund]:
    return refunds.order_by("asked_at")[:CAP]


def sold_in(start: datetime, end: datetime, refunds: QuerySet[Refund]) -> int:
    """How many of some refunds are of sales of `[start, end)`."""
    sold = Q(purchase__sold_at__gte=start, purchase__sold_at__lt=end)
    return counted(Refund.objects.filter(sold, pk__in=refunds.values("pk")))


def breaker(neighbour: str = PLATFORM) -> Breaker:
    circuit = Circuit.objects.filter(name=neighbour).first()
    if circuit is None:
        return Breaker(is_open=False, failures=0)
    return Breaker(is_open=circuit.open_until is not None, failures=circuit.failures)


def sweep_age() -> float | None:
    """How many seconds ago the outbox was last swept; None when it never was."""
    swept = Heartbeat.objects.filter(name="outbox.sweep")
    age = swept.annotate(age=since("at")).values_list("age", flat=True).first()
    return None if age is None else seconds(age)


# --- how it is asked --------------------------------------------------------------------------


def queue_of(events: QuerySet[Any]) -> Queue:
    """A table of events with `state`, `received_at` and `due_at`, and an index on `due_at` of those that wait."""
    first = events.filter(state="WAITING").order_by("due_at")[:CAP]
    seen = first.aggregate(rows=Count("pk"), oldest=Max(since("received_at")), overdue=Max(since("due_at")))
    return Queue(
        waiting=seen["rows"],
        dead=counted(events.filter(state="DEAD")),
        oldest_seconds=seconds(seen["oldest"]),
        overdue_seconds=seconds(seen["overdue"]),
    )


def counted(rows: QuerySet[Any]) -> int:
    """How many rows there are, up to CAP."""
    return rows[:CAP].count()


def rows_and_age(rows: QuerySet[Any], born: str) -> tuple[int, float]:
    """How many rows there are, up to CAP, and the age in seconds of the oldest of those, 0 where there is none."""
    seen = rows[:CAP].aggregate(rows=Count("pk"), age=Max(since(born)))
    return seen["rows"], seconds(seen["age"])


def since(column: str) -> Any:
    """How long ago a column's instant was, by PostgreSQL's own clock."""
    return Now() - F(column)


def seconds(age: timedelta | None) -> float:
    """An age in seconds; 0 where there is none, or where it is yet to come."""
    return 0.0 if age is None else max(0.0, age.total_seconds())
