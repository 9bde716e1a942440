"""The platform has of a curated playlist what listeners get of it, and learns from the clock as they do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from outbox import circuit
from outbox.actions import Draft, send
from outbox.claims import claim
from outbox.delivery import carry, deliver_lane, delivery_of
from outbox.models import Circuit, Message
from outbox.registry import carrier_of
from playlists.curation import describe
from playlists.importing import import_playlists
from playlists.models import Curation, Playlist, Revision
from playlists.publishing import end, publish
from tests.playlists.conftest import edit
from tests.playlists.test_tell_platform import PATH, drain, journalled
from tests.sandbox.platform import Partner, Platform

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def partner(sandbox: Platform) -> Iterator[Partner]:
    partner = Partner(sandbox)
    yield partner
    partner.close()


def theirs(partner: Partner) -> list[tuple[str, str, list[int]]]:
    """The partner's playlists on the platform: name, status, tracks."""
    page = partner.request("GET", PATH, country="GB", pageSize=50).json()
    whole = [partner.request("GET", f"{PATH}/{each['id']}", country="GB").json() for each in page["playlists"]]
    return [(p["name"], p["status"], [int(t["trackId"]) for t in p["tracks"]]) for p in (w["playlist"] for w in whole)]


def track_ids(playlist: Playlist) -> list[int]:
    return list(playlist.items.order_by("position").values_list("track_id", flat=True))


def test_a_draft_is_nobodys_business(draft: Callable[..., Playlist], editor: User, partner: Partner) -> None:
    describe(edit(draft(), editor), {"name": "Secret"})

    drain()

    assert theirs(partner) == []


def test_what_is_published_is_there_and_what_is_edited_afterwards_is_not(
    draft: Callable[..., Playlist], editor: User, partner: Partner
) -> None:
    playlist = draft()
    publish(edit(playlist, editor))
    drain()
    there = [(playlist.name, "published", track_ids(playlist))]
    assert theirs(partner) == there

    describe(edit(playlist, editor), {"name": "Tomorrow"})
    drain()
    assert theirs(partner) == there

    publish(edit(playlist, editor))
    drain()
    assert theirs(partner) == [("Tomorrow", "published", track_ids(playlist))]
    assert Playlist.objects.get().sync == "SYNCED"


def test_what_is_scheduled_is_there_when_its_time_has_come(
    draft: Callable[..., Playlist], editor: User, partner: Partner
) -> None:
    playlist, now = draft(), timezone.now()
    publish(edit(playlist, editor), at=now + HOUR, until=now + 2 * HOUR)
    drain()
    assert theirs(partner) == []

    for status in ("published", "draft"):  # an hour passes, and another
        Revision.objects.update(live_from=F("live_from") - HOUR, live_until=F("live_until") - HOUR)
        again(playlist)
        assert theirs(partner) == [(playlist.name, status, track_ids(playlist))]


def again(playlist: Playlist) -> None:
    """A message that was left for this instant."""

    body: dict[str, Any] = {"playlist_id": str(playlist.pk), "version": 1}
    send(Draft(topic="playlist.due", key=f"{timezone.now()}", lane="now", body=body))
    drain()


def test_one_worker_at_a_time_tells_it_however_late_its_moments_come(
    draft: Callable[..., Playlist], editor: User, partner: Partner
) -> None:
    """Published while the platform was away, and over before it was back: all that was left for it is due at once."""
    playlist = draft()
    publish(edit(playlist, editor), until=timezone.now() + HOUR)
    Revision.objects.update(live_from=F("live_from") - HOUR, live_until=F("live_until") - HOUR)
    Message.objects.update(due_at=Now())
    slow = claim(Message.objects.filter(topic="playlist.keep").earliest("pk").pk)
    assert slow

    for pk in Message.objects.claimable().filter(topic__startswith="playlist.").values_list("pk", flat=True):
        deliver_lane(message_id=pk)
    assert theirs(partner) == [], "another worker is about to make it"

    carry(slow, circuit.troubled())
    drain()
    assert theirs(partner) == [(playlist.name, "draft", track_ids(playlist))]


def test_a_moment_that_is_met_twice_is_told_once(draft: Callable[..., Playlist], editor: User) -> None:
    publish(edit(draft(), editor), at=timezone.now() + HOUR)
    Message.objects.update(due_at=Now())
    moment = claim(Message.objects.get(topic="playlist.due").pk)
    assert moment

    for _ in range(2):
        record = carrier_of("playlist.due").handler(delivery_of(moment))
        assert record
        record()

    assert Message.objects.filter(topic="playlist.keep").count() == 2, "when it was published, and now"


@pytest.mark.parametrize("rest", [HOUR, -HOUR], ids=["resting", "to be probed"])
def test_a_moment_neither_waits_for_the_platform_nor_says_that_it_is_well(
    draft: Callable[..., Playlist], editor: User, rest: timedelta
) -> None:
    publish(edit(draft(), editor), at=timezone.now() + HOUR)
    Message.objects.update(due_at=Now())
    Circuit.objects.create(name=circuit.PLATFORM, failures=9, open_until=timezone.now() + rest)

    assert deliver_lane(message_id=Message.objects.get(topic="playlist.due").pk) == ["DONE"]

    assert Circuit.objects.get().failures == 9


def test_a_moment_that_counts_no_more_costs_no_call(
    draft: Callable[..., Playlist], editor: User, partner: Partner, sandbox: Platform
) -> None:
    playlist, now = draft(), timezone.now()
    publish(edit(playlist, editor), at=now + HOUR, until=now + 2 * HOUR)
    publish(edit(playlist, editor), until=now + 3 * HOUR)

    drain()

    assert theirs(partner) == [(playlist.name, "published", track_ids(playlist))]
    assert journalled(sandbox) == ["create"]


def test_what_is_ended_stays_there_as_a_draft(draft: Callable[..., Playlist], editor: User, partner: Partner) -> None:
    playlist = draft()
    publish(edit(playlist, editor))
    drain()

    end(edit(playlist, editor))
    Revision.objects.update(live_from=F("live_from") - HOUR, live_until=F("live_until") - HOUR)
    drain()

    assert theirs(partner) == [(playlist.name, "draft", track_ids(playlist))]


def test_what_was_taken_over_is_a_draft_that_can_be_published(
    editor: User, partner: Partner, draft: Callable[..., Playlist]
) -> None:
    known = track_ids(draft())[:2]
    named = [{"trackId": str(number), "trackTitle": f"No. {number}", "artistAppearsAs": "Ada"} for number in known]
    old = json.dumps({"name": "Old", "visibility": "public", "status": "published", "tracks": named})
    assert partner.request("POST", PATH, body=old, country="GB").ok
    list(import_playlists(now=timezone.now()))
    taken = Curation.objects.get(playlist__name="Old").playlist
    drain()
    assert [(name, tracks) for name, _, tracks in theirs(partner)] == [("Old", known)]

    publish(edit(taken, editor))
    drain()

    assert theirs(partner) == [("Old", "published", known)]
