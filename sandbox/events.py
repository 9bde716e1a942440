"""Catalogue events as they travel ("Standard metadata event schema"): the shapes, nothing of their delivery.

The documentation we could read ends inside `downloadAvailability.packages`; the names after that
are our choice, and this module is the only place that knows them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sandbox import instants
from sandbox.models import Artist, Release, Track

Event = dict[str, Any]

PRICE_CODES: Final = {"Single": "S1", "EP": "E1", "Album": "A1"}
CURRENCIES: Final = {"GB": "GBP", "US": "USD", "CA": "CAD", "CH": "CHF", "JP": "JPY"}  # everywhere else: EUR
PACKAGES: Final[tuple[Event, ...]] = ({"id": 2, "formats": [17, 33]}, {"id": 9, "formats": [45]})


def event_of(release: Release) -> Event:
    """The release as it is now: a snapshot, or a takedown. Wants artist, label and tracks at hand."""
    return takedown(release.pk, release.version) if release.taken_down else snapshot(release)


def takedown(release_id: int, version: int) -> Event:
    """Exactly these three members."""
    return {"id": release_id, "version": version, "takedown": True}


def older(release: Release, *, steps: int) -> Event:
    """A snapshot this release might have had `steps` changes ago, for trying out late deliveries."""
    event = snapshot(release)
    return event | {"version": release.version - steps, "title": f"{release.title} (draft {steps})"}


def snapshot(release: Release) -> Event:
    downloads, streams = list(_downloads(release)), _streams(release)
    tracks = [_track(track, downloads, streams) for track in release.tracks.all()]
    return {
        "version": release.version,
        "id": release.pk,
        "upc": release.upc,
        "title": release.title,
        "subtitle": release.subtitle or None,
        "genres": [release.genre],
        "gRid": None,
        "cLine": f"{release.released_at.year} {release.label.name}",
        "pLine": f"{release.released_at.year} {release.label.name}",
        "courtesyLine": None,
        "type": release.kind,
        "explicitContent": any(track["explicitContent"] for track in tracks),
        "releaseDate": instants.iso(release.released_at),
        "duration": sum(track["duration"] for track in tracks),
        "artist": _artist(release.artist),
        "label": {
            "id": release.label.pk,
            "name": release.label.name,
            "licensor": {"id": release.label.licensor_id, "name": release.label.licensor_name},
        },
        "downloadAvailability": downloads,
        "subscriptionStreamingAvailability": streams,
        "adSupportedStreamingAvailability": [],
        "tracks": tracks,
    }


def normalised(name: str) -> str:
    """`The Lamplighters` → `lamplighters`: no accents, no marks, no article (our reading of the one known sample)."""
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(mark))
    words = re.sub(r"[^\w\s]", "", plain).split()
    return " ".join(words[1:] if words[:1] == ["the"] and len(words) > 1 else words)


def _artist(artist: Artist) -> Event:
    return {"id": artist.pk, "name": artist.name, "normalisedName": normalised(artist.name)}


def _track(track: Track, downloads: Sequence[Event], streams: Sequence[Event]) -> Event:
    return {
        "id": track.pk,
        "isrc": track.isrc or None,
        "title": track.title,
        "subtitle": track.subtitle or None,
        "discNumber": track.disc_number,
        "trackNumber": track.track_number,
        "duration": round(track.seconds),
        "explicitContent": track.explicit,
        "pLine": None,
        "clipStartPoint": track.clip_starts_at,
        "artist": _artist(track.artist),
        "downloadAvailability": downloads,
        "subscriptionStreamingAvailability": streams,
        "adSupportedStreamingAvailability": [],
    }


def _streams(release: Release) -> list[Event]:
    if release.streams_from is None:
        return []
    return [{"start": instants.iso(release.streams_from), "end": None, "territories": release.territories}]


def _downloads(release: Release) -> Iterator[Event]:
    """One offer for each currency."""
    if release.downloads_from is None:
        return
    by_currency: dict[str, list[str]] = {}
    for territory in release.territories:
        by_currency.setdefault(CURRENCIES.get(territory, "EUR"), []).append(territory)
    for currency, territories in sorted(by_currency.items()):
        yield {
            "start": instants.iso(release.downloads_from),
            "end": None,
            "territories": territories,
            "currencyCode": currency,
            "priceCode": PRICE_CODES.get(release.kind, "A1"),
            "packages": list(PACKAGES),
        }
