"""Covers that are made of the covers of a playlist's first releases, for those that no editor gave one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from PIL import Image

from massivemusic.images import SIZES, read_cover
from outbox.actions import Draft, send
from outbox.platform import platform
from playlists.covers import BROKEN, MOST_BYTES, in_all_sizes, opened_picture, square, store
from playlists.curation import Edit, kept, opened
from playlists.models import Curation, Item, Playlist, Revision
from playlists.rules import PictureRefused

SIDE: Final = max(SIZES)
TILE: Final = SIDE // 2
ASKED: Final = 500  # the smallest size of a release's cover that is no smaller than a tile
PLAIN: Final = "#9ca3af"  # where there is no cover
# Which of so many releases stands where: above from the left, then below.
PLACES: Final = {1: (0, 0, 0, 0), 2: (0, 1, 1, 0), 3: (0, 1, 2, 0), 4: (0, 1, 2, 3)}
FIRST: Final = """
    SELECT t.release_id FROM unnest(%(tracks)s::int[]) WITH ORDINALITY AS w (track_id, place)
      JOIN catalogue_track t ON t.id = w.track_id
     GROUP BY t.release_id ORDER BY min(w.place) LIMIT %(most)s
"""


@transaction.atomic
def ask_for_mosaic(edit: Edit) -> Playlist:
    """Have the draft's cover made of its tracks' instead of any it has. Raises PlaylistNotFound or PlaylistChanged."""
    playlist = opened(edit)
    playlist.curation.cover = ""
    kept(playlist, edit)
    queue(playlist)
    return playlist


def queue(playlist: Playlist, *, revision: int | None = None) -> None:
    """Queue a mosaic of the draft, or of a revision; in a lane of its own, since the platform's calls need not wait."""
    body: dict[str, Any] = {"playlist_id": str(playlist.pk), "revision": revision}
    key = f"{playlist.pk}:{playlist.version}" + (f":{revision}" if revision else "")
    send(Draft(topic="playlist.mosaic", key=key, lane=f"mosaic {playlist.pk}", body=body))


def releases_of(playlist_id: UUID, *, revision: int | None) -> list[int]:
    """The first different releases of a draft or a revision, four at the most."""
    if revision is None:
        tracks = list(Item.objects.filter(playlist=playlist_id).order_by("position").values_list("track_id", flat=True))
    else:
        tracks = Revision.objects.values_list("track_ids", flat=True).get(playlist=playlist_id, number=revision)
    with connection.cursor() as cursor:
        cursor.execute(FIRST, {"tracks": tracks, "most": len(PLACES)})
        return [pk for (pk,) in cursor.fetchall()]


def fetched(release_ids: Sequence[int]) -> list[bytes | None]:
    """Their covers from the platform's image host; None for one that is not there. Raises PlatformError."""
    return [read_cover(platform(), pk, size=ASKED, most=MOST_BYTES) for pk in release_ids]


def mosaic_of(covers: Sequence[bytes | None]) -> dict[int, bytes]:
    """A JPEG of each size, of one to four covers; the same covers give the same bytes."""
    tiles = [tile_of(cover) for cover in covers]
    whole = Image.new("RGB", (SIDE, SIDE))
    for number, place in enumerate(PLACES[len(tiles)]):
        whole.paste(tiles[place], (number % 2 * TILE, number // 2 * TILE))
    return in_all_sizes(whole)


def tile_of(cover: bytes | None) -> Image.Image:
    """A cover as uploads are read; a plain tile where there is none, or it is no picture that we would take."""
    try:
        return square(opened_picture(cover or b""), side=TILE)
    except (PictureRefused, *BROKEN):
        return Image.new("RGB", (TILE, TILE), PLAIN)


@transaction.atomic
def keep_mosaic(playlist_id: UUID, revision: int | None, pictures: dict[int, bytes]) -> None:
    """Give it to the draft, and to the revision it was made of, by the name of its content.

    The list is held first, as whoever changes it does: the other way round two would wait for each other.
    """
    Playlist.objects.select_for_update().get(pk=playlist_id)
    digest = hashlib.blake2b(pictures[SIDE], digest_size=16).hexdigest()
    store(playlist_id, digest, pictures)
    Curation.objects.filter(playlist=playlist_id).update(mosaic=digest)
    if revision is not None:
        Revision.objects.filter(playlist=playlist_id, number=revision).update(mosaic=digest)
