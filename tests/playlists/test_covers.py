"""Covers that editors upload: what is taken, what is made of it, and what is refused in words."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from accounts.models import Listener, User
from massivemusic.images import SIZES
from playlists.covers import MOST_BYTES, keep_cover, pictures_of
from playlists.models import Picture, Playlist
from playlists.publishing import publish
from playlists.rules import PictureRefused, PlaylistChanged
from tests.helpers import Api
from tests.playlists.conftest import edit

RED, BLUE = (200, 0, 0), (0, 0, 200)


def picture(form: str = "PNG", size: tuple[int, int] = (400, 400), mode: str = "RGB", **options: Any) -> bytes:
    kept = BytesIO()
    Image.new(mode, size, options.pop("colour", 0)).save(kept, form, **options)
    return kept.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that would be an enormous picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        picture("JPEG"), picture("JPEG", mode="L"), picture("JPEG", mode="CMYK"), picture("PNG"),
        picture("PNG", mode="P"), picture("PNG", mode="RGBA"), picture("PNG", mode="LA"), picture("PNG", mode="I;16"),
        picture("PNG", mode="1"), picture("WEBP"), picture("WEBP", mode="RGBA"), picture("JPEG", size=(4000, 350)),
        picture("PNG", size=(350, 4000)),
    ],
)  # fmt: skip
def test_every_size_is_made_of_any_picture_that_is_taken(data: bytes) -> None:
    made = pictures_of(data)

    assert set(made) == set(SIZES)
    for size, jpeg in made.items():
        shown = Image.open(BytesIO(jpeg))
        assert (shown.format, shown.mode, shown.size) == ("JPEG", "RGB", (size, size))


def test_the_middle_square_is_what_is_left() -> None:
    wide = Image.new("RGB", (1200, 400), BLUE)
    wide.paste(RED, (400, 0, 800, 400))
    kept = BytesIO()
    wide.save(kept, "PNG")

    shown = Image.open(BytesIO(pictures_of(kept.getvalue())[800]))

    assert all(shown.getpixel(at)[0] > 150 for at in [(5, 5), (795, 795), (400, 400)])  # type: ignore[index]


def test_a_picture_stands_upright_and_says_nothing_of_where_it_was_taken() -> None:
    turned = Image.new("RGB", (800, 400), BLUE)
    turned.paste(RED, (0, 0, 400, 400))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010F] = "Secret Camera"
    kept = BytesIO()
    turned.save(kept, "JPEG", exif=exif)

    jpeg = pictures_of(kept.getvalue())[350]

    shown = Image.open(BytesIO(jpeg))
    assert shown.getpixel((175, 20))[0] > 150  # type: ignore[index]
    assert shown.getpixel((175, 330))[2] > 150  # type: ignore[index]
    assert b"Secret Camera" not in jpeg


def test_what_is_transparent_lies_on_paper() -> None:
    shown = Image.open(BytesIO(pictures_of(picture(mode="RGBA", colour=(0, 0, 0, 0)))[100]))

    assert shown.getpixel((50, 50)) == (255, 255, 255)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
REFUSED = {
    "nothing": (b"", "JPEG, PNG or WebP"),
    "text": (b"not a picture" * 100, "JPEG, PNG or WebP"),
    "svg with a script": (SVG, "JPEG, PNG or WebP"),
    "svg behind a mark": (b"\xef\xbb\xbf<?xml version='1.0'?>" + SVG, "JPEG, PNG or WebP"),
    "gif": (picture("GIF"), "JPEG, PNG or WebP"),
    "bmp": (picture("BMP"), "JPEG, PNG or WebP"),
    "tiff": (picture("TIFF"), "JPEG, PNG or WebP"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "JPEG, PNG or WebP"),
    "page": (b"<html><script>alert(1)</script>", "JPEG, PNG or WebP"),
    "just the beginning of a png": (b"\x89PNG\r\n\x1a\n", "JPEG, PNG or WebP"),
    "a bomb": (bomb(30_000, 30_000), "40 million pixels"),
    "a bomb below Pillow's own limit": (bomb(7_000, 7_000), "40 million pixels"),
    "a bomb within the limit": (bomb(6_000, 6_000), "damaged"),
    "half a jpeg": (picture("JPEG", size=(900, 900), colour=RED)[:2000], "damaged"),
    "half a png": (picture("PNG", colour=RED)[:-60], "damaged"),
    "half a webp": (picture("WEBP", colour=RED, lossless=True)[:-20], ""),
    "too small": (picture(size=(349, 1000)), "350 pixels"),
    "too many bytes": (bytes(MOST_BYTES + 1), "10 MiB"),
}


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(PictureRefused) as no:
        pictures_of(data)

    assert words in no.value.detail


def test_no_cut_and_no_flipped_byte_does_more_than_be_refused() -> None:
    for form in ("JPEG", "PNG", "WEBP"):
        whole = picture(form, colour=RED)
        for place in range(0, len(whole), max(1, len(whole) // 30)):
            for data in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
                with suppress(PictureRefused):
                    pictures_of(data)


@pytest.mark.django_db
def test_a_cover_is_served_for_ever_once_its_draft_is_published(
    draft: Callable[..., Playlist], editor: User, subscriber: Listener, api: Callable[[Listener], Api], client: Client
) -> None:
    playlist = draft()
    publish(edit(playlist, editor))
    keep_cover(edit(playlist, editor), picture())
    path = f"playlists/{playlist.pk}"
    phone = api(subscriber)
    assert "/sleeveart/" in json.loads(phone.get(path).content)["image_url"]

    publish(edit(playlist, editor))

    template = json.loads(phone.get(path).content)["image_url"]
    assert template.startswith("http://testserver/covers/")
    for size in SIZES:
        answer = client.get(template.replace("{size}", str(size)))
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
        assert "immutable" in answer["Cache-Control"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer
    for size in ("1", "99999999999", "x"):
        assert client.get(template.replace("{size}", size)).status_code == 404


@pytest.mark.django_db
def test_the_same_cover_twice_is_kept_once(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    keep_cover(edit(playlist, editor), picture())
    keep_cover(edit(playlist, editor), picture())

    assert Picture.objects.count() == len(SIZES)


@pytest.mark.django_db
def test_a_cover_names_the_version_too(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()

    with pytest.raises(PlaylistChanged):
        keep_cover(edit(playlist, editor, version=playlist.version - 1), picture())

    assert not Picture.objects.exists()
