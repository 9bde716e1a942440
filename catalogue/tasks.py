"""Celery's side of the catalogue."""

from __future__ import annotations

from celery import shared_task

from catalogue.actions import apply_waiting


@shared_task(name="catalogue.apply")
def apply(**_: object) -> int:
    """Apply what waits: when the door says so, and every two seconds."""
    return apply_waiting()
