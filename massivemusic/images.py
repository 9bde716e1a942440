"""Cover images: their addresses follow from the release id alone."""

from __future__ import annotations

from typing import Final

from massivemusic.client import Client
from massivemusic.errors import AnswerTooLarge

SIZES: Final = (33, 50, 100, 180, 182, 200, 350, 500, 800)
"""Widths in pixels that may stand for `{size}`."""


def cover_template(image_url: str, release_id: int) -> str:
    """The address of a release's square JPEG cover, with the literal `{size}` in it.

    Raises ValueError for an id that the ten digits of an address cannot hold.
    """
    if not 0 < release_id < 10**10:
        raise ValueError("release_id must have 1 to 10 digits")
    number = f"{release_id:010}"
    return f"{image_url}/static/img/sleeveart/{number[:2]}/{number[2:5]}/{number[5:8]}/{number}_{{size}}.jpg"


def read_cover(client: Client, release_id: int, *, size: int, most: int) -> bytes | None:
    """A release's cover, whatever the bytes are; None where there is none, or none of at most so many bytes.

    Raises PlatformError.
    """
    path = cover_template("", release_id).replace("{size}", str(size))
    try:
        return client.picture(path, most=most)
    except AnswerTooLarge:
        return None
