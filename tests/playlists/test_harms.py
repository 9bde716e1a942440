"""Which tracks of curated playlists are harmed, as catalogue events and the clock make it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener, User
from catalogue.models import Track
from playlists import actions
from playlists.curation import describe, put_tracks, take_off
from playlists.harms import SUSPECTS, Harm, harms
from playlists.models import Item, Playlist
from playlists.publishing import end, publish
from playlists.removing import remove_curated
from playlists.swapping import leave
from tests.helpers import apply_member, offer, release_event, statements_noted, track_member
from tests.playlists.conftest import edit, take_down

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
TIDE = 300_001


@pytest.fixture(autouse=True)
def markets(settings: Settings) -> None:
    settings.MARKETS = ["GB", "DE"]


def found(at: datetime | None = None) -> list[tuple[int, list[str]]]:
    """Each harmed track, with what each of its places has lost."""
    return [(harm.track_id, [place.harm for place in harm.places]) for harm in harms(at=at or timezone.now())]


def one() -> Harm:
    [harm] = harms(at=timezone.now())
    return harm


def tell(*offers: Any, version: int, release: int = 7003001, **changes: Any) -> None:
    """Another snapshot of the first twin's release."""
    track = track_member(TIDE, isrc="GBQQQ2530000", offers=list(offers)) | changes
    assert apply_member(release_event(release, version=version, tracks=[track])) == "applied"


