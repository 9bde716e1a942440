"""Making the platform's playlist be what ours is now, in as few calls as that takes.

What the platform holds stands in our row, as digests: of the details, and of the tracks it has, which are often the
first of ours. Before a call that may be heard without an answer the row says that it is not known any more.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from accounts.introducing import introduce
from catalogue.models import Track
from massivemusic import playlists as theirs
from massivemusic.errors import AnswerTooLarge, DeadlinePassed, NotFound
from massivemusic.playlists import PlaylistDetails, PlaylistTrack
from outbox.platform import platform
from playlists.models import Item, Playlist, Revision

NOTE: Final = "tonearm"  # the annotation that says which playlist of ours it is
PUBLISHED, DRAFT = "published", "draft"  # as the platform's own Playlist Tool says it
CLOCKS: Final = timedelta(seconds=5)  # a message that was left for an instant may come a moment early by our clock
PIECE: Final = 500  # tracks a call brings: as many as the platform tells on a page, and far below a MiB
STRETCH_SECONDS: Final = 20.0  # with the few calls that may still follow, within a message's lease
FACTS: Final = (
    "pk", "title", "subtitle", "artist__name", "release_id", "release__title", "release__artist__name",
    "release__subtitle",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the platform is to know of a playlist."""

    details: PlaylistDetails
    track_ids: Sequence[int]


def as_told(playlist: Playlist) -> Told | None:
    """What the platform is to be told of a playlist now; None for nothing.

    Of a listener's, what stands there. Of one that editors curate, what listeners get of it; what they do not get any
    more stays there as a draft, and what they never got is nobody's business.
    """
    if playlist.owner_id is None:
        return as_published(playlist, at=timezone.now() + CLOCKS)
    details = PlaylistDetails(
        name=playlist.name,
        description=playlist.description,
        visibility=playlist.visibility.lower(),
        status=PUBLISHED,
        annotations={NOTE: str(playlist.pk)},
    )
    items = Item.objects.filter(playlist=playlist).order_by("position")
    return Told(details=details, track_ids=list(items.values_list("track_id", flat=True)))


def as_published(playlist: Playlist, *, at: datetime) -> Told | None:
    """The revision that was last to become live by then; None before the first."""
    revision = Revision.objects.filter(playlist=playlist).begun(at).first()
    if revision is None:
        return None
    over = revision.live_until is not None and revision.live_until <= at
    details = PlaylistDetails(
        name=revision.name,
        description=revision.description,
        visibility="public",
        status=DRAFT if over else PUBLISHED,
        tags=tuple(revision.tags),
        annotations={NOTE: str(playlist.pk)},
    )
    return Told(details=details, track_ids=revision.track_ids)


def keep(playlist: Playlist) -> bool:
    """Bring the platform's playlist to what ours is; False when it is so long that another message must go on.

    Safe to repeat, wherever it broke off. Raises PlatformError.
    """
    until = time.monotonic() + STRETCH_SECONDS
    if playlist.removed_at is not None:
        remove(playlist, until=until)
        return True
    wanted = as_told(playlist)
    if wanted is None:
        return True
    try:
        return tell(playlist, wanted, until=until)
    except NotFound:
        if not is_gone(playlist):
            raise
    note(playlist, platform_id="", asked=False)
    return tell(playlist, wanted, until=until)


def tell(playlist: Playlist, wanted: Told, *, until: float) -> bool:
    """Whether all of it is there now. Raises PlatformError."""
    if not playlist.platform_id and playlist.asked:
        adopt(playlist, until=until)
    if not playlist.platform_id:
        make(playlist, wanted)
    elif playlist.told_tracks != digest(wanted.track_ids[: playlist.told_count]):
        replace(playlist, wanted)
    elif playlist.told_details != digest(asdict(wanted.details)):
        describe(playlist, wanted)
    while playlist.told_count < len(wanted.track_ids):
        add_piece(playlist, wanted)
        if time.monotonic() > until:
            break
    return playlist.told_count == len(wanted.track_ids)


def make(playlist: Playlist, wanted: Told) -> None:
    """Make the playlist there, with its first tracks. From before the call it counts as asked for."""
    if playlist.owner is not None:
        introduce(platform(), playlist.owner)
    first = wanted.track_ids[:PIECE]
    note(playlist, asked=True)
    made = theirs.create_playlist(platform(), **whose(playlist), details=wanted.details, tracks=described(first))
    note(playlist, platform_id=made, asked=False, told_details=digest(asdict(wanted.details)), **has(first))


def replace(playlist: Playlist, wanted: Told) -> None:
    """Everything anew, with the first tracks."""
    first = wanted.track_ids[:PIECE]
    note(playlist, told_details="", told_tracks="")
    theirs.replace_playlist(platform(), **its(playlist), details=wanted.details, tracks=described(first))
    note(playlist, told_details=digest(asdict(wanted.details)), **has(first))


