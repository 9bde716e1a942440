"""Celery's side of the outbox: ids in, one action each."""

from __future__ import annotations

from celery import shared_task

from outbox.delivery import deliver_lane
from outbox.sweep import sweep_outbox


@shared_task(name="outbox.deliver")
def deliver(*, message_id: int, **_: object) -> None:
    """Carry one message and its lane. Twice is once: the second claim finds nothing."""
    deliver_lane(message_id=message_id)


@shared_task(name="outbox.sweep")
def sweep(**_: object) -> int:
    """Every 10 s: find what nobody nudged."""
    return sweep_outbox()