def in_days(days: float) -> str:
    return (timezone.now() + days * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_track_that_plays_everywhere_is_none(draft: Callable[..., Playlist]) -> None:
    draft(countries=["IE", "FR"])

    assert found() == []


def test_a_takedown_harms_every_list_it_is_on(draft: Callable[..., Playlist], twins: Callable[..., list[int]]) -> None:
    [tide, _] = twins()
    lists = {draft(tracks=[tide]).pk, draft(tracks=[tide, tide], countries=["FR"]).pk}
    take_down(7003001)

    harm = one()

    assert (harm.track_id, [place.harm for place in harm.places]) == (tide, ["taken down"] * 3)
    assert {place.playlist_id for place in harm.places} == lists
    assert (harm.markets, sorted(place.number for place in harm.places)) == (["DE", "FR", "GB"], [1, 1, 2])
    assert [str(loss) for loss in harm.losses] == ["taken down"]


def test_a_track_that_its_release_names_no_more_is_taken_down(
    draft: Callable[..., Playlist], twins: Callable[..., list[int]]
) -> None:
    draft(tracks=twins()[:1])
    apply_member(release_event(7003001, version=2, tracks=[track_member(300_009)]))

    assert found() == [(TIDE, ["taken down"])]


def test_a_change_of_territories_harms_the_markets_of_each_list(
    draft: Callable[..., Playlist], twins: Callable[..., list[int]]
) -> None:
    [tide, _] = twins()
    for name, countries in (("A", []), ("B", ["FR", "GB"]), ("C", ["GB"])):
        draft(tracks=[tide], name=name, countries=countries)
    tell(offer(["GB", "IE"]), version=2)

    assert found() == [(tide, ["not in DE", "not in FR"])]
    tell(offer(["GB", "IE", "DE"]), version=3)
    assert found() == [(tide, ["not in FR"])]
    tell(offer(), version=4)
    assert found() == []


def test_what_leaves_within_two_weeks_is_told_before(
    draft: Callable[..., Playlist], twins: Callable[..., list[int]]
) -> None:
    [tide, _] = twins()
    draft(tracks=[tide])
    tell(offer(["GB"], end=in_days(13)), offer(["DE"], end=in_days(15)), version=2)

    [(_, [words])] = found()
    assert words.startswith("leaves GB on ")
    [(_, [words])] = found(timezone.now() + 2 * DAY)
    assert words.startswith("leaves GB on ")
    assert "; leaves DE on " in words
    [(_, [words])] = found(timezone.now() + 14 * DAY)
    assert words.startswith("not in GB; leaves DE on ")


def test_an_offer_that_is_followed_by_another_harms_nobody(
    draft: Callable[..., Playlist], twins: Callable[..., list[int]]
) -> None:
    draft(tracks=twins()[:1])
    change = in_days(3)
    tell(offer(end=change), offer(start=change), version=2)
    assert found() == []

    tell(offer(end=change), offer(start=in_days(4)), version=3)
    assert found()[0][1][0].startswith("leaves DE, GB on ")


def test_a_track_of_a_licensor_without_a_contract_is_harmed(draft: Callable[..., Playlist], settings: Settings) -> None:
    draft()
    settings.LICENSORS = frozenset({99})

    assert [harm for _, harm in found()] == [["of a licensor we have no contract with"]] * 4


def test_the_newest_harm_comes_first(
    draft: Callable[..., Playlist], twins: Callable[..., list[int]], shelf_of_tracks: Callable[..., list[int]]
) -> None:
    early, late = shelf_of_tracks(1, release=7004001)[0], twins()[0]
    draft(tracks=[late, early])
    take_down(7004001)
    take_down(7003001)

    assert [track for track, _ in found()] == [late, early]


def test_live_and_draft_are_told_apart(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    [tide, other] = twins()
    playlist = draft(tracks=[other, tide])
    now = timezone.now()
    publish(edit(playlist, editor))
    take_down(7003001)
    assert one().places[0].stands == ("DRAFT", "LIVE")

    take_off(edit(playlist, editor), [Item.objects.get(track=tide).pk])
    [place] = one().places
    assert (place.stands, place.number, place.in_draft) == (("LIVE",), 2, False)

    publish(edit(playlist, editor), at=now + DAY)
    assert one().places[0].stands == ("LIVE",)
    end(edit(playlist, editor))
    assert harms(at=timezone.now()) == []


def test_what_is_scheduled_is_harmed_too(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    [tide, _] = twins()
    playlist = draft(tracks=[tide])
    publish(edit(playlist, editor), at=timezone.now() + DAY)
    take_off(edit(playlist, editor), [Item.objects.get(track=tide).pk])
    take_down(7003001)

    assert one().places[0].stands == ("SCHEDULED",)


def test_a_live_list_is_harmed_where_it_was_published_for(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    [tide, _] = twins()
    playlist = draft(tracks=[tide], countries=["FR"])
    publish(edit(playlist, editor))
    describe(edit(playlist, editor), {"countries": ["GB"]})
    tell(offer(["GB"]), version=2)

    assert found() == [(tide, ["not in FR"])]


def test_listeners_own_lists_and_deleted_ones_are_not_looked_at(
    draft: Callable[..., Playlist], editor: User, listener: Listener, twins: Callable[..., list[int]]
) -> None:
    [tide, _] = twins()
    now = timezone.now()
    own = actions.create_playlist(listener_id=listener.pk, facts={"name": "mine"}, now=now)
    actions.add_tracks(listener_id=listener.pk, playlist_id=own.pk, version=None, track_ids=[tide], now=now)
    deleted = draft(tracks=[tide])
    publish(edit(deleted, editor))
    take_down(7003001)
    assert len(one().places) == 1

    remove_curated(edit(deleted, editor))

    assert harms(at=timezone.now()) == []


# --- Put aside ------------------------------------------------------------------------------------------------


def test_what_is_left_comes_back_when_the_track_is_told_of_again(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    draft(tracks=twins()[:1])
    tell(offer(["GB"]), version=2)
    leave(one(), by=editor, now=timezone.now())
    assert found() == []

    tell(offer(), version=3)
    tell(offer(["GB"]), version=4)
    assert found() == [(TIDE, ["not in DE"])]
    leave(one(), by=editor, now=timezone.now())
    take_down(7003001, version=5)
    assert found() == [(TIDE, ["taken down"])]


def test_what_is_left_comes_back_when_the_clock_makes_it_worse(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    draft(tracks=twins()[:1])
    tell(offer(["GB"]), offer(["DE"], end=in_days(3)), version=2)
    leave(one(), by=editor, now=timezone.now())
    assert found() == []

    assert found(timezone.now() + 4 * DAY) == [(TIDE, ["not in DE"])]


def test_what_is_left_on_one_list_is_told_of_another(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    [tide, _] = twins()
    draft(tracks=[tide, tide], name="old")
    take_down(7003001)
    leave(one(), by=editor, now=timezone.now())
    assert found() == []

    put_tracks(edit(draft(tracks=[], name="new"), editor), [tide])

    assert [place.playlist for place in one().places] == ["new"]


# --- However many -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 200])
def test_three_statements_find_them_all(
    draft: Callable[..., Playlist], shelf_of_tracks: Callable[..., list[int]], count: int
) -> None:
    draft(tracks=shelf_of_tracks(count, release=7005001, offers=[offer(["GB"])]))

    with statements_noted() as asked:
        assert len(harms(at=timezone.now())) == count

    assert len(asked) == 3


@pytest.mark.usefixtures("crowd")
def test_rights_are_read_by_their_index(draft: Callable[..., Playlist], track: Track) -> None:
    draft(tracks=[track.pk])
    with statements_noted() as asked:
        harms(at=timezone.now())
    [(_, values)] = [each for each in asked if each[0] == SUSPECTS]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")  # as for millions
        cursor.execute(f"EXPLAIN {SUSPECTS}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "Index Cond: (track_id = " in plan.replace("((", "(")
    assert "Seq Scan on catalogue_offer" not in plan
    assert "Seq Scan on catalogue_track" not in plan
