"""Celery's side of the ledger."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from usage.actions import batch_all_waiting_plays
from usage.partitions import ensure_partitions
from usage.retention import forget_old_plays


@shared_task(name="usage.batch")
def batch(**_: object) -> int:
    """Every minute: cut what waits into batches and queue them."""
    return batch_all_waiting_plays()


@shared_task(name="usage.partitions")
def partitions(**_: object) -> None:
    """Every hour: make room for the coming months, and drop those that are kept no longer."""
    now = timezone.now()
    ensure_partitions(now=now)
    forget_old_plays(now=now, months=settings.PLAY_MONTHS)
