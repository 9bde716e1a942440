"""Playlists: of the partner, or of a listener where a call names their `user_id`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from massivemusic.answers import Answer
from massivemusic.client import Client
from massivemusic.errors import OutOfRange, Unreadable
from massivemusic.shapes import listed, whole

LISTED: Final = 50  # the largest pages there are, of playlists and of tracks
TRACKS: Final = 500
PAGES: Final = 1000  # more than anybody has

_PATH: Final = "/playlists"


@dataclass(frozen=True, kw_only=True)
class PlaylistDetails:
    """What a playlist says of itself. `visibility` is private or public, `status` any word of the partner's.

    `annotations` are the partner's own notes. Of a description the platform keeps 500 characters.
    """

    name: str
    description: str = ""
    visibility: str = "private"
    status: str = ""
    tags: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PlaylistTrack:
    """A track as it is put on a playlist. The platform looks nothing up: what is not said here is not shown there."""

    track_id: str
    title: str
    version: str
    artist: str
    release_id: str
    release_title: str
    release_artist: str
    release_version: str


@dataclass(frozen=True, kw_only=True)
class Playlist:
    """A playlist as the platform tells it, without its tracks.

    `annotations` is None where an answer says nothing of them, as lists may. `user_id` is None on a partner's own.
    """

    id: str
    name: str
    description: str
    visibility: str
    status: str
    tags: tuple[str, ...]
    annotations: Mapping[str, str] | None
    user_id: str | None
    track_count: int | None


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A track on a playlist: the id of its place there, and what was said of it."""

    item_id: str
    track_id: str
    title: str
    artist: str


def create_playlist(
    client: Client,
    *,
    country: str,
    user_id: str | None,
    details: PlaylistDetails,
    tracks: Sequence[PlaylistTrack] = (),
) -> str:
    """Make a playlist; the platform's id of it ("Create a playlist").

    Twice makes two: only the annotations tell whose it is. `country` (ISO alpha-2) is one the key is licensed for.
    Raises ParameterMissing, ParameterInvalid, NotFound for an unknown listener.
    """
    body = _details(details) | {"tracks": _tracks(tracks)}
    return _playlist(client.call("POST", _PATH, query=_query(country, user_id), json=body)).id


def read_playlist(client: Client, *, country: str, user_id: str | None, playlist_id: str) -> Playlist:
    """A playlist without its tracks, which would have no end. Raises NotFound."""
    return _playlist(client.call("GET", f"{_one(playlist_id)}/details", query=_query(country, user_id)))


def partner_playlists(client: Client, *, country: str) -> Iterator[Playlist]:
    """All playlists of the partner, page by page; should users' be among them, they have a `user_id`."""
    for item in _paged(client, _PATH, _query(country, None), size=LISTED, names=("playlists", "playlist")):
        yield _told(item)


def user_playlists(client: Client, *, country: str, user_id: str) -> Iterator[Playlist]:
    """All playlists of a listener, page by page. Raises NotFound for an unknown listener."""
    query = _query(country, user_id)
    for item in _paged(client, f"/user{_PATH}", query, size=LISTED, names=("playlists", "playlist")):
        yield _told(item)


def replace_playlist(
    client: Client,
    *,
    country: str,
    user_id: str | None,
    playlist_id: str,
    details: PlaylistDetails,
    tracks: Sequence[PlaylistTrack] = (),
) -> None:
    """Make the playlist be this, with these tracks and no others. Twice is once. Raises NotFound."""
    body = _details(details) | {"tracks": _tracks(tracks)}
    client.call("POST", _one(playlist_id), query=_query(country, user_id), json=body)


def update_details(
    client: Client, *, country: str, user_id: str | None, playlist_id: str, details: PlaylistDetails
) -> None:
    """Change what the playlist says of itself; its tracks stay ("Update playlist details"). Twice is once.

    Raises NotFound.
    """
    client.call("POST", f"{_one(playlist_id)}/details", query=_query(country, user_id), json=_details(details))


def add_tracks(
    client: Client, *, country: str, user_id: str | None, playlist_id: str, tracks: Sequence[PlaylistTrack]
) -> None:
    """Put tracks at the playlist's end ("Add tracks to a playlist"). Twice adds twice.

    Raises NotFound, and AnswerTooLarge where a long playlist is told back as a whole: its count says what was done.
    """
    client.call("POST", f"{_one(playlist_id)}/tracks", query=_query(country, user_id), json=_tracks(tracks))


