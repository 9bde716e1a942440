"""Celery's side of the catalogue."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from catalogue.actions import apply_waiting
from catalogue.history import prune


@shared_task(name="catalogue.apply")
def apply(**_: object) -> int:
    """Apply what waits: when the door says so, and every two seconds."""
    return apply_waiting()


@shared_task(name="catalogue.prune")
def prune_events(**_: object) -> int:
    """Every hour: delete old events that nothing stands on."""
    return prune(now=timezone.now())
