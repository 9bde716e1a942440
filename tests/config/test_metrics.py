"""`/metrics` speaks Prometheus's language, to whoever holds the token, and says so when PostgreSQL is away."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from outbox.models import Circuit, Heartbeat
from tests.config.conftest import Make, ago
from tests.config.test_settings import ROOT, django
from tests.helpers import Api, expect_problem

TOKEN = "token-of-the-tests"
Read = Callable[[], dict[str, float]]


@pytest.fixture(autouse=True)
def token(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def scrape(**headers: str) -> HttpResponse:
    response: HttpResponse = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"} | headers)
    return response


def families() -> list[Any]:
    """What a scrape says, read by the library's own parser."""
    return list(text_string_to_metric_families(scrape().content.decode()))


def samples() -> dict[str, float]:
    """Every sample of a scrape, its one label behind a slash."""
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in families()
        for sample in family.samples
    }


# --- who may look -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_is_read_with_the_token() -> None:
    response = scrape()

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer tökén", TOKEN]
)
def test_is_closed_without_the_token(stranger: Api, given: str) -> None:
    refused = stranger.get("/metrics", Authorization=given)

    expect_problem(refused, 401, "not_authenticated")
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in refused.content.decode()


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer "])
def test_does_not_exist_where_no_token_is_set(stranger: Api, settings: Settings, given: str) -> None:
    settings.METRICS_TOKEN = ""

    expect_problem(stranger.get("/metrics", Authorization=given), 404, "not_found")


def test_no_token_is_made_up_in_production() -> None:
    done = django("shell", "-c", "from django.conf import settings; print(f'<{settings.METRICS_TOKEN}>')")

    assert "<>" in done.stdout, done.stderr


# --- what it says -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_says_what_waits_and_for_how_long(catalogue_event: Make, billing_event: Make, message: Make) -> None:
    catalogue_event(300)
    catalogue_event(600, state="PARTLY", kind="enhanced")
    billing_event(800)
    billing_event(state="DEAD")
    message(1000)
    Heartbeat.objects.create(name="outbox.sweep", at=ago(30))
    Circuit.objects.create(name="platform", failures=7, open_until=timezone.now())

    seen = samples()

    assert seen == {name: pytest.approx(value, abs=5) if value > 10 else value for name, value in {
        "tonearm_up": 1,
        "tonearm_catalogue_events/waiting": 1,
        "tonearm_catalogue_events/partly": 1,
        "tonearm_catalogue_events/dead": 0,
        "tonearm_catalogue_oldest_waiting_seconds": 300,
        "tonearm_catalogue_overdue_seconds": 300,
        "tonearm_catalogue_silence_seconds/standard": 300,
        "tonearm_catalogue_silence_seconds/enhanced": 600,
        "tonearm_billing_events/waiting": 1,
        "tonearm_billing_events/dead": 1,
        "tonearm_billing_oldest_waiting_seconds": 800,
        "tonearm_billing_overdue_seconds": 800,
        "tonearm_outbox_messages/waiting": 1,
        "tonearm_outbox_messages/sending": 0,
        "tonearm_outbox_messages/dead": 0,
        "tonearm_outbox_oldest_unsent_seconds": 1000,
        "tonearm_plays_unbatched": 0,
        "tonearm_play_batches/waiting": 0,
        "tonearm_play_batches/sending": 0,
        "tonearm_play_batches/in_doubt": 0,
        "tonearm_plays_oldest_unsent_seconds": 0,
        "tonearm_sales_unknown": 0,
        "tonearm_refunds/waiting": 0,
        "tonearm_refunds/refused": 0,
        "tonearm_refunds/closing": 0,
        "tonearm_sweep_age_seconds": 30,
        "tonearm_breaker_open/platform": 1,
        "tonearm_breaker_open/bucket": 0,
        "tonearm_breaker_open/images": 0,
    }.items()}  # fmt: skip


@pytest.mark.django_db
def test_never_is_longer_than_any_alarm() -> None:
    seen = samples()

    assert seen["tonearm_catalogue_silence_seconds/enhanced"] == math.inf
    assert seen["tonearm_sweep_age_seconds"] == math.inf


@pytest.mark.django_db
def test_every_gauge_says_what_it_is_and_in_which_unit() -> None:
    for family in families():
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
        assert family.name.endswith("_seconds") == family.documentation.startswith("Seconds since ")


@pytest.mark.django_db
def test_every_gauge_is_in_the_operators_table() -> None:
    listed = re.findall(r"^\| `(tonearm_\w+)", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE)

    assert listed == [family.name for family in families()]


@pytest.mark.django_db
def test_costs_a_fixed_number_of_queries(message: Make, django_assert_num_queries: Callable[..., Any]) -> None:
    for _ in range(3):
        message()
        with django_assert_num_queries(24):
            scrape()


# --- when PostgreSQL is away ------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_says_that_postgresql_is_away(no_database: None) -> None:
    assert scrape().status_code == 200
    assert samples() == {"tonearm_up": 0}