def playlist_tracks(client: Client, *, country: str, user_id: str | None, playlist_id: str) -> Iterator[Listed]:
    """What is on a playlist, in order, page by page ("List playlist tracks"). Raises NotFound."""
    query = _query(country, user_id)
    for item in _paged(client, f"{_one(playlist_id)}/tracks", query, size=TRACKS, names=("tracks", "track")):
        yield Listed(
            item_id=_text(item.get("playlistItemId") or item.get("id")),
            track_id=_text(item.get("trackId")),
            title=_text(item.get("trackTitle")),
            artist=_text(item.get("artistAppearsAs")),
        )


def delete_playlist(client: Client, *, country: str, user_id: str | None, playlist_id: str) -> None:
    """Remove a playlist. Raises NotFound when there is none, which a repeat may count as done."""
    client.call("DELETE", _one(playlist_id), query=_query(country, user_id))


def _one(playlist_id: str) -> str:
    return f"{_PATH}/{quote(playlist_id, safe='')}"


def _query(country: str, user_id: str | None) -> dict[str, str | int]:
    return {"country": country} if user_id is None else {"country": country, "userId": user_id}


def _details(details: PlaylistDetails) -> dict[str, Any]:
    return {
        "name": details.name,
        "description": details.description,
        "visibility": details.visibility,
        "status": details.status,
        "tags": [{"name": tag} for tag in details.tags],
        "annotations": dict(details.annotations),
    }


def _tracks(tracks: Sequence[PlaylistTrack]) -> list[dict[str, str]]:
    return [
        {
            "trackId": track.track_id,
            "trackTitle": track.title,
            "trackVersion": track.version,
            "artistAppearsAs": track.artist,
            "releaseId": track.release_id,
            "releaseTitle": track.release_title,
            "releaseArtistAppearsAs": track.release_artist,
            "releaseVersion": track.release_version,
        }
        for track in tracks
    ]


def _paged(
    client: Client, path: str, query: Mapping[str, str | int], *, size: int, names: tuple[str, str]
) -> Iterator[dict[str, Any]]:
    """The members of a list, page by page, until there are as many as it says it has.

    Raises Unreadable for a list that is none, or that has no end.
    """
    seen = 0
    for page in range(1, PAGES + 1):
        try:
            answer = client.call("GET", path, query={**query, "page": page, "pageSize": size})
        except OutOfRange:
            if page == 1:
                raise
            return  # it has become shorter meanwhile
        items, total = _members(answer, *names)
        yield from items
        seen += len(items)
        if not items or (len(items) < size if total is None else seen >= total):
            return
    raise Unreadable("the list has no end")


def _members(answer: Answer, plural: str, singular: str) -> tuple[list[dict[str, Any]], int | None]:
    """A page's members and how many there are in all: bare, inside of one element, or a lone one instead of a list."""
    head = answer.body
    if not head.keys() & {plural, singular, "totalItems"}:
        raise Unreadable(f"the answer lists no {plural}", status=answer.status)
    inside = head.get(plural, head.get(singular))
    if isinstance(inside, dict) and ("totalItems" in inside or singular in inside):
        head, inside = head | inside, inside.get(singular)
    items = listed(inside)
    if not all(isinstance(item, dict) for item in items):
        raise Unreadable(f"the answer lists no {plural}", status=answer.status)
    return items, whole(head.get("totalItems"))


def _playlist(answer: Answer) -> Playlist:
    """The answer's `playlist`. Raises Unreadable when it is not there or has no id."""
    told = answer.at("playlist")
    if not isinstance(told, dict):
        raise Unreadable("the answer names no playlist", status=answer.status)
    return _told(told)


def _told(told: Mapping[str, Any]) -> Playlist:
    if not (playlist_id := _text(told.get("id"))):
        raise Unreadable("a playlist has no id")
    return Playlist(
        id=playlist_id,
        name=_text(told.get("name")),
        description=_text(told.get("description")),
        visibility=_text(told.get("visibility")).lower(),
        status=_text(told.get("status")),
        tags=_tags(told.get("tags")),
        annotations=_annotations(told["annotations"]) if "annotations" in told else None,
        user_id=_text(told.get("userId")) or None,
        track_count=whole(told.get("trackCount")),
    )


def _text(value: Any) -> str:
    """A text; numbers are ids that another encoding has made numbers."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _tags(value: Any) -> tuple[str, ...]:
    inside = value.get("tag") if isinstance(value, dict) else value
    names = (tag.get("name") if isinstance(tag, dict) else tag for tag in listed(inside))
    return tuple(filter(None, map(_text, names)))


def _annotations(value: Any) -> dict[str, str]:
    """A map; in XML, elements of which each names its `key`."""
    if not isinstance(value, dict):
        return {}
    if "annotation" not in value:
        return {key: _text(each) for key, each in value.items()}
    notes = (note for note in listed(value["annotation"]) if isinstance(note, dict))
    return {_text(note.get("key")): _text(note.get("#text")) for note in notes}
