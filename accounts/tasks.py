"""Celery's side of accounts."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts.actions import forget_again, prune_sessions
from accounts.exports import expire_exports, make_exports


@shared_task(name="accounts.export")
def export(**_: object) -> int:
    """When one is asked for, and every half minute: make the exports that wait."""
    return make_exports()


@shared_task(name="accounts.prune")
def prune(**_: object) -> None:
    """Every hour: take away what has run out, and forget those who have left."""
    now = timezone.now()
    expire_exports(now=now)
    prune_sessions(now=now)
    forget_again(now=now)
