"""Celery's side of downloads."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from outbox.actions import forget_done

KEPT = timedelta(days=30)  # a message whose work stands in rows of its own


@shared_task(name="downloads.prune")
def prune(**_: object) -> int:
    """Every hour: forget messages that only had something read, and ended well."""
    return forget_done(topics=["locker.read", "purchase.look"], before=timezone.now() - KEPT)
