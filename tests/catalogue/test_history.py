"""The kept events make the mirror again, and only what nothing stands on is ever deleted."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue import history
from catalogue.actions import apply_waiting
from catalogue.history import prune
from catalogue.models import Artist, CatalogueEvent, Offer, Release, Track
from tests.catalogue.test_apply_events import state
from tests.helpers import apply_member, no_more_deletes, offer, release_event, stored_event, track_member
from tests.plans import rows_looked_at

pytestmark = pytest.mark.django_db
MANY = 2500
EVENTS = """
    INSERT INTO catalogue_catalogueevent (kind, received_at, body, members, release_ids, state, attempts, outcome,
                                          last_error)
    SELECT 'standard', %(at)s, '', 1, '{}', 'APPLIED', 0, '{}', '' FROM generate_series(1, %(many)s)
 RETURNING id
"""


def came(*bodies: list[Any]) -> None:
    for members in bodies:
        stored_event(body=json.dumps(members).encode(), members=members)
    apply_waiting()


HISTORY: list[list[Any]] = [
    [release_event(1, version=2, title="Second"), release_event(2)],
    [release_event(1, version=1, title="First"), None],
    [{"id": 2, "version": 5, "takedown": True}, release_event(3, tracks=[track_member(31, offers=[offer(["US"])])])],
    [release_event(3, version=2, artist={"id": 501, "name": "Renamed"}, tracks=[track_member(32)])],
    [release_event(2, version=3), release_event(-1)],
    [release_event(1, version=2, title="Contradiction")],
]


def test_rebuilding_ends_in_the_same_state() -> None:
    came(*HISTORY)
    before = state()
    outcomes = list(CatalogueEvent.objects.order_by("pk").values_list("state", "outcome"))

    Offer.objects.all().delete()
    Track.objects.update(title="spoilt", gone_at=None)
    Release.objects.standing().update(title="spoilt")  # what a tombstone still shows depends on what came before it
    Artist.objects.update(name="spoilt")
    out = StringIO()
    call_command("rebuild_catalogue", stdout=out)

    assert state() == before
    assert out.getvalue().startswith("6 event(s) applied again")
    assert list(CatalogueEvent.objects.order_by("pk").values_list("state", "outcome")) == outcomes


def test_rebuilding_twice_is_rebuilding_once() -> None:
    came(*HISTORY)
    call_command("rebuild_catalogue", stdout=StringIO())
    before = state()
    call_command("rebuild_catalogue", stdout=StringIO())

    assert state() == before


def test_a_release_without_its_event_is_not_lost() -> None:
    came(*HISTORY)
    apply_member(release_event(9))  # of no stored event
    before = state()

    with pytest.raises(CommandError, match=r"1 release.*such as 9; nothing was changed"):
        call_command("rebuild_catalogue", stdout=StringIO())
    assert state() == before


def test_only_old_events_that_nothing_stands_on_are_deleted() -> None:
    came(*HISTORY)
    later = timezone.now() + timedelta(days=settings.CATALOGUE_EVENT_DAYS, minutes=1)

    assert prune(now=timezone.now()) == 0
    assert prune(now=later) == 1  # release 2, version 3: stale from the start; refused and conflicting ones are kept
    before = state()
    call_command("rebuild_catalogue", stdout=StringIO())
    assert state() == before


# --- what it costs ----------------------------------------------------------------------------


def old_enough(now: datetime) -> datetime:
    return now - timedelta(days=settings.CATALOGUE_EVENT_DAYS, minutes=1)


def fill(many: int, *, at: datetime, needed: bool) -> None:
    """So many applied events that came at an instant, each with a release that stands on it, or none of them."""
    with connection.cursor() as cursor:
        cursor.execute(EVENTS, {"at": at, "many": many})
        ids = [pk for (pk,) in cursor.fetchall()]
    if needed:
        Release.objects.bulk_create(Release(id=pk, version=1, event_id=pk) for pk in ids)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE catalogue_catalogueevent, catalogue_release")


def test_neither_what_is_kept_nor_what_is_young_is_read_every_hour() -> None:
    now = timezone.now()
    fill(MANY, at=now - timedelta(days=1), needed=True)
    fill(MANY, at=old_enough(now), needed=True)
    assert prune(now=now) == 0
    fill(7, at=old_enough(now), needed=False)

    with CaptureQueriesContext(connection) as asked, transaction.atomic():
        assert prune(now=now) == 7
        transaction.set_rollback(True)

    for table, rows, statement in rows_looked_at(query["sql"] for query in asked if "SELECT" in query["sql"]):
        assert rows < 10, (table, rows, statement)


def test_all_that_is_old_goes_in_an_hour() -> None:
    now = timezone.now()
    fill(MANY, at=old_enough(now), needed=True)
    fill(MANY, at=old_enough(now), needed=False)

    assert prune(now=now) == MANY

    assert CatalogueEvent.objects.count() == MANY


def test_what_was_needed_goes_when_it_is_old_again() -> None:
    now = timezone.now()
    fill(2, at=old_enough(now), needed=True)
    assert prune(now=now) == 0
    Release.objects.all().delete()

    assert prune(now=now) == 0
    assert prune(now=now + timedelta(days=settings.CATALOGUE_EVENT_DAYS, minutes=1)) == 2


def test_events_that_are_gone_stay_gone_if_the_others_cannot_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LOOKED_AT_AT_ONCE", 3)
    now = timezone.now()
    fill(10, at=old_enough(now), needed=False)

    with pytest.raises(OperationalError), no_more_deletes(after=2):
        prune(now=now)

    assert CatalogueEvent.objects.count() == 4
