"""What the kept events are good for: making the mirror again, and until when they are kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from catalogue import mirror
from catalogue.actions import LOCK_KEY, apply_bodies, cut
from catalogue.models import Artist, CatalogueEvent, Release

NO_VERSION: Final = -1  # below every version of the platform's
PRUNED_AT_ONCE: Final = 5000


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

    The event a release stands on is kept as long as the release, so that `rebuild` always can.
    """
    standing_on = Release.objects.filter(event_id=OuterRef("pk"))
    old = CatalogueEvent.objects.filter(
        state=CatalogueEvent.State.APPLIED, received_at__lt=now - timedelta(days=settings.CATALOGUE_EVENT_DAYS)
    )
    idle = list(old.exclude(Exists(standing_on)).order_by("pk").values_list("pk", flat=True)[:PRUNED_AT_ONCE])
    deleted, _ = CatalogueEvent.objects.filter(pk__in=idle).delete()
    return deleted
