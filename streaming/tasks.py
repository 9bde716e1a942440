"""Celery's side of streaming."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from streaming.copies import prune_copies
from streaming.devices import prune_devices
from streaming.offline import settle_stuck
from usage.partitions import drop_partitions, ensure_partitions

GRANT_MONTHS = 3  # longer than the platform takes plays of


@shared_task(name="streaming.settle")
def settle(**_: object) -> int:
    """Every minute: switch off what a crash left half-switched."""
    return settle_stuck(now=timezone.now())


@shared_task(name="streaming.prune")
def prune(**_: object) -> None:
    """Every hour: forget removed devices, copies that ended long ago and old grants; make room for the next ones."""
    now = timezone.now()
    ensure_partitions(now=now, table="streaming_grant")
    drop_partitions(now=now, table="streaming_grant", months=GRANT_MONTHS)
    prune_copies(now=now)
    prune_devices(now=now)
