"""The locker: what the platform says a listener has bought and may download."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NotRequired, TypedDict, Unpack

from kernel.values import INT32
from massivemusic import instants
from massivemusic.client import Client
from massivemusic.errors import OutOfRange, Unreadable
from massivemusic.shapes import listed, whole

LARGEST: Final = 50  # releases on a page
PAGES: Final = 1000  # more than anybody has bought


@dataclass(frozen=True, kw_only=True)
class LockerTrack:
    """A track that was bought, by itself or with its `whole_release`, and the formats (ids) it may be fetched in.

    `remaining_downloads` is None where the platform does not say. A `version` is what stands beside a title.
    """

    track_id: int
    title: str
    version: str
    artist_name: str
    track_number: int
    isrc: str
    duration_seconds: int
    remaining_downloads: int | None
    purchase_id: int
    purchased_at: datetime | None
    whole_release: bool
    formats: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class LockerRelease:
    """A release of which tracks were bought, maybe in several purchases."""

    release_id: int
    title: str
    version: str
    artist_name: str
    tracks: tuple[LockerTrack, ...]


@dataclass(frozen=True, kw_only=True)
class LockerPage:
    """A page of a locker. `total_items` counts the releases of all pages."""

    page: int
    page_size: int
    total_items: int
    releases: tuple[LockerRelease, ...]


class Which(TypedDict):
    """Whose locker, and what of it: one release, one of its tracks, one purchase.

    `sort` is `releaseTitle`, `purchaseDate` or `artistName`, then `asc` or `desc`.
    """

    user_id: str
    country: str
    page_size: NotRequired[int]
    release_id: NotRequired[int | None]
    track_id: NotRequired[int | None]
    purchase_id: NotRequired[int | None]
    sort: NotRequired[str]


def read_locker(client: Client, *, page: int = 1, **which: Unpack[Which]) -> LockerPage:
    """One page of a listener's locker, 50 releases unless `page_size` says less (Download guide §4.1).

    The URLs in it are dropped: whoever holds one may fetch. A release or a track without a match is an empty
    locker. Raises NotFound (2001) for a purchase without one, OutOfRange beyond the last page.
    """
    page_size = which.get("page_size", LARGEST)
    query: dict[str, str | int] = {
        "userId": which["user_id"],
        "country": which["country"],
        "page": page,
        "pageSize": page_size,
        "sort": which.get("sort", "releaseTitle asc"),
    }
    for name, number in (
        ("releaseId", which.get("release_id")),
        ("trackId", which.get("track_id")),
        ("purchaseId", which.get("purchase_id")),
    ):
        if number is not None:
            query[name] = number
    answer = client.call("GET", "/user/locker", query=query)
    told = answer.at("locker", "lockerReleases")
    if not isinstance(told, dict):
        raise Unreadable("the answer holds no locker", status=answer.status)
    return LockerPage(
        page=_number(told, "page", otherwise=page),
        page_size=_number(told, "pageSize", otherwise=page_size),
        total_items=_number(told, "totalItems"),
        releases=tuple(_release(item) for item in _members(told, "lockerRelease")),
    )


def every_page(client: Client, **which: Unpack[Which]) -> Iterator[LockerRelease]:
    """All releases of a locker, page by page. Raises Unreadable for one that has fewer than it says, or no end."""
    seen = 0
    for number in range(1, PAGES + 1):
        try:
            page = read_locker(client, page=number, **which)
        except OutOfRange:
            if number == 1:
                raise
            return  # it has become shorter meanwhile
        yield from page.releases
        seen += len(page.releases)
        if seen >= page.total_items:
            return
        if not page.releases:
            raise Unreadable("the locker has fewer releases than it says")
    raise Unreadable("the locker has no end")


def _release(told: Mapping[str, Any]) -> LockerRelease:
    release = _object(told, "release")
    tracks = _inside(told, "lockerTracks", "lockerTrack")
    return LockerRelease(
        release_id=_id(release),
        title=_text(release.get("title")),
        version=_text(release.get("version")),
        artist_name=_artist(release),
        tracks=tuple(map(_track, tracks)),
    )


def _track(told: Mapping[str, Any]) -> LockerTrack:
    track = _object(told, "track")
    remaining = told.get("remainingDownloads")
    return LockerTrack(
        track_id=_id(track),
        title=_text(track.get("title")),
        version=_text(track.get("version")),
        artist_name=_artist(track),
        track_number=_number(track, "trackNumber", otherwise=0),
        isrc=_text(track.get("isrc")),
        duration_seconds=_number(track, "duration", otherwise=0),
        remaining_downloads=None if remaining is None else _number(told, "remainingDownloads"),
        purchase_id=_id(told, "purchaseId"),
        purchased_at=_instant(told.get("purchaseDate")),
        whole_release=_truth(told.get("completeAlbumPurchase")),
        formats=_formats(told),
    )


def _formats(told: Mapping[str, Any]) -> tuple[int, ...]:
    """The formats, each once. Beside or inside each of them stands a URL."""
    urls = _inside(told, "downloadUrls", "downloadUrl")
    return tuple(dict.fromkeys(_id(_object(url, "format")) for url in urls))


def _artist(told: Mapping[str, Any]) -> str:
    """An artist's name as this release or track credits it."""
    artist = told.get("artist")
    if not isinstance(artist, dict):
        return _text(artist)
    return _text(artist.get("appearsAs")) or _text(artist.get("name"))


def _inside(told: Mapping[str, Any], plural: str, singular: str) -> list[dict[str, Any]]:
    """What stands in a list of its own: none, one or several in XML; in JSON maybe without the element around."""
    inside = told.get(plural)
    return _members(inside if isinstance(inside, dict) else {singular: inside}, singular)


def _members(told: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    members = listed(told.get(name))
    if not all(isinstance(member, dict) for member in members):
        raise Unreadable(f"the locker's {name} is no list")
    return members


def _object(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = told.get(name)
    if not isinstance(value, dict):
        raise Unreadable(f"the locker has no {name}")
    return value


def _id(told: Mapping[str, Any], name: str = "id") -> int:
    if (number := _number(told, name)) == 0:
        raise Unreadable(f"the locker's {name} is 0")
    return number


def _number(told: Mapping[str, Any], name: str, *, otherwise: int | None = None) -> int:
    """A whole number from 0 that fits an int32, as all of the platform's do."""
    value = told.get(name)
    number = otherwise if value is None else whole(value)
    if number is None or not 0 <= number <= INT32:
        raise Unreadable(f"the locker's {name} is no number")
    return number


def _text(value: Any) -> str:
    """A text; a number is one that another encoding has made a number."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or "\0" in str(value):
        raise Unreadable("the locker names something without a text")
    return str(value)


def _truth(value: Any) -> bool:
    if value is None:
        return False
    told = str(value).lower()
    if told not in ("true", "false"):
        raise Unreadable("the locker does not say whether a release was bought whole")
    return told == "true"


def _instant(value: Any) -> datetime | None:
    try:
        return None if value is None else instants.read(value)
    except ValueError:
        raise Unreadable("the locker's purchaseDate is no date") from None
