"""Drafts of curated playlists, and what becomes of them when they are published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Listener, User
from catalogue.models import Track
from kernel.errors import InvalidParameter
from outbox.models import Message
from playlists.comparing import difference
from playlists.curation import arrange, describe, move, put_tracks, take_off
from playlists.models import Item, Playlist, Revision
from playlists.notices import Kind, warnings
from playlists.publishing import State, end, propose, publish, restore, standing
from playlists.rules import (
    ITEMS_LIMIT,
    ItemNotFound,
    NothingToPublish,
    NotLive,
    PlaylistChanged,
    PlaylistFull,
    PlaylistNotFound,
    RevisionNotFound,
    TracksGone,
)
from playlists.sheet import lines_of
from playlists.telling import as_published
from tests.helpers import apply_member, offer
from tests.playlists.conftest import edit

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def items(playlist: Playlist) -> list[UUID]:
    return list(Item.objects.filter(playlist=playlist).order_by("position").values_list("pk", flat=True))


def tracks(playlist: Playlist) -> list[int]:
    return list(Item.objects.filter(playlist=playlist).order_by("position").values_list("track_id", flat=True))


def live(playlist: Playlist, at: datetime) -> int | None:
    """The number of the revision that listeners get at an instant."""
    revision = Revision.objects.live(at).filter(playlist=playlist).first()
    told = as_published(playlist, at=at)
    published = told.track_ids if told is not None and told.details.status == "published" else None
    assert published == (revision and revision.track_ids)
    return revision and revision.number


def state(playlist: Playlist, at: datetime) -> State:
    return standing(Playlist.objects.get(pk=playlist.pk).curation, at=at).state


# --- The draft ---------------------------------------------------------------------------------------------


def test_a_draft_is_put_together_moved_and_thinned(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    a, b, c, d = items(playlist)

    move(edit(playlist, editor), [d, a], before=c)
    take_off(edit(playlist, editor), [b])

    assert items(playlist) == [d, a, c]
    assert Playlist.objects.get(pk=playlist.pk).track_count == 3


def test_anything_is_undone_by_arranging_what_was(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    before = dict(zip(items(playlist), tracks(playlist), strict=True))
    a, b, *_ = before
    take_off(edit(playlist, editor), [a, b])
    put_tracks(edit(playlist, editor), [before[a]])

    arrange(edit(playlist, editor), before)

    assert dict(zip(items(playlist), tracks(playlist), strict=True)) == before
    assert list(before) == items(playlist)


def test_an_item_of_another_playlist_cannot_be_taken(draft: Callable[..., Playlist], editor: User) -> None:
    mine = draft()
    other = draft(tracks=tracks(mine))
    theirs, track = items(other)[0], tracks(other)[0]
    own = items(mine)[0]

    with pytest.raises(InvalidParameter):
        arrange(edit(mine, editor), {theirs: track})
    with pytest.raises(ItemNotFound):
        move(edit(mine, editor), [theirs], before=None)
    with pytest.raises(ItemNotFound):
        take_off(edit(mine, editor), [own, theirs])
    assert len(items(mine)) == len(items(other)) == 4


def test_a_draft_holds_so_much_and_no_more(draft: Callable[..., Playlist], editor: User, track: Track) -> None:
    playlist = draft(tracks=[])

    with pytest.raises(PlaylistFull):
        put_tracks(edit(playlist, editor), [track.pk] * (ITEMS_LIMIT + 1))
    with pytest.raises(PlaylistFull):
        arrange(edit(playlist, editor), {uuid4(): track.pk for _ in range(ITEMS_LIMIT + 1)})


def test_a_listeners_own_playlist_is_no_draft(listener: Listener, editor: User) -> None:
    own = Playlist.objects.create(owner=listener, name="mine")

    with pytest.raises(PlaylistNotFound):
        describe(edit(own, editor), {"name": "ours"})


def test_who_comes_second_is_told_by_whom(draft: Callable[..., Playlist], editor: User, senior: User) -> None:
    playlist = draft()
    read = playlist.version
    describe(edit(playlist, editor, version=read), {"name": "Ada’s"})

    with pytest.raises(PlaylistChanged) as no:
        describe(edit(playlist, senior, version=read), {"name": "Grace’s"})

    assert no.value.extra == {"version": read + 1, "changed_by": "Ada"}
    assert Playlist.objects.get(pk=playlist.pk).name == "Ada’s"


@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_save_at_once_forty_nine_are_told(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()

    def save(number: int) -> str:
        try:
            describe(edit(playlist, editor, version=playlist.version), {"name": f"by {number}"})
        except PlaylistChanged:
            return "told"
        finally:
            connection.close()
        return "saved"

    with ThreadPoolExecutor(10) as pool:
        told = Counter(pool.map(save, range(50)))

    assert told == {"saved": 1, "told": 49}


def test_editing_tells_the_platform_nothing(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft(countries=["GB"])
    move(edit(playlist, editor), items(playlist)[:1], before=None)

    assert not Message.objects.filter(topic="playlist.keep").exists()


# --- Published -----------------------------------------------------------------------------------------------


def test_listeners_keep_what_was_published_while_it_is_edited(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft(countries=["GB"], tags=["calm"])
    was = items(playlist)
    revision = publish(edit(playlist, editor, now=NOON), note="first")

    describe(edit(playlist, editor), {"name": "Evening", "countries": []})
    take_off(edit(playlist, editor), was[:2])

    revision.refresh_from_db()
    assert (revision.name, revision.countries, revision.tags) == ("Morning", ["GB"], ["calm"])
    assert (revision.item_ids, revision.track_count, revision.note) == (was, 4, "first")
    assert (revision.published_by, live(playlist, NOON)) == (editor, 1)


def test_the_clock_alone_publishes_and_ends(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    publish(edit(playlist, editor, now=NOON), at=NOON + HOUR, until=NOON + 2 * HOUR)

    second = timedelta(seconds=1)
    moments = [NOON, NOON + HOUR - second, NOON + HOUR, NOON + 2 * HOUR - second, NOON + 2 * HOUR]
    assert [live(playlist, at) for at in moments] == [None, None, 1, 1, None]
    assert [state(playlist, at).value for at in moments] == ["SCHEDULED", "SCHEDULED", "LIVE", "LIVE", "EXPIRED"]


def test_the_old_revision_stays_live_until_the_next_begins(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    publish(edit(playlist, editor, now=NOON))
    publish(edit(playlist, editor, now=NOON + HOUR), at=NOON + 3 * HOUR)

    assert [live(playlist, NOON + hours * HOUR) for hours in (0, 1, 2, 3)] == [1, 1, 1, 2]


def test_what_waited_is_withdrawn_by_another_publication(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    publish(edit(playlist, editor, now=NOON), at=NOON + 3 * HOUR)
    publish(edit(playlist, editor, now=NOON + HOUR))

    assert [live(playlist, NOON + hours * HOUR) for hours in (0, 1, 4)] == [None, 2, 2]


def test_an_older_revision_does_not_come_back_when_a_newer_ends(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    publish(edit(playlist, editor, now=NOON))
    publish(edit(playlist, editor, now=NOON + HOUR), until=NOON + 2 * HOUR)

    assert [live(playlist, NOON + hours * HOUR) for hours in (0, 1, 2)] == [1, 2, None]


def test_ending_takes_it_from_listeners_and_withdraws_what_waits(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    publish(edit(playlist, editor, now=NOON))
    publish(edit(playlist, editor, now=NOON + HOUR), at=NOON + 4 * HOUR)

    end(edit(playlist, editor, now=NOON + 2 * HOUR))

    assert [live(playlist, NOON + hours * HOUR) for hours in (1, 2, 5)] == [1, None, None]
    with pytest.raises(NotLive):
        end(edit(playlist, editor, now=NOON + 3 * HOUR))


@pytest.mark.parametrize(
    "times",
    [
        {"at": NOON - HOUR},
        {"until": NOON},
        {"at": NOON + HOUR, "until": NOON + HOUR},
        {"at": datetime(2400, 1, 1, tzinfo=UTC)},
        {"until": datetime(9999, 12, 31, tzinfo=UTC)},
    ],
)
def test_instants_that_make_no_sense_are_refused(
    draft: Callable[..., Playlist], editor: User, times: dict[str, datetime]
) -> None:
    with pytest.raises(InvalidParameter):
        publish(edit(draft(), editor, now=NOON), **times)


def test_nothing_is_not_published(draft: Callable[..., Playlist], editor: User) -> None:
    with pytest.raises(NothingToPublish):
        publish(edit(draft(tracks=[]), editor))


def test_tracks_that_were_taken_down_keep_a_draft_from_being_published(
    draft: Callable[..., Playlist], editor: User, shelf_of_tracks: Callable[..., list[int]]
) -> None:
    playlist = draft(tracks=[*shelf_of_tracks(2), *shelf_of_tracks(1, release=7001002)])
    gone = items(playlist)[2]
    apply_member({"id": 7001002, "version": 2, "takedown": True})

    with pytest.raises(TracksGone) as no:
        publish(edit(playlist, editor))

    assert no.value.extra == {"item_ids": [str(gone)]}
    take_off(edit(playlist, editor), [gone])
    assert publish(edit(playlist, editor)).track_count == 2


def test_a_proposal_holds_until_the_draft_is_changed(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    propose(edit(playlist, editor), note="for Monday")
    curation = Playlist.objects.get(pk=playlist.pk).curation
    assert standing(curation, at=NOON).proposed

    describe(edit(playlist, editor), {"name": "Other"})

    curation = Playlist.objects.get(pk=playlist.pk).curation
    assert not standing(curation, at=NOON).proposed
    assert (curation.proposed_by, curation.proposed_note) == (editor, "for Monday")


def test_a_draft_is_as_published_until_it_is_changed(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    publish(edit(playlist, editor, now=NOON))
    assert not standing(Playlist.objects.get(pk=playlist.pk).curation, at=NOON).changed

    describe(edit(playlist, editor), {"tags": ["new"]})

    assert standing(Playlist.objects.get(pk=playlist.pk).curation, at=NOON).changed


def test_a_revision_is_restored_into_the_draft_with_its_items(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft(description="slowly", countries=["GB"])
    was = items(playlist)
    publish(edit(playlist, editor, now=NOON))
    describe(edit(playlist, editor), {"name": "Other", "countries": ["DE"]})
    take_off(edit(playlist, editor), was[1:3])
    move(edit(playlist, editor), [was[3]], before=was[0])

    restore(edit(playlist, editor), number=1)

    restored = Playlist.objects.get(pk=playlist.pk)
    assert (restored.name, restored.description, restored.curation.countries) == ("Morning", "slowly", ["GB"])
    assert (items(playlist), restored.track_count) == (was, 4)
    with pytest.raises(RevisionNotFound):
        restore(edit(playlist, editor), number=2)


def test_the_platform_is_told_at_once_and_when_the_clock_changes_it(
    draft: Callable[..., Playlist], editor: User
) -> None:
    playlist = draft()
    publish(edit(playlist, editor, now=NOON), at=NOON + HOUR, until=NOON + 2 * HOUR)

    at_once, *later = Message.objects.filter(topic__in=["playlist.keep", "playlist.due"]).order_by("pk")
    assert at_once.due_at == at_once.created_at
    assert [message.topic for message in (at_once, *later)] == ["playlist.keep", "playlist.due", "playlist.due"]
    assert [message.due_at for message in later] == [NOON + HOUR, NOON + 2 * HOUR]
    assert len({message.lane for message in (at_once, *later)}) == 3


# --- Compared ------------------------------------------------------------------------------------------------


def test_a_comparison_names_what_came_went_and_moved() -> None:
    a, b, c, d, e = (UUID(int=number) for number in range(5))

    found = difference([a, b, c, d], [d, a, e, c])

    assert (found.added, found.removed, found.moved) == ([e], [b], [d])


@given(st.permutations(range(8)))
def test_as_few_as_can_be_have_moved(order: list[int]) -> None:
    before, after = ([UUID(int=number) for number in numbers] for numbers in (range(8), order))
    moved = set(difference(before, after).moved)

    stayed = [item for item in after if item not in moved]
    assert stayed == sorted(stayed)
    assert len(stayed) == max(rises(order[start:]) for start in range(8))


def rises(numbers: list[int]) -> int:
    """The length of a longest rising subsequence that takes the first number."""
    return 1 + max(
        (rises(numbers[next_:]) for next_ in range(1, len(numbers)) if numbers[next_] > numbers[0]), default=0
    )


# --- Warned of -----------------------------------------------------------------------------------------------


def test_an_editor_is_warned_of_what_listeners_would_miss(
    draft: Callable[..., Playlist], shelf_of_tracks: Callable[..., list[int]]
) -> None:
    everywhere = shelf_of_tracks(1)
    british = shelf_of_tracks(1, release=7001002, offers=[offer(["GB"])], isrc="GBQQQ2500999", explicitContent=True)
    later = shelf_of_tracks(1, release=7001003, offers=[offer(start="2030-01-01T00:00:00Z")], isrc="GBQQQ2500999")
    gone = shelf_of_tracks(1, release=7001004)
    apply_member({"id": 7001004, "version": 2, "takedown": True})
    playlist = draft(tracks=[*everywhere, *british, *later, *gone, *everywhere])
    ids = items(playlist)

    found = warnings(lines_of(playlist.pk, markets=["GB", "DE"], at=NOON), ["GB", "DE"])

    assert [(each.kind, each.market, each.item_ids) for each in found] == [
        (Kind.GONE, None, [ids[3]]),
        (Kind.UNPLAYABLE, "DE", [ids[1], ids[2]]),
        (Kind.UNPLAYABLE, "GB", [ids[2]]),
        (Kind.SAME_TRACK, None, [ids[4]]),
        (Kind.SAME_RECORDING, None, [ids[2]]),
        (Kind.EXPLICIT, None, [ids[1]]),
    ]


def test_a_line_says_what_the_catalogue_says_of_playable(
    draft: Callable[..., Playlist], shelf_of_tracks: Callable[..., list[int]], settings: object
) -> None:
    ended = shelf_of_tracks(1, release=7001002, offers=[offer(["GB", "DE"], end="2026-01-01T00:00:00Z"), offer(["DE"])])
    playlist = draft(tracks=[*shelf_of_tracks(2), *ended])

    for licensors in (frozenset(), frozenset({4}), frozenset({5})):
        settings.LICENSORS = licensors  # type: ignore[attr-defined]
        lines = lines_of(playlist.pk, markets=["GB", "DE", "US"], at=NOON)
        for market in ("GB", "DE", "US"):
            playable = set(Track.objects.playable(country=market, at=NOON).values_list("pk", flat=True))
            assert {line.track_id for line in lines if market in line.open_in} == playable


@pytest.mark.parametrize("count", [1, 40])
def test_a_draft_of_any_length_is_one_statement(
    draft: Callable[..., Playlist], shelf_of_tracks: Callable[..., list[int]], count: int
) -> None:
    playlist = draft(tracks=shelf_of_tracks(count))

    with CaptureQueriesContext(connection) as captured:
        lines = lines_of(playlist.pk, markets=["GB", "DE"], at=NOON)
        warnings(lines, ["GB", "DE"])

    assert (len(captured), len(lines)) == (1, count)
