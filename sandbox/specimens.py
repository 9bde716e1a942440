"""The three events that every new endpoint is tried with ("Frequently asked questions"): largest, smallest, takedown.

Their ids are negative: acknowledge, never store.
"""

from __future__ import annotations

from typing import Final

from sandbox.events import PACKAGES, Event, takedown

OFFER: Final = {"start": "2020-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z", "territories": ["GB", "IE"]}
OFFERS: Final = {
    "downloadAvailability": [OFFER | {"currencyCode": "GBP", "priceCode": "A1", "packages": list(PACKAGES)}],
    "subscriptionStreamingAvailability": [OFFER],
    "adSupportedStreamingAvailability": [OFFER],
}
ARTIST: Final = {"id": 1, "name": "Test Artist", "normalisedName": "test artist"}
TRACK: Final = {
    "id": 1,
    "isrc": "GBQQQ2000000",
    "title": "Test Track",
    "subtitle": "Version",
    "discNumber": 1,
    "trackNumber": 1,
    "duration": 180,
    "explicitContent": True,
    "pLine": "2020 Test",
    "clipStartPoint": 30,
    "artist": ARTIST,
    **OFFERS,
}
LARGEST: Final[Event] = {
    "version": 1,
    "id": -1,
    "upc": "9520000999995",
    "title": "Test Release",
    "subtitle": "Deluxe",
    "genres": ["Pop", "Rock"],
    "gRid": "A10000000000000000",
    "cLine": "2020 Test",
    "pLine": "2020 Test",
    "courtesyLine": "Courtesy of Test",
    "type": "Album",
    "explicitContent": True,
    "releaseDate": "2020-01-01T00:00:00Z",
    "duration": 180,
    "artist": ARTIST,
    "label": {"id": 1, "name": "Test Label", "licensor": {"id": 1, "name": "Test Licensor"}},
    "pdfBooklet": {"id": 1, "name": "Booklet"},
    **OFFERS,
    "tracks": [TRACK],
}


def smallest() -> Event:
    """What may be null is null, what may be empty is empty, what may be absent is absent."""
    event = LARGEST | dict.fromkeys(("subtitle", "gRid", "cLine", "pLine", "courtesyLine")) | {"id": -2, "version": 2}
    del event["pdfBooklet"]
    return event | {name: [] for name, value in event.items() if isinstance(value, list)}


def specimens() -> list[Event]:
    return [LARGEST, smallest(), takedown(-3, 3)]
