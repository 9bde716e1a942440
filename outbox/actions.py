"""Putting a message into the outbox, and what a person may do with one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from kernel.slices import in_slices
from outbox.models import Message
from outbox.registry import Hook, carrier_of
from outbox.wake import wake

FORGOTTEN_AT_ONCE: Final = 5000  # messages in one transaction
# The oldest first, so that they are read along their index, and nothing else is.
FORGET: Final = """
    DELETE FROM outbox_message WHERE id = ANY (ARRAY(
        SELECT id FROM outbox_message WHERE state = 'DONE' AND topic = %(topic)s AND finished_at < %(before)s
         ORDER BY finished_at LIMIT %(most)s))
"""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message to be sent: `key` makes it one of its kind, `lane` keeps it in order with others."""

    topic: str
    key: str
    lane: str
    body: Mapping[str, Any] = field(default_factory=dict)
    deadline: datetime | None = None


def send(draft: Draft) -> None:
    """Store one message in the caller's transaction and wake a worker once that has committed.

    Safe to repeat: the same topic and key keep one message.
    """
    send_all([draft])


def send_all(drafts: Iterable[Draft]) -> None:
    """Store many messages; see `send`."""
    rows = [message_of(draft) for draft in drafts]
    keys = {(row.topic, row.key) for row in rows}
    keep(rows)
    transaction.on_commit(lambda: wake_all(keys), robust=True)


def leave_all(drafts: Iterable[Draft], *, at: datetime) -> None:
    """Store many messages as of `at`, by PostgreSQL's clock, for the sweep to find: nobody is woken for each."""
    keep([message_of(draft, created_at=at, due_at=at) for draft in drafts])


def keep(rows: Sequence[Message]) -> None:
    """Store those whose topic and key do not stand yet.

    That is looked up, and not left to the conflict alone: a conflict waits for the worker who is carrying the message,
    and the worker may wait for a row that our transaction has locked.
    """
    standing = Message.objects.filter(topic__in={row.topic for row in rows}, key__in={row.key for row in rows})
    there = set(standing.values_list("topic", "key"))
    fresh = [row for row in rows if (row.topic, row.key) not in there]
    Message.objects.bulk_create(fresh, ignore_conflicts=True)


def message_of(draft: Draft, **times: datetime) -> Message:
    return Message(**vars(draft) | {"body": dict(draft.body)} | times)


def wake_all(keys: set[tuple[str, str]]) -> None:
    """Tell the broker about fresh messages; what it does not hear, the sweep finds."""
    topics, names = {topic for topic, _ in keys}, [key for _, key in keys]
    fresh = Message.objects.claimable().filter(topic__in=topics, key__in=names)
    for pk in fresh.order_by("pk").values_list("pk", flat=True):
        if not wake("outbox.deliver", message_id=pk):
            return


def forget_done(*, topics: Iterable[str], before: datetime) -> int:
    """Forget messages that ended well before an instant, of topics whose keys never come again; how many.

    As many as there is time for: the others are forgotten the next time.
    """
    return sum(in_slices(partial(forget_some, topic=topic, before=before), size=FORGOTTEN_AT_ONCE) for topic in topics)


def forget_some(*, topic: str, before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"topic": topic, "before": before, "most": FORGOTTEN_AT_ONCE})
        return int(cursor.rowcount)


def retry(messages: Iterable[Message]) -> int:
    """A person's decision: try dead messages again from the start, late or not. How many there were."""
    pks = [message.pk for message in messages]
    dead = Message.objects.filter(pk__in=pks, state=Message.State.DEAD)
    return dead.update(
        state=Message.State.WAITING, faults=0, due_at=Now(), deadline=None, lease_until=None, committed_at=None
    )


def discard(messages: Iterable[Message]) -> int:
    """A person's decision: give dead messages up, so that their lanes go on. How many there were."""
    return sum(give_up(message.pk) for message in messages)


@transaction.atomic
def give_up(pk: int) -> bool:
    """End one dead message, with what that means to its owner; False when it is not dead (any more)."""
    message = Message.objects.select_for_update().filter(pk=pk, state=Message.State.DEAD).first()
    if message is None:
        return False
    message.state, message.finished_at = Message.State.DISCARDED, timezone.now()
    message.save(update_fields=["state", "finished_at"])
    if (hook := hook_of(message.topic)) is not None:
        hook(message.body)
    return True


def hook_of(topic: str) -> Hook | None:
    """What the topic's owner writes when a person gives a message up; None also where nobody handles the topic."""
    try:
        return carrier_of(topic).given_up
    except LookupError:
        return None
