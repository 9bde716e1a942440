"""Celery's side of subscriptions."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from subscriptions.telling import extend_all


@shared_task(name="subscriptions.extend")
def extend(**_: object) -> int:
    """Every ten minutes: tell the platform of stretches that are about to begin."""
    return extend_all(now=timezone.now())
