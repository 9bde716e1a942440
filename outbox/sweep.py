"""What finds the work when nobody nudged: after a crash, a lost nudge, an emptied broker."""

from __future__ import annotations

import time
from typing import Final

from django.db.models.functions import Now

from outbox.delivery import deliver_lane, leave_in_doubt
from outbox.models import Heartbeat, Message
from outbox.registry import carrier_of
from outbox.wake import wake

LIMIT: Final = 500
CARRY_SECONDS: Final = 20.0  # the most one sweep spends on carrying by itself


def sweep_outbox() -> int:
    """Settle what a crash left, then nudge a worker for every claimable message; how many there were.

    Where the broker takes no nudge the messages are carried here and now, in this process.
    """
    settle_abandoned_calls()
    bury_the_late()
    due = list(Message.objects.claimable().order_by("due_at", "pk").values_list("pk", flat=True)[:LIMIT])
    end = time.monotonic() + CARRY_SECONDS
    for pk in due:
        if not wake("outbox.deliver", message_id=pk) and time.monotonic() < end:
            deliver_lane(message_id=pk)
    beat("outbox.sweep")
    return len(due)


def settle_abandoned_calls() -> None:
    """A worker died after the point of no return: nobody knows whether the platform heard it."""
    for message in Message.objects.abandoned().filter(committed_at__isnull=False)[:LIMIT]:
        carrier = carrier_of(message.topic)
        leave_in_doubt(message, carrier, error="the worker died while the call was out")


def bury_the_late() -> None:
    """What has passed its deadline unsent goes to a person instead of to the platform."""
    late = Message.objects.waiting().filter(deadline__lte=Now())
    late.update(state=Message.State.DEAD, finished_at=Now(), last_error="its deadline passed before it could be sent")


def beat(name: str) -> None:
    """Leave a sign of life for readyz."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": Now()})
