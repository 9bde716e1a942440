"""Celery's side of billing."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from billing.actions import process_event, sweep_billing
from billing.personal import forget_unread_letters


@shared_task(name="billing.process")
def process(*, event_id: int, **_: object) -> None:
    """Act on one stored event."""
    process_event(event_id=event_id)


@shared_task(name="billing.sweep")
def sweep(**_: object) -> int:
    """Every 10 s: act on what nobody was woken for."""
    return sweep_billing()


@shared_task(name="billing.prune")
def prune(**_: object) -> int:
    """Every hour: empty what came long ago and was never read."""
    return forget_unread_letters(now=timezone.now())
