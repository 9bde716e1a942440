"""What lies behind the service, judged: for /readyz, and for `manage.py doctor`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final

import redis
from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from redis.exceptions import RedisError

from config import vitals
from config.logs import redact
from outbox.circuit import PLATFORM

BEAT_STALE_SECONDS: Final = 60
OLD_SECONDS: Final = 600  # for a message, or an event that is due
SKEW_SECONDS: Final = 60  # between our clock and another's


class Level(StrEnum):
    """How bad it is."""

    WELL = "well"
    WARNING = "warning"  # worth a look; the work goes on
    ILL = "ill"  # needs a person
    UNSEEN = "unseen"  # something else that is ill hides it


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found: a line for people and facts for machines, neither ever with a secret.

    The line is for operators alone; the facts are on /readyz, which anybody may be able to read.
    """

    level: Level
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.level in {Level.WELL, Level.WARNING}


Check = Callable[[], Finding]


def judged(text: str, *, ill: object = False, odd: object = False, **facts: Any) -> Finding:
    """A finding that needs a person if it is `ill`, a look if it is `odd`, and else nothing."""
    level = Level.ILL if ill else Level.WARNING if odd else Level.WELL
    return Finding(level=level, text=text, facts=facts)


def looked(check: Check) -> Finding:
    """What the check finds; one that fails to run has found something too."""
    try:
        return check()
    except (DatabaseTrouble, RedisError, OSError) as error:
        reason = redact(str(error)).strip().partition("\n")[0]
        kind = type(error).__name__
        return judged(reason or kind, ill=True, detail=kind)


# --- what no request can be served without ----------------------------------------------------


def database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        theirs: datetime = cursor.fetchone()[0]
    skew = (theirs - timezone.now()).total_seconds()
    major, minor = divmod(connection.pg_version, 10_000)  # type: ignore[attr-defined]
    return judged(f"PostgreSQL {major}.{minor} · {clocks(skew)}", odd=abs(skew) >= SKEW_SECONDS)


def migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    text = f"{missing} not applied: run manage.py migrate" if missing else "all applied"
    return judged(text, ill=missing, missing=missing)


# --- what the work behind them needs ----------------------------------------------------------


@cache
def broker_client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)


def broker() -> Finding:
    return judged("answers", ill=not broker_client().ping())


def beat() -> Finding:
    """Beat, broker and worker together: when the outbox was last swept."""
    age = vitals.sweep_age()
    text = "the outbox was never swept" if age is None else f"the outbox was swept {spoken(age)} ago"
    stale = age is None or age >= BEAT_STALE_SECONDS
    return judged(text, ill=stale, age_seconds=None if age is None else round(age))


def outbox() -> Finding:
    """The oldest message that is not sent, and how many wait for a person."""
    seen = vitals.outbox()
    unsent = f"{many(seen.waiting + seen.sending)} unsent, the oldest for {spoken(seen.oldest_seconds)}"
    text = f"{unsent if seen.oldest_seconds else 'nothing unsent'} · {many(seen.dead)} dead"
    ill = seen.oldest_seconds >= OLD_SECONDS or seen.dead
    return judged(text, ill=ill, oldest_seconds=round(seen.oldest_seconds), dead=seen.dead)


def inbox() -> Finding:
    """How long the billing or catalogue event that is most overdue has been due.

    One that is put off, because its account is not known yet, is not due and nothing is wrong.
    """
    billing, catalogue = vitals.billing(), vitals.catalogue()
    overdue = max(billing.overdue_seconds, catalogue.overdue_seconds)
    text = f"{many(billing.waiting)} billing and {many(catalogue.waiting)} catalogue events wait"
    text += f" · overdue for {spoken(overdue)}" if overdue else " · none is overdue"
    return judged(text, ill=overdue >= OLD_SECONDS, oldest_seconds=round(overdue))


def breaker(neighbour: str = PLATFORM) -> Finding:
    seen = vitals.breaker(neighbour)
    text = f"open after {seen.failures} failed calls in a row" if seen.is_open else "closed"
    return judged(text, ill=seen.is_open, failures=seen.failures)


# --- in words ---------------------------------------------------------------------------------


def spoken(seconds: float) -> str:
    """`7 s`, `12 min`, `3 h`, `2 days`: rounded down, and to one unit."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def many(count: int) -> str:
    """A count that stops at vitals.CAP."""
    return str(count) if count < vitals.CAP else f"more than {vitals.CAP - 1}"


def clocks(skew: float) -> str:
    """How another clock stands to ours; below two seconds is within the measure."""
    if abs(skew) < 2:
        return "its clock agrees with ours"
    return f"its clock is {spoken(abs(skew))} {'ahead of' if skew > 0 else 'behind'} ours"
