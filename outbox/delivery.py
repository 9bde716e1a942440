"""Claim a message, carry it, record what came of it. The only retry policy of the house is here."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection
from datetime import timedelta
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from massivemusic.errors import PlatformError
from massivemusic.heard import hearing
from outbox import circuit
from outbox.claims import Overtaken, claim, commit, end, next_in
from outbox.models import Message, MessageQuerySet
from outbox.registry import Carrier, Delivery, Hook, Record, carrier_of

FIRST_WAIT_SECONDS: Final = 2.0
LONGEST_WAIT_SECONDS: Final = 300.0
FAULTS_TO_DIE: Final = 5
LANE_STRETCH: Final = 20  # messages one task carries before it lets others have a turn

log = logging.getLogger(__name__)


def deliver_lane(*, message_id: int) -> list[str]:
    """Carry one message and then, while they end well, those behind it in its lane; their states in order."""
    states: list[str] = []
    next_id: int | None = message_id
    while next_id is not None and len(states) < LANE_STRETCH:
        message = deliver_message(message_id=next_id)
        if message is None:
            break
        states.append(message.state)
        next_id = next_in(message.lane)
    return states


def deliver_message(*, message_id: int) -> Message | None:
    """Carry one message if it is ours to carry; None when it was not.

    Refused claims are ordinary: not due, not first in its lane, in another worker's hands, or the
    neighbour's circuit is open.
    """
    troubled = circuit.troubled()
    if troubled and not may_go(message_id):
        return None
    message = claim(message_id)
    if message is None:
        return None
    try:
        carry(message, troubled)
    except Overtaken:
        log.warning("message %s was overtaken", message.pk)
        return Message.objects.get(pk=message.pk)
    return message


def may_go(message_id: int) -> bool:
    """Whether the message is claimable and its neighbour's circuit lets a call out."""
    topic = Message.objects.claimable().filter(pk=message_id).values_list("topic", flat=True).first()
    return topic is not None and circuit.allows(neighbour_of(topic))


def neighbour_of(topic: str) -> str:
    """Whom a message of this topic goes to; the platform where nobody handles the topic, and nobody will be called."""
    try:
        return carrier_of(topic).neighbour
    except LookupError:
        return circuit.PLATFORM


def carry(message: Message, troubled: Collection[str]) -> None:
    """Hand the message to its carrier and settle the outcome, whatever it is.

    A neighbour of whom no failure was counted before needs no success to be counted either.
    """
    try:
        carrier = carrier_of(message.topic)
    except LookupError as error:
        finish(message, Message.State.DEAD, error=str(error))
        return
    try:
        with hearing() as answers:
            record = carrier.handler(delivery_of(message))
    except Overtaken:
        raise
    except PlatformError as error:
        note_health(error, carrier.neighbour)
        settle_failure(message, carrier, error)
    except Exception as error:
        log.exception("handler of %s failed", message.topic)
        settle_fault(message, carrier, error)
    else:
        if carrier.neighbour in troubled:
            note_end(carrier.neighbour, answers=answers.count)
        finish(message, Message.State.DONE, record)


def delivery_of(message: Message) -> Delivery:
    return Delivery(
        message_id=message.pk,
        topic=message.topic,
        key=message.key,
        body=message.body,
        attempt=message.attempts,
        commit=partial(pass_the_point_of_no_return, message),
    )


def pass_the_point_of_no_return(message: Message, record: Record) -> None:
    """Write down, before the call, that it is about to be made. Raises Overtaken when it is no longer ours.

    Where that cannot be written, the point is not passed: no call was made, so nothing is in doubt.
    """
    with transaction.atomic():
        at = commit(message)
        record()
    message.committed_at = at


def held(message: Message) -> MessageQuerySet:
    """The message, if it is still ours: same generation, still being sent."""
    return Message.objects.filter(pk=message.pk, state=Message.State.SENDING, generation=message.generation)


def note_health(error: PlatformError, neighbour: str = circuit.PLATFORM) -> None:
    """A verdict means the neighbour is well; a failure to get one counts against it."""
    if error.code is not None and error.code < 7000:
        circuit.succeeded(neighbour)
    else:
        circuit.failed(neighbour)


def note_end(neighbour: str, *, answers: int) -> None:
    """A message that ended well without a call says nothing of its neighbour, and keeps no other from asking."""
    if answers:
        circuit.succeeded(neighbour)
    else:
        circuit.unasked(neighbour)


def finish(message: Message, state: str, record: Record | None = None, *, error: str = "") -> None:
    """End the message and write its record in one transaction. Raises Overtaken when it is no longer ours."""
    with transaction.atomic():
        end(message, state, error=error)
        if record is not None:
            record()


def settle_failure(message: Message, carrier: Carrier, error: PlatformError) -> None:
    """In doubt where the call must not be repeated, dead where repeating is pointless, else later."""
    if message.committed_at is not None and error.in_doubt and carrier.doubt is not None:
        leave_in_doubt(message, carrier, error=str(error))
    elif error.permanent:
        finish(message, Message.State.DEAD, error=str(error))
    else:
        seconds = wait_before(message.attempts, at_least=error.retry_after or 0)
        postpone(message, carrier, seconds=seconds, error=str(error))


def settle_fault(message: Message, carrier: Carrier, error: Exception) -> None:
    """A bug of ours: some more tries, in case it is the world's fault after all, then a person."""
    text = f"{type(error).__name__}: {error}"[:2000]
    if message.committed_at is not None and carrier.doubt is not None:
        leave_in_doubt(message, carrier, error=text)
    elif message.faults + 1 >= FAULTS_TO_DIE:
        finish(message, Message.State.DEAD, error=text)
    else:
        held(message).update(faults=F("faults") + 1)
        postpone(message, carrier, seconds=wait_before(message.attempts), error=text)


def leave_in_doubt(message: Message, carrier: Carrier, *, error: str) -> None:
    """End the message without knowing how it ended, and let its owner write that down."""
    finish(message, Message.State.IN_DOUBT, note(carrier.doubt, message), error=error)


def postpone(message: Message, carrier: Carrier, *, seconds: float, error: str) -> None:
    """Back to waiting, until `seconds` from now; nothing was done, so the point of no return is open again."""
    due_at = Now() + timedelta(seconds=seconds)
    again = {"state": Message.State.WAITING, "due_at": due_at, "lease_until": None, "committed_at": None}
    with transaction.atomic():
        if held(message).update(**again, last_error=error) and (record := note(carrier.later, message)):
            record()
    message.state, message.last_error = Message.State.WAITING, error


def note(hook: Hook | None, message: Message) -> Record | None:
    """What the message's owner writes about its end."""
    return partial(hook, message.body) if hook else None


def wait_before(attempts: int, *, at_least: float = 0) -> float:
    """Seconds until the next try: doubling from 2 s to 5 min, with full jitter above half."""
    ceiling: float = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, 10))
    return max(at_least, ceiling * random.uniform(0.5, 1.0))  # noqa: S311
