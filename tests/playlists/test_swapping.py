"""Another track in the place of one, for the draft alone or for listeners too, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from catalogue.rules import TrackNotFound
from outbox.models import Message
from playlists.curation import arrange, describe, move, put_tracks, take_off
from playlists.models import Item, Playlist, Revision, Swap
from playlists.publishing import publish, restore, standing, swapped
from playlists.rules import PlaceChanged, PlaylistChanged, TracksGone
from playlists.swapping import lately, make_public, swap, undo
from tests.playlists.conftest import edit, take_down
from tests.playlists.test_curation import items, live, tracks

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def given_at(playlist: Playlist, at: datetime) -> list[int] | None:
    """What listeners get at an instant."""
    revision = Revision.objects.live(at).filter(playlist=playlist).first()
    return revision and revision.track_ids


def swaps() -> list[int]:
    return list(Swap.objects.order_by("pk").values_list("pk", flat=True))


def changed(playlist: Playlist) -> bool:
    return standing(Playlist.objects.get(pk=playlist.pk).curation, at=NOON).changed


places = st.lists(st.tuples(st.uuids(version=4), st.integers(1, 4)), unique_by=lambda place: place[0], max_size=9)


@given(places, st.data())
def test_what_is_swapped_and_swapped_back_is_what_it_was(before: list[tuple[UUID, int]], data: Any) -> None:
    ids, held = [item for item, _ in before], [track for _, track in before]
    chosen = data.draw(st.sets(st.sampled_from(before))) if before else set()
    there = {item: (track, track + 10) for item, track in chosen}
    back = {item: (becomes, was) for item, (was, becomes) in there.items()}

    after = swapped(ids, held, there)

    assert [track % 10 for track in after] == held
    assert sum(track > 10 for track in after) == len(chosen)
    assert swapped(ids, after, back) == held
    assert swapped(ids, held, back) == held
    assert swapped(ids, held, {item: (track + 20, track + 30) for item, track in chosen}) == held


def test_a_track_is_swapped_in_its_place(
    draft: Callable[..., Playlist], editor: User, senior: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one, one, one])
    before = items(playlist)
    publish(edit(playlist, editor, now=NOON))

    swap(edit(playlist, senior), before[:1], was=one, becomes=other)

    now = Playlist.objects.get(pk=playlist.pk)
    assert (items(playlist), tracks(playlist)) == (before, [other, one, one])
    assert (now.version, now.curation.changed_by, now.track_count) == (playlist.version + 2, senior, 3)
    assert given_at(playlist, NOON) == [one, one, one]
    assert changed(playlist)


def test_who_has_the_page_open_is_told_by_the_version(
    draft: Callable[..., Playlist], editor: User, senior: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one])
    swap(edit(playlist, senior), items(playlist), was=one, becomes=other)

    with pytest.raises(PlaylistChanged) as no:
        describe(edit(playlist, editor, version=playlist.version), {"name": "Late"})

    assert no.value.extra["changed_by"] == "Grace"


def test_only_a_standing_track_comes_in(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one])
    take_down(7003002)

    for becomes, no in ((other, TracksGone), (99, TrackNotFound)):
        with pytest.raises(no):
            swap(edit(playlist, editor), items(playlist), was=one, becomes=becomes)
    assert tracks(playlist) == [one]


def test_a_place_with_another_track_is_left_and_so_are_those_beside_it(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one, other])
    elsewhere = draft(tracks=[one])

    for wanted in (items(playlist), [*items(playlist)[:1], *items(elsewhere)]):
        with pytest.raises(PlaceChanged):
            swap(edit(playlist, editor), wanted, was=one, becomes=other)
    assert (tracks(playlist), tracks(elsewhere), swaps()) == ([one, other], [one], [])


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_swap_one_place_nine_are_told(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    one, *others = twins(*[None] * 11)
    playlist = draft(tracks=[one])
    [item] = items(playlist)

    def try_one(becomes: int) -> str:
        try:
            swap(edit(playlist, editor), [item], was=one, becomes=becomes)
        except PlaceChanged:
            return "told"
        finally:
            connection.close()
        return "swapped"

    with ThreadPoolExecutor(5) as pool:
        told = Counter(pool.map(try_one, others))

    assert told == {"swapped": 1, "told": 9}
    assert Swap.objects.count() == 1


# --- Undone ---------------------------------------------------------------------------------------------------


def test_undoing_brings_back_what_stood_there_even_if_it_was_taken_down(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one, other, one])
    before = items(playlist), tracks(playlist)
    take_down(7003001)
    swap(edit(playlist, editor), [before[0][0], before[0][2]], was=one, becomes=other)
    assert tracks(playlist) == [other, other, other]
    move(edit(playlist, editor), before[0][:1], before=None)
    move(edit(playlist, editor), before[0][:1], before=before[0][1])

    undo(edit(playlist, editor), swaps())

    assert (items(playlist), tracks(playlist)) == before
    assert list(lately(now=timezone.now(), limit=9)) == []


@pytest.mark.parametrize("meanwhile", ["removed", "swapped again", "undone", "undone and redone"])
def test_what_was_changed_meanwhile_is_not_undone(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]], meanwhile: str
) -> None:
    one, other, third = twins(None, None, None)
    playlist = draft(tracks=[one, third])
    place = items(playlist)[:1]
    swap(edit(playlist, editor), place, was=one, becomes=other)
    mine = swaps()
    if meanwhile == "removed":
        take_off(edit(playlist, editor), place)
    elif meanwhile == "swapped again":
        swap(edit(playlist, editor), place, was=other, becomes=third)
    else:
        undo(edit(playlist, editor), mine)
    if meanwhile == "undone and redone":
        swap(edit(playlist, editor), place, was=one, becomes=other)
    there = tracks(playlist)

    with pytest.raises(PlaceChanged):
        undo(edit(playlist, editor), mine)

    assert tracks(playlist) == there
    assert set(mine).isdisjoint({each.pk for each in lately(now=timezone.now(), limit=9)})


def test_a_swap_on_another_list_is_not_undone_here(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    here, there = draft(tracks=[one]), draft(tracks=[one])
    swap(edit(there, editor), items(there), was=one, becomes=other)

    with pytest.raises(PlaceChanged):
        undo(edit(here, editor), swaps())

    assert tracks(there) == [other]


def test_arranging_and_restoring_bring_swapped_tracks_back(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one])
    before = dict(zip(items(playlist), tracks(playlist), strict=True))
    publish(edit(playlist, editor, now=NOON))

    for bring_back in (
        lambda: arrange(edit(playlist, editor), before),
        lambda: restore(edit(playlist, editor), number=1),
    ):
        swap(edit(playlist, editor), list(before), was=one, becomes=other)
        bring_back()
        assert dict(zip(items(playlist), tracks(playlist), strict=True)) == before


# --- For listeners --------------------------------------------------------------------------------------------


def test_a_public_swap_is_all_that_listeners_get_of_the_draft(
    draft: Callable[..., Playlist], editor: User, senior: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one, other])
    publish(edit(playlist, editor, now=NOON), until=NOON + 9 * HOUR)
    describe(edit(playlist, editor), {"name": "Half done"})
    put_tracks(edit(playlist, editor), [other])

    swap(edit(playlist, senior, now=NOON + HOUR), items(playlist)[:1], was=one, becomes=other, public=True)

    revision = Revision.objects.get(playlist=playlist, number=2)
    assert (revision.track_ids, revision.name, revision.published_by) == ([other, other], "Morning", senior)
    assert [live(playlist, NOON + hours * HOUR) for hours in (0, 1, 8, 9)] == [1, 2, 2, None]
    assert changed(playlist)
    assert tracks(playlist) == [other, other, other]


def test_a_draft_that_was_published_as_it_stood_still_is(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one])
    publish(edit(playlist, editor, now=NOON))

    swap(edit(playlist, editor, now=NOON + HOUR), items(playlist), was=one, becomes=other, public=True)
    assert not changed(playlist)
    undo(edit(playlist, editor, now=NOON + 2 * HOUR), swaps(), public=True)

    assert not changed(playlist)
    assert [given_at(playlist, NOON + hours * HOUR) for hours in (0, 1, 2)] == [[one], [other], [one]]
    assert [live(playlist, NOON + hours * HOUR) for hours in (0, 1, 2)] == [1, 2, 3]


def test_what_waits_is_swapped_for_its_own_time(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one])
    publish(edit(playlist, editor, now=NOON))
    put_tracks(edit(playlist, editor), [one])
    publish(edit(playlist, editor, now=NOON), at=NOON + 4 * HOUR, until=NOON + 6 * HOUR)

    swap(edit(playlist, editor, now=NOON + HOUR), items(playlist), was=one, becomes=other, public=True)

    assert [given_at(playlist, NOON + hours * HOUR) for hours in (0, 1, 4, 6)] == [[one], [other], [other] * 2, None]
    assert Revision.objects.get(playlist=playlist, number=2).live_from is None
    assert not changed(playlist)
    due = Message.objects.filter(topic="playlist.due").order_by("-pk").values_list("due_at", flat=True)
    assert {NOON + 4 * HOUR, NOON + 6 * HOUR} == set(due[:2])
    pictures = Message.objects.filter(topic="playlist.mosaic").order_by("pk").values_list("body__revision", flat=True)
    assert list(pictures) == [1, 2, 3, 4]


def test_a_draft_that_nobody_has_is_not_published_by_a_swap(
    draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one])

    done = swap(edit(playlist, editor), items(playlist), was=one, becomes=other, public=True)

    assert (done.revisions, tracks(playlist)) == ([], [other])
    assert not Message.objects.filter(topic="playlist.keep").exists()


def test_a_swap_of_the_draft_is_made_public_later(
    draft: Callable[..., Playlist], editor: User, senior: User, twins: Callable[..., list[int]]
) -> None:
    one, other = twins()
    playlist = draft(tracks=[one])
    publish(edit(playlist, editor, now=NOON))
    swap(edit(playlist, editor), items(playlist), was=one, becomes=other)

    make_public(edit(playlist, senior, now=NOON + HOUR), items(playlist), was=one, becomes=other)

    assert given_at(playlist, NOON + HOUR) == [other]
    assert Message.objects.filter(topic="playlist.keep").count() == 2
    Item.objects.filter(playlist=playlist).update(track=one)
    with pytest.raises(PlaceChanged):
        make_public(edit(playlist, senior, now=NOON + HOUR), items(playlist), was=one, becomes=other)
