"""Playlists' calls to the platform, and to its image host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db.models import Case, F, Q, TextField, Value, When

from massivemusic.errors import PlatformError
from outbox.circuit import IMAGES, NOBODY
from outbox.registry import Delivery, Record, handles
from playlists.actions import go_on
from playlists.models import Playlist
from playlists.mosaics import fetched, keep_mosaic, mosaic_of, releases_of
from playlists.telling import keep


def never_told(body: Mapping[str, Any]) -> None:
    """A person gave the message up."""
    untold = Playlist.objects.filter(pk=body["playlist_id"], version=body["version"])
    untold.update(sync=Playlist.Sync.REFUSED, sync_detail="it was given up before the platform could be told")


@handles("playlist.keep", given_up=never_told)
def keep_playlist(delivery: Delivery) -> Record | None:
    """Make the platform's playlist be what ours is by now (Streaming guide §3).

    What has been told together with a later change costs no call, but of a curated one, which the clock changes as
    well. Twice is once: what a lost answer may have made is found by our id in its annotations. A refusal is a result,
    kept with its reason, and does not stop the lane.
    """
    playlist = Playlist.objects.select_related("owner").filter(pk=delivery.body["playlist_id"]).first()
    if playlist is None or (playlist.owner_id and playlist.told_version >= delivery.body["version"]):
        return None
    try:
        is_whole = keep(playlist)
    except PlatformError as no:
        if not no.permanent:
            raise
        return partial(settle, playlist, Playlist.Sync.REFUSED, str(no))
    if not is_whole:
        return partial(go_on, playlist, after=delivery.message_id)
    return partial(settle, playlist, Playlist.Sync.SYNCED)


@handles("playlist.due", neighbour=NOBODY, given_up=never_told)
def queue_due(delivery: Delivery) -> Record | None:
    """The clock has changed what listeners get, or would have, had nobody decided otherwise: have the platform told.

    Nobody calls from here: what waits for its time has a lane of its own, and two lanes may be two workers at one
    playlist. Twice is once: a message is followed by one.
    """
    playlist = Playlist.objects.filter(pk=delivery.body["playlist_id"]).first()
    return partial(go_on, playlist, after=delivery.message_id) if playlist else None


@handles("playlist.mosaic", neighbour=IMAGES)
def make_mosaic(delivery: Delivery) -> Record | None:
    """Make a cover of the first releases' covers. Twice is once: it is named by its content."""
    revision = delivery.body["revision"]
    playlist = Playlist.objects.standing().filter(pk=delivery.body["playlist_id"]).first()
    release_ids = releases_of(playlist.pk, revision=revision) if playlist else []
    if playlist is None or not release_ids:
        return None
    return partial(keep_mosaic, playlist.pk, revision, mosaic_of(fetched(release_ids)))


def settle(playlist: Playlist, sync: str, detail: str = "") -> None:
    """Write down how the platform took the version that was read; a listener's removed one is forgotten with that."""
    row = Playlist.objects.filter(pk=playlist.pk)
    if sync == Playlist.Sync.SYNCED and playlist.removed_at and playlist.owner_id:
        row.delete()
        return
    # In one statement: of a row that is written twice its owner is looked up again at commit, behind whoever closes
    # the owner's account and waits for this row.
    is_current = Q(version=playlist.version)
    row.update(
        told_version=playlist.version,
        sync=Case(When(is_current, then=Value(sync)), default=F("sync")),
        sync_detail=Case(When(is_current, then=Value(detail, TextField())), default=F("sync_detail")),
    )
