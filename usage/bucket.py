"""The platform's bucket as this process reaches it, made from the settings."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from massivemusic.bucket import Bucket, Place
from massivemusic.errors import NotAuthorised


@cache
def bucket() -> Bucket:
    """Raises NotAuthorised where none is set: files that were cut before wait until it is."""
    place = Place(**settings.USAGE_BUCKET)
    if not (place.name and place.region and place.key_id and place.secret):
        raise NotAuthorised("no bucket is set: USAGE_BUCKET and its keys")
    return Bucket(place)
