"""Celery's side of the ledger."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from usage.actions import batch_all_waiting_plays
from usage.partitions import ensure_partitions


@shared_task(name="usage.batch")
def batch(**_: object) -> int:
    """Every minute: cut what waits into batches and queue them."""
    return batch_all_waiting_plays()


@shared_task(name="usage.partitions")
def partitions(**_: object) -> None:
    """Every hour: see that the coming months have their partitions."""
    ensure_partitions(now=timezone.now())
