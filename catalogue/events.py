"""The one place that knows how the platform spells a release event.

Tolerant where it can be (unknown, null and absent fields), strict where a wrong value would do
harm (ids, versions, territories, dates). Catalogue Events, "Standard Metadata Event Schema".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

from django.utils.dateparse import parse_datetime

from catalogue.rules import Use
from kernel.values import INT32, is_country
from web.bodies import NotJSON, refuse_bad_characters

INT64: Final = 2**63 - 1
TEXT: Final = 1024
FOREVER: Final = 9999  # a year by which "no end" is meant
UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
CODE: Final = re.compile(r"[A-Z]{2}")
TERRITORIES_WANTED: Final = "territories: must be ISO 3166-1 alpha-2 codes, at least one"

OFFERS: Final[dict[str, Use]] = {
    "downloadAvailability": Use.DOWNLOAD,
    "subscriptionStreamingAvailability": Use.STREAM,
    "adSupportedStreamingAvailability": Use.AD_STREAM,
}


class EventRefused(Exception):
    """A member that cannot be understood; the message names the field, never quotes the value."""


@dataclass(frozen=True, kw_only=True)
class OfferFacts:
    use: Use
    territories: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ArtistFacts:
    id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class TrackFacts:
    id: int
    title: str
    subtitle: str
    isrc: str
    disc_number: int
    track_number: int
    duration_seconds: int
    explicit: bool
    artist: ArtistFacts
    offers: tuple[OfferFacts, ...]


@dataclass(frozen=True, kw_only=True)
class ReleaseFacts:
    """A whole snapshot of one release."""

    id: int
    version: int
    title: str
    subtitle: str
    upc: str
    type: str
    genres: tuple[str, ...]
    label: str
    licensor_id: int | None
    explicit: bool
    release_date: datetime | None
    duration_seconds: int
    p_line: str
    c_line: str
    artist: ArtistFacts
    offers: tuple[OfferFacts, ...]
    tracks: tuple[TrackFacts, ...]


@dataclass(frozen=True, kw_only=True)
class TakedownFacts:
    """A release that is no more, as of `version`."""

    id: int
    version: int


@dataclass(frozen=True, kw_only=True)
class TestFacts:
    """A test event: a negative id, to be acknowledged and forgotten."""

    __test__ = False  # not one of pytest's

    id: int


@dataclass(frozen=True, kw_only=True)
class TagFacts:
    """What the enhanced stream says of one track: tags as they came, of `version`."""

    release_id: int
    track_id: int
    version: int
    tags: Mapping[str, Any]


Facts: TypeAlias = ReleaseFacts | TakedownFacts | TestFacts
Member: TypeAlias = Mapping[str, Any]


def read_member(member: object) -> Facts:
    """One member of an event's array as facts. Raises EventRefused."""
    if not isinstance(member, dict):
        raise EventRefused("the member is not an object")
    id_ = whole(member, "id", low=-INT32 - 1)
    if id_ < 0:
        return TestFacts(id=id_)
    if id_ == 0:
        raise EventRefused("id: must not be 0")
    version = whole(member, "version", high=INT64)
    if member.get("takedown"):
        return TakedownFacts(id=id_, version=version)
    return read_release(member, id_=id_, version=version)


def read_tags(member: object) -> TagFacts | TestFacts:
    """One member of an enhanced event ("Enhanced Metadata Event Schema"). Raises EventRefused."""
    if not isinstance(member, dict):
        raise EventRefused("the member is not an object")
    track_id = whole(member, "trackId", low=-INT32 - 1)
    if track_id < 0:
        return TestFacts(id=track_id)
    tags = {name: value for name, value in member.items() if name not in {"version", "releaseId", "trackId"}}
    if not tags:
        raise EventRefused("the member carries no tag")
    try:
        refuse_bad_characters(tags)
    except NotJSON:
        raise EventRefused("tags: must be texts without NUL or half characters") from None
    return TagFacts(
        release_id=whole(member, "releaseId", low=1),
        track_id=track_id,
        version=whole(member, "version", high=INT64),
        tags=tags,
    )


def read_release(member: Member, *, id_: int, version: int) -> ReleaseFacts:
    artist = read_artist(member)
    label = box(member, "label") or {}
    licensor = box(label, "licensor")
    return ReleaseFacts(
        id=id_,
        version=version,
        title=text(member, "title"),
        subtitle=text(member, "subtitle"),
        upc=text(member, "upc", limit=64),
        type=text(member, "type", limit=64),
        genres=tuple(genre[:128] for genre in items(member, "genres") if is_storable(genre)),
        label=text(label, "name", limit=512),
        licensor_id=whole(licensor, "id") if licensor else None,
        explicit=member.get("explicitContent") is True,
        release_date=moment(member, "releaseDate"),
        duration_seconds=whole(member, "duration", default=0),
        p_line=text(member, "pLine"),
        c_line=text(member, "cLine"),
        artist=artist,
        offers=read_offers(member),
        tracks=tuple(read_track(track, release_artist=artist) for track in items(member, "tracks")),
    )


