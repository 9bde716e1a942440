"""Celery's side of the API."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from web import idempotency


@shared_task(name="web.prune")
def prune(**_: object) -> int:
    """Every hour: forget the keys of requests that nobody sends again any more."""
    return idempotency.prune(now=timezone.now())
