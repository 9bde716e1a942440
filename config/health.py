"""Is the process up; can it do its work; and is everything behind it well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any, Final

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from redis.exceptions import RedisError

from billing.models import BillingEvent
from catalogue.models import CatalogueEvent
from outbox.circuit import PLATFORM
from outbox.models import Circuit, Heartbeat, Message

BEAT_STALE: Final = timedelta(seconds=60)
MESSAGE_OLD: Final = timedelta(minutes=10)

Check = Callable[[], dict[str, Any]]


def alive(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 while requests can be served, 503 while they cannot (the database is away or not migrated).

    `degraded` means served, but something behind is not well: work waits, none is lost.
    """
    if not (essential := judged({"database": database, "migrations": migrations}))["ok"]:
        return JsonResponse({"status": "unavailable", "checks": essential["checks"]}, status=503)
    rest = judged({"broker": broker, "beat": beat, "outbox": outbox, "inbox": inbox, "platform": breaker})
    checks = essential["checks"] | rest["checks"]
    return JsonResponse({"status": "ok" if rest["ok"] else "degraded", "checks": checks})


def judged(checks: dict[str, Check]) -> dict[str, Any]:
    """Run the checks; one that fails to run is not well either."""
    results: dict[str, dict[str, Any]] = {}
    for name, check in checks.items():
        try:
            results[name] = check()
        except (DatabaseError, RedisError, OSError) as error:
            results[name] = {"ok": False, "detail": type(error).__name__}
    return {"ok": all(result["ok"] for result in results.values()), "checks": results}


def database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"ok": True}


def migrations() -> dict[str, Any]:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    return {"ok": missing == 0, "missing": missing}


@cache
def broker_client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)


def broker() -> dict[str, Any]:
    return {"ok": bool(broker_client().ping())}


def beat() -> dict[str, Any]:
    """Beat, broker and worker together: when the outbox was last swept."""
    at = Heartbeat.objects.filter(name="outbox.sweep").values_list("at", flat=True).first()
    age = None if at is None else timezone.now() - at
    return {
        "ok": age is not None and age < BEAT_STALE,
        "age_seconds": None if age is None else round(age.total_seconds()),
    }


def outbox() -> dict[str, Any]:
    """The oldest message that is not sent, and how many wait for a person."""
    oldest = (Message.objects.filter(state=state).order_by("id") for state in ("WAITING", "SENDING"))  # one index each
    age = max(age_of(messages.values_list("created_at", flat=True).first()) for messages in oldest)
    dead = Message.objects.filter(state=Message.State.DEAD).count()
    return {"ok": age < MESSAGE_OLD and not dead, "oldest_seconds": round(age.total_seconds()), "dead": dead}


def inbox() -> dict[str, Any]:
    """How long the billing or catalogue event that is most overdue has been due.

    One that is put off, because its account is not known yet, is not due and nothing is wrong.
    """
    due = [
        rows.filter(state="WAITING", due_at__lte=Now()).order_by("due_at").values_list("due_at", flat=True).first()
        for rows in (BillingEvent.objects, CatalogueEvent.objects)
    ]
    age = max(age_of(at) for at in due)
    return {"ok": age < MESSAGE_OLD, "oldest_seconds": round(age.total_seconds())}


def breaker() -> dict[str, Any]:
    circuit = Circuit.objects.filter(name=PLATFORM).first()
    is_open = circuit is not None and circuit.open_until is not None
    return {"ok": not is_open, "failures": circuit.failures if circuit else 0}


def age_of(at: Any) -> timedelta:
    return timedelta(0) if at is None else timezone.now() - at
