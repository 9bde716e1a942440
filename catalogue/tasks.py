"""Celery's side of the catalogue."""

from __future__ import annotations

from celery import shared_task

from catalogue.actions import apply_event, sweep_catalogue


@shared_task(name="catalogue.apply")
def apply(*, event_id: int, **_: object) -> None:
    """Apply one stored body."""
    apply_event(event_id=event_id)


@shared_task(name="catalogue.sweep")
def sweep(**_: object) -> int:
    """Every 10 s: apply what nobody was woken for."""
    return sweep_catalogue()
