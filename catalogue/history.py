"""What the kept events are good for: making the mirror again, and until when they are kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from catalogue import mirror
from catalogue.actions import LOCK_KEY, apply_bodies, cut
from catalogue.models import Artist, CatalogueEvent, Release
from kernel.slices import in_slices

NO_VERSION: Final = -1  # below every version of the platform's
LOOKED_AT_AT_ONCE: Final = 5000  # events in one transaction
# What is needed gets out of the way of the next look: most of what is old is. LIMIT keeps to asking event by event.
LOOK: Final = """
    WITH old AS MATERIALIZED (
        SELECT id, (SELECT true FROM catalogue_release WHERE event_id = e.id LIMIT 1) AS needed
          FROM catalogue_catalogueevent e
         WHERE state = 'APPLIED' AND COALESCE(needed_at, received_at) < %(before)s
         ORDER BY COALESCE(needed_at, received_at) LIMIT %(most)s
           FOR UPDATE OF e SKIP LOCKED
    ), kept AS (
        UPDATE catalogue_catalogueevent SET needed_at = %(now)s WHERE id = ANY (ARRAY(SELECT id FROM old WHERE needed))
    ), gone AS (
        DELETE FROM catalogue_catalogueevent WHERE id = ANY (ARRAY(SELECT id FROM old WHERE needed IS NULL)) RETURNING 1
    )
    SELECT (SELECT count(*) FROM old), (SELECT count(*) FROM gone)
"""


class Look(NamedTuple):
    """How many events were old enough to be looked at, and how many of them are gone."""

    old: int
    gone: int


class EventsMissing(Exception):
    """Releases stand in the mirror of which no event is left; the message names how many, and some."""


def rebuild(*, now: datetime) -> int:
    """Apply every kept event again, from nothing, in one transaction; how many bodies.

    Readers see the old mirror until the new one stands. Ends in the same state as before, unless the
    mirror was wrong or is read otherwise now; only `change` goes on counting. Raises EventsMissing,
    and leaves everything as it was, where a release would be lost.
    """
    with connection.unhurried(), transaction.atomic():  # type: ignore[attr-defined]
        return apply_everything(now=now)


def apply_everything(*, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [LOCK_KEY])
    Release.objects.update(version=NO_VERSION)
    Artist.objects.update(version=NO_VERSION)
    bodies = 0
    for events in cut(CatalogueEvent.objects.order_by("pk").iterator(chunk_size=100)):
        mirror.prepare()
        apply_bodies(events, now=now)
        bodies += len(events)
    lost = Release.objects.filter(version=NO_VERSION)
    if some := list(lost.order_by("pk").values_list("pk", flat=True)[:5]):
        raise EventsMissing(f"no event is left of {lost.count()} release(s), such as {', '.join(map(str, some))}")
    return bodies


def prune(*, now: datetime) -> int:
    """Delete applied events that are older than settings.CATALOGUE_EVENT_DAYS and that nothing stands on; how many.

    The event a release stands on is kept as long as the release, so that `rebuild` always can. It is looked at again
    when as many days have passed once more. What there is no time for waits for the next hour.
    """
    looks: list[Look] = []

    def look_at_some() -> int:
        looks.append(look(now=now))
        return looks[-1].old

    in_slices(look_at_some, size=LOOKED_AT_AT_ONCE)
    return sum(each.gone for each in looks)


def look(*, now: datetime) -> Look:
    """Look at the events that nobody has looked at for longest, in one transaction."""
    before = now - timedelta(days=settings.CATALOGUE_EVENT_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(LOOK, {"before": before, "now": now, "most": LOOKED_AT_AT_ONCE})
        return Look(*cursor.fetchone())
