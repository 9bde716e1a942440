"""Keeping the bodies the platform posts, before anybody looks into them."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import connection, transaction

from catalogue.models import CatalogueEvent
from outbox.wake import wake_now_and_then

WAKE_EVERY_SECONDS: Final = 0.2

INSERT: Final = """
    INSERT INTO catalogue_catalogueevent
           (kind, body, members, release_ids, token, state, attempts, outcome, last_error)
    VALUES (%(kind)s, %(body)s, %(members)s, %(release_ids)s, %(token)s, 'WAITING', 0, '{}', '')
    RETURNING id
"""
FIRST_SO_PROVED: Final = """
    SELECT id, body, token_reused FROM catalogue_catalogueevent
     WHERE token = %(token)s AND id <> %(id)s ORDER BY token, id LIMIT 1
"""

log = logging.getLogger(__name__)


def store_event(
    *, body: bytes, members: Sequence[Any], kind: str = CatalogueEvent.Kind.STANDARD, token: int | None = None
) -> int:
    """Keep one posted body, gzipped, and have a worker look once it is committed. The event's id."""
    values = {
        "kind": str(kind),
        "body": gzip.compress(body, 5),
        "members": len(members),
        "release_ids": releases_in(members),
        "token": token,
    }
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(INSERT, values)
        event_id: int = cursor.fetchone()[0]
    transaction.on_commit(lambda: wake_now_and_then("catalogue.apply", seconds=WAKE_EVERY_SECONDS), robust=True)
    return event_id


def watch_token(event_id: int, *, token: int, body: bytes) -> None:
    """Mark the event, and the first its token came with, where that one brought another body.

    A captured token looks like this, and so would a platform that signs several bodies at once: it is
    an alarm, raised once for each token, and no refusal. Call it after the commit: of two that come
    at the same moment, one sees the other.
    """
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(FIRST_SO_PROVED, {"token": token, "id": event_id})
        first = cursor.fetchone()
    if first is None or gzip.decompress(first[1]) == body:
        return
    first_id, _, known = first
    CatalogueEvent.objects.filter(pk__in=[first_id, event_id]).update(token_reused=True)
    if not known:
        log.error("catalogue events %s and %s came with one token: was it captured?", first_id, event_id)


def releases_in(members: Iterable[Any]) -> list[int]:
    """The ids of the releases a body speaks of, so that its events can be found again."""
    named = (member.get("id", member.get("releaseId")) for member in members if isinstance(member, dict))
    return sorted({id_ for id_ in named if type(id_) is int and 0 < id_ < 2**31})
