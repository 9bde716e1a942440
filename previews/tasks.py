"""Celery's side of previews."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from previews.reporting import batch_previews, forget_old_previews


@shared_task(name="previews.batch")
def batch(**_: object) -> int:
    """Every minute: cut what waits into reports and queue them."""
    return batch_previews(now=timezone.now())


@shared_task(name="previews.prune")
def prune(**_: object) -> int:
    """Every hour: forget what was settled long ago."""
    return forget_old_previews(now=timezone.now())
