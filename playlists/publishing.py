"""From draft to listeners: proposed by one, published by another, now or at an instant. The clock does the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from catalogue.models import Track
from kernel.errors import InvalidParameter
from kernel.values import SANE_YEARS
from outbox.actions import Draft, leave_all
from playlists.actions import tell
from playlists.curation import Edit, kept, lay_out, opened
from playlists.models import Curation, Item, Meant, Playlist, Revision
from playlists.mosaics import queue
from playlists.rules import NothingToPublish, NotLive, RevisionNotFound, TracksGone

MEANT: Final = tuple(field.name for field in Meant._meta.fields)
SNAPSHOT: Final = ("name", "description")
LISTS: Final = ("item_ids", "track_ids")
SWAPPED: Final = "other tracks for what cannot be heard"  # the note of a revision that no more was done for

Swaps: TypeAlias = Mapping[UUID, tuple[int, int]]
"""Item → the track that it holds, and the one that it is to hold."""


class State(StrEnum):
    """What of a curated playlist listeners have, at an instant."""

    DRAFT = "DRAFT"
    SCHEDULED = "SCHEDULED"
    LIVE = "LIVE"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a curated playlist stands; whether its draft is proposed, or is other than the last revision."""

    state: State
    live: Revision | None
    waiting: Revision | None
    proposed: bool
    changed: bool


def standing(curation: Curation, *, at: datetime) -> Standing:
    """Derived from revisions and the clock, in one statement."""
    revisions = list(Revision.objects.filter(playlist=curation.playlist_id).defer(*LISTS).order_by("-number"))
    begun = [each for each in revisions if each.live_from and each.live_from <= at]
    last = max(begun, key=lambda each: (each.live_from, each.number), default=None)
    live = last if last and (last.live_until is None or last.live_until > at) else None
    waiting = next((each for each in revisions if each.live_from and each.live_from > at), None)
    version = curation.playlist.version
    return Standing(
        state=state_of(live=live, waiting=waiting, begun=bool(begun)),
        live=live,
        waiting=waiting,
        proposed=curation.proposed_version == version,
        changed=not revisions or revisions[0].draft_version != version,
    )


def state_of(*, live: Revision | None, waiting: Revision | None, begun: bool) -> State:
    if live:
        return State.LIVE
    if waiting:
        return State.SCHEDULED
    return State.EXPIRED if begun else State.DRAFT


@transaction.atomic
def propose(edit: Edit, *, note: str = "") -> Playlist:
    """Ask for the draft, as it stands, to be published; a later change takes that back."""
    playlist = opened(edit)
    curation = playlist.curation
    curation.proposed_by, curation.proposed_note, curation.proposed_version = edit.by, note, playlist.version + 1
    kept(playlist, edit)
    return playlist


@transaction.atomic
def publish(edit: Edit, *, at: datetime | None = None, until: datetime | None = None, note: str = "") -> Revision:
    """Publish the draft as it stands, now or at an instant to come, for good or until another.

    What waited to become live is withdrawn: there is one next revision. Raises PlaylistNotFound, PlaylistChanged,
    NothingToPublish, TracksGone, and InvalidParameter for an instant that makes no sense.
    """
    begin = at or edit.now
    check_times(begin, until, now=edit.now)
    playlist = opened(edit)
    items = list(Item.objects.filter(playlist=playlist).order_by("position").values_list("pk", "track_id"))
    check_publishable(items)
    Revision.objects.filter(playlist=playlist).waiting(edit.now).update(live_from=None)
    kept(playlist, edit)
    revision = Revision.objects.create(
        playlist=playlist,
        number=(playlist.revisions.aggregate(last=Max("number"))["last"] or 0) + 1,
        draft_version=playlist.version,
        item_ids=[pk for pk, _ in items],
        track_ids=[track_id for _, track_id in items],
        track_count=len(items),
        published_at=edit.now,
        published_by=edit.by,
        note=note,
        live_from=begin,
        live_until=until,
        **{name: getattr(playlist, name) for name in SNAPSHOT},
        **{name: getattr(playlist.curation, name) for name in MEANT},
    )
    announce(playlist, [moment for moment in (at, until) if moment])
    if not revision.cover:
        queue(playlist, revision=revision.number)
    return revision


@transaction.atomic
def end(edit: Edit) -> Playlist:
    """Take the playlist from listeners now, and let nothing that waits become live. Raises NotLive."""
    playlist = opened(edit)
    revisions = Revision.objects.filter(playlist=playlist)
    withdrawn = revisions.waiting(edit.now).update(live_from=None)
    if not revisions.live(edit.now).update(live_until=edit.now) and not withdrawn:
        raise NotLive("nobody has this playlist, and nothing waits to be published")
    kept(playlist, edit)
    announce(playlist, [])
    return playlist


