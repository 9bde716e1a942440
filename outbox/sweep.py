"""What finds the work when nobody nudged: after a crash, a lost nudge, an emptied broker."""

from __future__ import annotations

import logging
import time
from itertools import chain, zip_longest
from typing import Final

from django.db import transaction
from django.db.models.functions import Now

from outbox.circuit import PLATFORM
from outbox.claims import Overtaken
from outbox.delivery import deliver_lane, leave_in_doubt
from outbox.models import Heartbeat, Message
from outbox.registry import carrier_of, topics_by_neighbour
from outbox.wake import wake

LIMIT: Final = 500  # messages of one neighbour
CARRY_SECONDS: Final = 20.0  # the most one sweep spends on carrying by itself

log = logging.getLogger(__name__)


def sweep_outbox() -> int:
    """Settle what a crash left, then nudge a worker for every claimable message; how many there were.

    Where the broker takes no nudge the messages are carried here and now, in this process.
    """
    settle_abandoned_calls()
    drop_the_late()
    found = claimable_in_turns()
    end = time.monotonic() + CARRY_SECONDS
    for pk in found:
        if not wake("outbox.deliver", message_id=pk) and time.monotonic() < end:
            deliver_lane(message_id=pk)
    beat("outbox.sweep")
    return len(found)


def claimable_in_turns() -> list[int]:
    """What dead workers left, and of every neighbour's messages the longest due: one of each after the other.

    What is due to a neighbour who is away stays due, and would fill a share that all had in common. What nobody handles
    counts as the platform's. Each share is a statement of its own, since no index serves them together.
    """
    elsewhere = {name: topics for name, topics in topics_by_neighbour().items() if name != PLATFORM}
    due, abandoned = Message.objects.due().claimable(), Message.objects.abandoned().claimable()
    shares = [abandoned, due.exclude(topic__in=list(chain(*elsewhere.values())))]
    shares += [due.filter(topic__in=topics) for topics in elsewhere.values()]
    pks = [share.order_by("due_at", "pk").values_list("pk", flat=True)[:LIMIT] for share in shares]
    return [pk for turn in zip_longest(*pks) for pk in turn if pk is not None]


def settle_abandoned_calls() -> None:
    """A worker died after the point of no return: nobody knows whether the platform heard it."""
    for message in Message.objects.abandoned().filter(committed_at__isnull=False)[:LIMIT]:
        try:
            leave_in_doubt(message, carrier_of(message.topic), error="the worker died while the call was out")
        except Overtaken:
            continue  # another sweep was faster
        except Exception:
            log.exception("message %s stays unsettled", message.pk)  # and holds up no other


def drop_the_late() -> None:
    """What has passed its deadline unsent is dropped by its owner, or goes to a person, instead of to the platform."""
    for message in Message.objects.waiting().filter(deadline__lte=Now())[:LIMIT]:
        try:
            drop(message)
        except Exception:
            log.exception("message %s is late and stays so", message.pk)


@transaction.atomic
def drop(message: Message) -> None:
    """End one late message, with what that means to its owner."""
    late = carrier_of(message.topic).late
    state = Message.State.DISCARDED if late else Message.State.DEAD
    ended = Message.objects.waiting().filter(pk=message.pk)
    if ended.update(state=state, finished_at=Now(), last_error="its deadline passed before it could be sent") and late:
        late(message.body)


def beat(name: str) -> None:
    """Leave a sign of life for readyz."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": Now()})
