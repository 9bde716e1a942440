"""`/metrics`: gauges of how the work gets on, in Prometheus's text format.

They are read from PostgreSQL when they are asked for, so every process of every machine shows the same.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from config import vitals
from outbox.circuit import BUCKET, IMAGES, PLATFORM
from web.problems import respond

log = logging.getLogger(__name__)


def show(request: HttpRequest) -> HttpResponse:
    """GET /metrics, for whoever holds settings.METRICS_TOKEN; where none is set there is nothing here."""
    if not settings.METRICS_TOKEN:
        raise Http404
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(token.strip(), settings.METRICS_TOKEN):
        return respond(401, detail="this needs METRICS_TOKEN as a bearer token", headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class Gauges(Collector):
    """All gauges or, where PostgreSQL cannot be read, the one that says so."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            gauges = [*of_catalogue(), *of_billing(), *of_outbox(), *of_plays(), *of_the_shop(), *of_the_chain()]
        except DatabaseTrouble as error:
            log.error("no gauge can be read: %s", type(error).__name__)
            gauges = []
        yield gauge("up", "1 when PostgreSQL could be read, 0 when not: then no other gauge is here", bool(gauges))
        yield from gauges


REGISTRY: Final = CollectorRegistry()
REGISTRY.register(Gauges())


# --- the gauges -------------------------------------------------------------------------------


def of_catalogue() -> Iterator[GaugeMetricFamily]:
    seen = vitals.catalogue()
    states = {"waiting": seen.waiting, "partly": vitals.partly_applied(), "dead": seen.dead}
    yield counts("catalogue_events", "Catalogue events not applied, or not all of them", states, by="state")
    yield age("catalogue_oldest_waiting", "the oldest waiting catalogue event came", seen.oldest_seconds)
    yield age("catalogue_overdue", "the most overdue catalogue event was due", seen.overdue_seconds)
    yield age("catalogue_silence", "the last catalogue event came, +Inf for never", vitals.silence(), by="kind")


def of_billing() -> Iterator[GaugeMetricFamily]:
    seen = vitals.billing()
    states = {"waiting": seen.waiting, "dead": seen.dead}
    yield counts("billing_events", "Billing events not handled", states, by="state")
    yield age("billing_oldest_waiting", "the oldest waiting billing event came", seen.oldest_seconds)
    yield age("billing_overdue", "the most overdue billing event was due", seen.overdue_seconds)


def of_outbox() -> Iterator[GaugeMetricFamily]:
    seen = vitals.outbox()
    states = {"waiting": seen.waiting, "sending": seen.sending, "dead": seen.dead}
    yield counts("outbox_messages", "Messages to the platform not delivered", states, by="state")
    yield age("outbox_oldest_unsent", "the oldest unsent message was written", seen.oldest_seconds)


def of_plays() -> Iterator[GaugeMetricFamily]:
    seen = vitals.ledger()
    batches = {state.lower(): count for state, count in seen.batches.items()}
    yield counts("plays_unbatched", "Plays taken and in no batch yet", seen.unbatched)
    yield counts("play_batches", "Batches of plays not sent, or perhaps not", batches, by="state")
    yield age("plays_oldest_unsent", "the oldest unsent play was played", seen.oldest_seconds)


def of_the_shop() -> Iterator[GaugeMetricFamily]:
    seen = vitals.shop()
    refunds = {"waiting": seen.waiting, "refused": seen.refused, "closing": seen.closing}
    yield counts("sales_unknown", "Sales of which nobody knows whether the platform has logged them", seen.unknown)
    yield counts("refunds", "Refunds not done, and those of them whose time ends within a day", refunds, by="state")


def of_the_chain() -> Iterator[GaugeMetricFamily]:
    yield age("sweep_age", "the outbox was last swept, +Inf for never", vitals.sweep_age())
    rests = {neighbour: vitals.breaker(neighbour).is_open for neighbour in (PLATFORM, BUCKET, IMAGES)}
    yield gauge("breaker_open", "1 while calls to a neighbour rest because it failed", rests, by="neighbour")


def counts(name: str, what: str, value: int | Mapping[str, int], *, by: str = "") -> GaugeMetricFamily:
    return gauge(name, f"{what}, counted up to {vitals.CAP}", value, by=by)


def age(name: str, event: str, value: float | Mapping[str, float | None] | None, *, by: str = "") -> GaugeMetricFamily:
    """How many seconds ago something happened: 0 where nothing waits, +Inf where it never did."""
    return gauge(f"{name}_seconds", f"Seconds since {event}", value, by=by)


def gauge(name: str, text: str, value: float | Mapping[str, Any] | None, *, by: str = "") -> GaugeMetricFamily:
    """One number or, with the label `by`, one for each of its values; None is infinite."""
    family = GaugeMetricFamily(f"tonearm_{name}", f"{text}.", labels=[by] if by else [])
    for label, number in value.items() if isinstance(value, Mapping) else [("", value)]:
        family.add_metric([label] if by else [], math.inf if number is None else float(number))
    return family
