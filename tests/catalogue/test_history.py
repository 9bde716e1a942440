"""The kept events make the mirror again, and only what nothing stands on is ever deleted."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from catalogue.actions import apply_waiting
from catalogue.history import prune
from catalogue.models import Artist, CatalogueEvent, Offer, Release, Track
from tests.catalogue.test_apply_events import state
from tests.helpers import apply_member, offer, release_event, stored_event, track_member

pytestmark = pytest.mark.django_db


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