def describe(playlist: Playlist, wanted: Told) -> None:
    """The details anew; the tracks stay."""
    note(playlist, told_details="")
    theirs.update_details(platform(), **its(playlist), details=wanted.details)
    note(playlist, told_details=digest(asdict(wanted.details)))


def add_piece(playlist: Playlist, wanted: Told) -> None:
    """Add what comes next. After a lost answer nobody knows whether it is there, so all is told anew."""
    there = wanted.track_ids[: playlist.told_count + PIECE]
    note(playlist, told_tracks="")
    try:
        theirs.add_tracks(platform(), **its(playlist), tracks=described(there[playlist.told_count :]))
    except AnswerTooLarge:  # the whole playlist, told back
        if theirs.read_playlist(platform(), **its(playlist)).track_count != len(there):
            raise
    note(playlist, **has(there))


def remove(playlist: Playlist, *, until: float) -> None:
    """Remove it there too. What never got there is not made in order to be removed."""
    known = [playlist.platform_id] if playlist.platform_id else []
    for each in known or (list(found(playlist, until=until)) if playlist.asked else []):
        delete(playlist, each)
    note(playlist, platform_id="", asked=False)


def adopt(playlist: Playlist, *, until: float) -> None:
    """Take for ours what an earlier try has made although its answer was lost; of several, one."""
    made = list(found(playlist, until=until))
    for twin in made[1:]:
        delete(playlist, twin)
    if made:
        note(playlist, platform_id=made[0], asked=False, told_tracks="")


def delete(playlist: Playlist, platform_id: str) -> None:
    with suppress(NotFound):
        theirs.delete_playlist(platform(), **whose(playlist), playlist_id=platform_id)


def found(playlist: Playlist, *, until: float) -> Iterator[str]:
    """The platform's ids of what carries our note, oldest first.

    A list need not tell notes; then those that we do not know to be another's are read one by one.
    """
    rows = Playlist.objects.filter(owner=playlist.owner_id).exclude(platform_id="")
    others = set(rows.values_list("platform_id", flat=True))
    for each in listed(playlist):
        if time.monotonic() > until:
            raise DeadlinePassed("the playlists could not be gone through in time")
        if each.id in others:
            continue
        notes = each.annotations
        if notes is None:
            notes = theirs.read_playlist(platform(), **whose(playlist), playlist_id=each.id).annotations
        if notes and notes.get(NOTE) == str(playlist.pk):
            yield each.id


def listed(playlist: Playlist) -> Iterator[theirs.Playlist]:
    if playlist.owner is None:
        return theirs.partner_playlists(platform(), country=settings.MASSIVEMUSIC_COUNTRY)
    return theirs.user_playlists(platform(), country=playlist.owner.country, user_id=playlist.owner.platform_id)


def is_gone(playlist: Playlist) -> bool:
    """Whether "not found" was said of the playlist, and not of something in it."""
    if not playlist.platform_id:
        return False
    try:
        theirs.read_playlist(platform(), **its(playlist))
    except NotFound:
        return True
    return False


# --- What these have in common -----------------------------------------------------------------------


def whose(playlist: Playlist) -> dict[str, Any]:
    """In whose name the platform is called."""
    if playlist.owner is None:
        return {"country": settings.MASSIVEMUSIC_COUNTRY, "user_id": None}
    return {"country": playlist.owner.country, "user_id": playlist.owner.platform_id}


def its(playlist: Playlist) -> dict[str, Any]:
    return whose(playlist) | {"playlist_id": playlist.platform_id}


def has(track_ids: Sequence[int]) -> dict[str, Any]:
    """The row's words for these tracks standing there."""
    return {"told_count": len(track_ids), "told_tracks": digest(track_ids)}


def note(playlist: Playlist, **facts: Any) -> None:
    """Write down at once what is known of the platform's side."""
    for name, value in facts.items():
        setattr(playlist, name, value)
    Playlist.objects.filter(pk=playlist.pk).update(**facts)


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def described(track_ids: Sequence[int]) -> list[PlaylistTrack]:
    """The tracks with all that is shown of them, from the mirror, in one statement: the platform looks nothing up."""
    rows = {row[0]: row for row in Track.objects.filter(pk__in=set(track_ids)).values_list(*FACTS)}
    return [
        PlaylistTrack(
            track_id=str(track_id),
            title=title,
            version=version,
            artist=artist,
            release_id=str(release_id),
            release_title=release_title,
            release_artist=release_artist or "",
            release_version=release_version,
        )
        for track_id, title, version, artist, release_id, release_title, release_artist, release_version in map(
            rows.__getitem__, track_ids
        )
    ]
