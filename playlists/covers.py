"""Covers of curated playlists: believed by their content alone, cut square, kept in every size that apps ask for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from io import BytesIO
from typing import Final
from uuid import UUID

from django.db import transaction
from PIL import Image, ImageOps, UnidentifiedImageError

from massivemusic.images import SIZES
from playlists.curation import Edit, kept, opened
from playlists.models import Picture, Playlist
from playlists.rules import PictureRefused

MOST_BYTES: Final = 10 * 1024 * 1024
MOST_PIXELS: Final = 40_000_000
LEAST_SIDE: Final = 350
FORMATS: Final = ("JPEG", "PNG", "WEBP")
PAPER: Final = "white"  # behind what is transparent
QUALITY: Final = 88
# What Pillow raises over bytes that are not what they begin as, each kind from another of its readers.
BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, MemoryError, IndexError, KeyError, OverflowError)


def keep_cover(edit: Edit, data: bytes) -> Playlist:
    """Give the draft a cover of its own. Raises PictureRefused, PlaylistNotFound or PlaylistChanged."""
    pictures = pictures_of(data)  # before any row is locked: this takes a second
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    with transaction.atomic():
        playlist = opened(edit)
        store(playlist.pk, digest, pictures)
        playlist.curation.cover = digest
        kept(playlist, edit)
    return playlist


def store(playlist_id: UUID, digest: str, pictures: Mapping[int, bytes]) -> None:
    """Keep every size of a cover; the same one twice is once."""
    rows = [Picture(playlist_id=playlist_id, digest=digest, size=size, jpeg=jpeg) for size, jpeg in pictures.items()]
    Picture.objects.bulk_create(rows, ignore_conflicts=True)


def pictures_of(data: bytes) -> dict[int, bytes]:
    """The middle square of a JPEG, PNG or WebP, as a JPEG of each size. Raises PictureRefused with what is wrong."""
    if len(data) > MOST_BYTES:
        raise PictureRefused(f"a cover may have {MOST_BYTES // 1024**2} MiB")
    try:
        return in_all_sizes(square(opened_picture(data), side=max(SIZES)))
    except BROKEN as error:
        raise PictureRefused("the picture is damaged, or cut off") from error


def in_all_sizes(picture: Image.Image) -> dict[int, bytes]:
    return {size: as_jpeg(picture.resize((size, size), Image.Resampling.LANCZOS)) for size in SIZES}


def opened_picture(data: bytes) -> Image.Image:
    """The picture, of which no more than the header has been read. Raises PictureRefused."""
    try:
        picture = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise PictureRefused("a cover is a JPEG, PNG or WebP picture") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_many_pixels() from error
    if picture.width * picture.height > MOST_PIXELS:
        raise too_many_pixels()
    if min(picture.size) < LEAST_SIDE:
        raise PictureRefused(f"a cover has at least {LEAST_SIDE} pixels a side")
    return picture


def too_many_pixels() -> PictureRefused:
    return PictureRefused(f"a cover may have {MOST_PIXELS // 1_000_000} million pixels")


def square(picture: Image.Image, *, side: int) -> Image.Image:
    """The middle of it, upright and opaque, so many pixels a side."""
    picture.draft("RGB", (2 * side, 2 * side))  # a JPEG need not be decoded in full
    upright = ImageOps.exif_transpose(picture)
    fitted = ImageOps.fit(upright.convert("RGBA"), (side, side), Image.Resampling.LANCZOS)
    paper = Image.new("RGB", fitted.size, PAPER)
    paper.paste(fitted, mask=fitted)
    return paper


def as_jpeg(picture: Image.Image) -> bytes:
    """Without anything the upload said besides: no place, no camera."""
    kept = BytesIO()
    picture.save(kept, "JPEG", quality=QUALITY, optimize=True)
    return kept.getvalue()
