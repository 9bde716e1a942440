"""Reading what a playlist is made from: the JSON bodies of "Create a playlist" and its sister pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings

from sandbox.answers import Refused
from sandbox.calls import invalid

DESCRIPTION: Final = 500  # characters kept
LONGEST: Final = {"name": 255, "status": 255, "imageUrl": 2048}
VISIBILITIES: Final = {"private": "Private", "public": "Public"}
TRACK_FIELDS: Final = (
    "trackId", "trackTitle", "trackVersion", "artistId", "artistAppearsAs", "releaseId", "releaseTitle",
    "releaseArtistId", "releaseArtistAppearsAs", "releaseVersion", "source", "audioUrl", "image",
)  # fmt: skip

Fields = dict[str, Any]


def read_object(body: bytes) -> Fields:
    """The body as an object, names in lower case. Raises 1002 on anything else."""
    tree = _decoded(body)
    if not isinstance(tree, dict):
        raise Refused(1002, "The body is not a readable playlist")
    return _lowered(tree)


def read_details(given: Mapping[str, Any]) -> Fields:
    """What the body says of the playlist itself, in the words of our rows; what it leaves out is left out.

    Raises 1002. The description is cut.
    """
    found: Fields = {}
    for name, longest in LONGEST.items():
        if (value := given.get(name.lower())) is not None:
            found[{"imageUrl": "image"}.get(name, name)] = _text(name, value, longest=longest)
    if (description := given.get("description")) is not None:
        found["description"] = _text("description", description)[:DESCRIPTION]
    if (visibility := given.get("visibility")) is not None:
        found["visibility"] = _visibility(visibility)
    if (tags := given.get("tags")) is not None:
        found["tags"] = _tags(tags)
    if (annotations := given.get("annotations")) is not None:
        found["annotations"] = _annotations(annotations)
    return found


def whole(given: Mapping[str, Any]) -> Fields:
    """A whole playlist's details: the name is required, all else has a default (Private, by the page's sample)."""
    details = read_details(given)
    if not details.get("name"):
        raise Refused(1001, 'Missing "name" parameter')
    blank: Fields = {
        "status": "",
        "description": "",
        "image": "",
        "visibility": "Private",
        "tags": [],
        "annotations": {},
    }
    return blank | details


def read_tracks(tree: Any) -> list[Fields]:
    """Tracks as they were given, all texts, ids too; none where there is no list. Raises 1002."""
    if tree is None:
        return []
    if not isinstance(tree, list) or not all(isinstance(track, dict) for track in tree):
        raise Refused(1002, 'Invalid value for "tracks": a list of objects')
    if settings.PLAYLIST_MAX_TRACKS and len(tree) > settings.PLAYLIST_MAX_TRACKS:
        raise Refused(1002, f"Too many tracks in one request, at most {settings.PLAYLIST_MAX_TRACKS}")
    return [_track(_lowered(track)) for track in tree]


def read_array(body: bytes) -> list[Fields]:
    """The bare array of tracks that is added to a playlist. Raises 1002; 1001 for an empty one."""
    tracks = read_tracks(_decoded(body))
    if not tracks:
        raise Refused(1001, 'Missing "tracks" parameter')
    return tracks


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(1002, "The body is not readable JSON") from None


def _lowered(tree: Mapping[str, Any]) -> Fields:
    return {name.lower(): value for name, value in tree.items()}


def _text(name: str, value: Any, *, longest: int | None = None) -> str:
    if not isinstance(value, str):
        raise invalid(name, ascii(value))
    if "\0" in value or any("\ud800" <= mark <= "\udfff" for mark in value):
        raise invalid(name, ascii(value))
    if longest is not None and len(value) > longest:
        raise invalid(name, value)
    return value


def _visibility(value: Any) -> str:
    known = VISIBILITIES.get(_text("visibility", value).lower())
    if known is None:
        raise invalid("visibility", value)
    return known


def _tags(value: Any) -> list[Fields]:
    """`[{"name": …, "playlistPosition": …}]`; the position may be missing."""
    if not isinstance(value, list) or not all(isinstance(tag, dict) for tag in value):
        raise Refused(1002, 'Invalid value for "tags": a list of objects')
    tags = []
    for tag in map(_lowered, value):
        position = tag.get("playlistposition")
        if position is not None and type(position) is not int:
            raise invalid("playlistPosition", ascii(position))
        named: Fields = {"name": _text("tags", tag.get("name"), longest=255)}
        tags.append(named if position is None else named | {"playlistPosition": position})
    return tags


def _annotations(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Refused(1002, 'Invalid value for "annotations": an object')
    return {_text("annotations", key): _text("annotations", each) for key, each in value.items()}


def _track(given: Mapping[str, Any]) -> Fields:
    named = {name: given[name.lower()] for name in TRACK_FIELDS if given.get(name.lower()) is not None}
    return {"source": "7digital"} | {name: _text(name, value) for name, value in named.items()}
