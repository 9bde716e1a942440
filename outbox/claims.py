"""A message's way from waiting to its end, a prepared statement a step: workers take it hundreds of times a second."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from outbox.models import CLAIMABLE, Message

LEASE: Final = timedelta(seconds=60)  # longer than any handler's deadline
NAMES: Final = [field.attname for field in Message._meta.concrete_fields]
COLUMNS: Final = ", ".join(f"outbox_message.{name}" for name in NAMES).replace(".body,", ".body::text,")

# The commit does not wait for the disk: a claim that a crash forgets is free for the next worker.
CLAIM: Final = f"""
    UPDATE outbox_message
       SET state = 'SENDING', attempts = attempts + 1, generation = generation + 1,
           lease_until = statement_timestamp() + %(lease)s
      FROM set_config('synchronous_commit', 'off', true)
     WHERE outbox_message.id = %(id)s AND {CLAIMABLE}
 RETURNING {COLUMNS}
"""  # noqa: S608
COMMIT: Final = """
    UPDATE outbox_message SET committed_at = statement_timestamp(), lease_until = statement_timestamp() + %(lease)s
     WHERE id = %(id)s AND state = 'SENDING' AND generation = %(generation)s
 RETURNING committed_at
"""
END: Final = """
    UPDATE outbox_message
       SET state = %(state)s, finished_at = statement_timestamp(), lease_until = NULL, last_error = %(error)s
     WHERE id = %(id)s AND state = 'SENDING' AND generation = %(generation)s
 RETURNING finished_at
"""
NEXT: Final = f"SELECT id FROM outbox_message WHERE lane = %(lane)s AND {CLAIMABLE} ORDER BY id LIMIT 1"  # noqa: S608


class Overtaken(Exception):
    """Our lease ended and somebody else claimed the message: whatever we know is theirs to find out."""


def claim(message_id: int) -> Message | None:
    """Take the message for LEASE by one conditional UPDATE; None when it is not claimable, or another was faster."""
    row = answer(CLAIM, id=message_id, lease=LEASE)
    if row is None:
        return None
    message = Message.from_db(connection.alias, NAMES, row)
    message.body = json.loads(message.body)
    return message


def commit(message: Message) -> datetime:
    """Pass the point of no return in the caller's transaction; when. Raises Overtaken when it is no longer ours."""
    row = answer(COMMIT, id=message.pk, generation=message.generation, lease=LEASE)
    if row is None:
        raise Overtaken
    at: datetime = row[0]
    return at


def end(message: Message, state: str, *, error: str) -> None:
    """Write down how the message ended. Raises Overtaken when it is no longer ours."""
    row = answer(END, id=message.pk, generation=message.generation, state=state, error=error)
    if row is None:
        raise Overtaken
    (message.finished_at,) = row
    message.state, message.lease_until, message.last_error = state, None, error


def next_in(lane: str) -> int | None:
    """The message that is now first in its lane, if it is claimable."""
    row = answer(NEXT, lane=lane)
    return int(row[0]) if row else None


def answer(statement: str, **facts: Any) -> Any:
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(statement, facts)
        return cursor.fetchone()