def read_track(member: object, *, release_artist: ArtistFacts) -> TrackFacts:
    """A track; without an artist of its own it has its release's."""
    if not isinstance(member, dict):
        raise EventRefused("tracks: a track is not an object")
    return TrackFacts(
        id=whole(member, "id", low=1),
        title=text(member, "title"),
        subtitle=text(member, "subtitle"),
        isrc=text(member, "isrc").replace("-", "").upper()[:32],
        disc_number=whole(member, "discNumber", default=1),
        track_number=whole(member, "trackNumber", default=1),
        duration_seconds=whole(member, "duration", default=0),
        explicit=member.get("explicitContent") is True,
        artist=read_artist(member) if member.get("artist") else release_artist,
        offers=read_offers(member),
    )


def read_artist(member: Member) -> ArtistFacts:
    artist = box(member, "artist")
    if artist is None:
        raise EventRefused("artist: missing")
    return ArtistFacts(id=whole(artist, "id"), name=text(artist, "name"))


def read_offers(member: Member) -> tuple[OfferFacts, ...]:
    """All offers of a release or track. A missing, null or empty list means: not for that use.

    One that holds nowhere where anybody can live is left out.
    """
    offers = (read_offer(offer, use) for field, use in OFFERS.items() for offer in items(member, field))
    return tuple(offer for offer in offers if offer.territories)


def read_offer(offer: object, use: Use) -> OfferFacts:
    if not isinstance(offer, dict):
        raise EventRefused("availability: an offer is not an object")
    try:
        territories = known_territories(tuple(items(offer, "territories")))
    except TypeError:  # something in the list is itself a list or an object
        raise EventRefused(TERRITORIES_WANTED) from None
    starts_at, ends_at = moment(offer, "start"), moment(offer, "end")
    if starts_at is None:
        raise EventRefused("start: missing")
    if ends_at is not None and ends_at <= starts_at:
        raise EventRefused("end: not after start")
    if ends_at is not None and ends_at.year >= FOREVER:
        ends_at = None
    return OfferFacts(use=use, territories=territories, starts_at=starts_at, ends_at=ends_at)


@lru_cache(maxsize=4096)  # the same few lists stand on every offer
def known_territories(listed: tuple[object, ...]) -> tuple[str, ...]:
    """The ISO 3166-1 countries of the list, each once. Raises EventRefused for what has not even their shape.

    Codes that no listener can have (XK, EU, …) are passed over: refusing the event for them would
    leave in force what it takes away.
    """
    if not listed or not all(isinstance(code, str) and CODE.fullmatch(code) for code in listed):
        raise EventRefused(TERRITORIES_WANTED)
    return tuple(dict.fromkeys(code for code in listed if isinstance(code, str) and is_country(code)))


# --- fields ---------------------------------------------------------------------------------


def whole(member: Member, field: str, *, low: int = 0, high: int = INT32, default: int | None = None) -> int:
    """A whole number within bounds. Raises EventRefused."""
    value = member.get(field)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise EventRefused(f"{field}: must be a whole number from {low} to {high}")
    return value


def text(member: Member, field: str, *, limit: int = TEXT) -> str:
    """A text, cut to what its column holds; empty when null or absent. Raises EventRefused for anything else."""
    value = member.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or UNSTORABLE.search(value):
        raise EventRefused(f"{field}: must be a text without NUL or half characters")
    return value.strip()[:limit]


def is_storable(value: object) -> bool:
    return isinstance(value, str) and not UNSTORABLE.search(value)


def box(member: Member, field: str) -> Member | None:
    """An object, or None when null or absent."""
    value = member.get(field)
    if value is not None and not isinstance(value, dict):
        raise EventRefused(f"{field}: must be an object")
    return value


def items(member: Member, field: str) -> list[Any]:
    """A list; empty when null or absent."""
    value = member.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise EventRefused(f"{field}: must be a list")
    return value


def moment(member: Member, field: str) -> datetime | None:
    """An aware time in UTC; a date without a zone is the platform's UTC. None when null or absent."""
    value = member.get(field)
    if value is None:
        return None
    try:
        parsed = parse_datetime(value if "T" in value else f"{value}T00:00:00Z")
        if parsed is not None and value.isascii():  # other digits than ours count as digits, too
            return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise EventRefused(f"{field}: must be an ISO 8601 date and time")