def mend(playlist: Playlist, edit: Edit, swaps: Swaps) -> list[Revision]:
    """Swap tracks for listeners as they were swapped on the draft, which the caller holds and has saved.

    What is live gets another revision from now on, what waits another for its time; each keeps all else that was
    published, and its end. What the draft has besides stays a draft. The revisions that were made.
    """
    revisions = Revision.objects.filter(playlist=playlist)
    last = revisions.order_by("-number").defer(*LISTS).first()
    given = [*revisions.live(edit.now), *revisions.waiting(edit.now)]
    made: list[Revision] = []
    for old in given:
        track_ids = swapped(old.item_ids, old.track_ids, swaps)
        if last is not None and track_ids != old.track_ids:
            number = last.number + len(made) + 1
            as_drafted = last.draft_version == playlist.version - 1
            draft_version = playlist.version if as_drafted else last.draft_version
            made.append(mended(playlist, old, edit, number=number, draft_version=draft_version, track_ids=track_ids))
    if made:
        moments = {moment for each in made for moment in (each.live_from, each.live_until)}
        announce(playlist, sorted(moment for moment in moments if moment and moment > edit.now))
    return made


def mended(playlist: Playlist, old: Revision, edit: Edit, **changes: Any) -> Revision:
    """A revision in the place of another: of one that waits, which is withdrawn, or of the live one."""
    facts = {name: getattr(old, name) for name in (*SNAPSHOT, *MEANT, *LISTS, "track_count", "live_until")}
    Revision.objects.filter(pk=old.pk).waiting(edit.now).update(live_from=None)
    begin = max(edit.now, old.live_from or edit.now)
    facts |= {"published_at": edit.now, "published_by": edit.by, "note": SWAPPED, "live_from": begin}
    made = Revision.objects.create(playlist=playlist, **facts | changes)
    if not made.cover:
        queue(playlist, revision=made.number)
    return made


def swapped(item_ids: Sequence[UUID], track_ids: Sequence[int], swaps: Swaps) -> list[int]:
    """The tracks of these items once each swap is made whose item holds what it is said to. Pure."""
    return [
        becomes if track_id == was else track_id
        for item_id, track_id in zip(item_ids, track_ids, strict=True)
        for was, becomes in [swaps.get(item_id, (None, track_id))]
    ]


@transaction.atomic
def restore(edit: Edit, *, number: int) -> Playlist:
    """Make the draft what a revision was; listeners keep what they have. Raises RevisionNotFound."""
    playlist = opened(edit)
    revision = revision_of(playlist.pk, number)
    for name in SNAPSHOT:
        setattr(playlist, name, getattr(revision, name))
    for name in MEANT:
        setattr(playlist.curation, name, getattr(revision, name))
    lay_out(playlist, dict(zip(revision.item_ids, revision.track_ids, strict=True)), now=edit.now)
    kept(playlist, edit)
    return playlist


def revision_of(playlist_id: UUID, number: int) -> Revision:
    """Raises RevisionNotFound."""
    revision = Revision.objects.filter(playlist=playlist_id, number=number).first()
    if revision is None:
        raise RevisionNotFound(f"there is no revision {number}")
    return revision


def check_times(begin: datetime, until: datetime | None, *, now: datetime) -> None:
    if begin < now:
        raise InvalidParameter("this instant is over", field="publish_at")
    if until is not None and until <= begin:
        raise InvalidParameter("it would end before it begins", field="expires_at")
    if any(moment.year not in SANE_YEARS for moment in (begin, until or begin)):
        raise InvalidParameter("publish_at, expires_at: years from 2000 to 2100")


def check_publishable(items: list[tuple[UUID, int]]) -> None:
    """Raises NothingToPublish or TracksGone."""
    if not items:
        raise NothingToPublish("there is no track on it")
    standing = set(
        Track.objects.standing().filter(pk__in={track_id for _, track_id in items}).values_list("pk", flat=True)
    )
    if gone := [str(pk) for pk, track_id in items if track_id not in standing]:
        raise TracksGone(f"{len(gone)} of its tracks have been taken down: remove them first", item_ids=gone)


def announce(playlist: Playlist, moments: list[datetime]) -> None:
    """Have the platform told now, and again when the clock changes what listeners get.

    Each later message has a lane of its own, since one that waits for its time would hold up those behind it. All that
    it does then is to queue another in the playlist's lane.
    """
    playlist.sync = Playlist.Sync.PENDING
    playlist.save(update_fields=["sync"])
    tell(playlist)
    body: dict[str, Any] = {"playlist_id": str(playlist.pk), "version": playlist.version}
    for moment in moments:
        key = f"{playlist.pk}:{playlist.version}:{moment.timestamp():.0f}"
        leave_all([Draft(topic="playlist.due", key=key, lane=f"playlist {key}", body=body)], at=moment)
