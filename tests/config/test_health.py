"""`/healthz` and `/readyz` say whether requests are served, and whether what lies behind them is well."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.utils import timezone

from outbox.models import Circuit, Heartbeat
from tests.config.conftest import Make, ago

pytestmark = pytest.mark.django_db


def ready() -> tuple[int, str, list[str]]:
    """The status, what is said in one word, and the checks that are not well."""
    answer = Client().get("/readyz")
    said = json.loads(answer.content)
    return answer.status_code, said["status"], [name for name, check in said["checks"].items() if not check["ok"]]


@pytest.fixture(autouse=True)
def swept() -> None:
    Heartbeat.objects.create(name="outbox.sweep")


def test_is_ok() -> None:
    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert json.loads(answer.content) == {
        "status": "ok",
        "checks": {
            "database": {"ok": True},
            "migrations": {"ok": True, "missing": 0},
            "broker": {"ok": True},
            "beat": {"ok": True, "age_seconds": 0},
            "outbox": {"ok": True, "oldest_seconds": 0, "dead": 0},
            "inbox": {"ok": True, "oldest_seconds": 0},
            "platform": {"ok": True, "failures": 0},
        },
    }


def test_valkey_away_is_degraded(no_valkey: None) -> None:
    assert ready() == (200, "degraded", ["broker"])


def test_a_stale_sweep_is_degraded() -> None:
    Heartbeat.objects.update(at=ago(61))
    assert ready() == (200, "degraded", ["beat"])

    Heartbeat.objects.all().delete()
    assert ready() == (200, "degraded", ["beat"])


def test_an_old_or_a_dead_message_is_degraded(message: Make) -> None:
    old = message(601)
    assert ready() == (200, "degraded", ["outbox"])

    old.delete()
    message(state="DEAD")
    assert ready() == (200, "degraded", ["outbox"])


@pytest.mark.parametrize("queue", ["billing", "catalogue"])
def test_an_overdue_event_is_degraded_and_one_put_off_is_not(request: pytest.FixtureRequest, queue: str) -> None:
    event: Make = request.getfixturevalue(f"{queue}_event")
    event(9000, due=-60)
    assert ready() == (200, "ok", [])

    event(601)
    assert ready() == (200, "degraded", ["inbox"])


def test_an_open_breaker_is_degraded() -> None:
    Circuit.objects.create(name="platform", failures=5, open_until=timezone.now())

    assert ready() == (200, "degraded", ["platform"])


@pytest.mark.django_db(transaction=True)
def test_without_postgresql_nothing_is_served(no_database: None) -> None:
    assert ready() == (503, "unavailable", ["database", "migrations"])
    assert Client().get("/healthz").status_code == 200
