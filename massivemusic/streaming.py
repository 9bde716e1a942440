"""Streaming: signed URLs that let a device fetch one track, and the formats there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NotRequired, TypedDict, Unpack

from massivemusic.client import Client

HLS_MIME_TYPE: Final = "application/vnd.apple.mpegurl"


@dataclass(frozen=True, kw_only=True)
class Format:
    """One of the platform's encodings. `bitrate` is in kbit/s, None where it varies or is unknown.

    `mime_type` is that of a progressive stream or a download.
    """

    id: int
    codec: str
    bitrate: int | None
    mime_type: str
    streamable: bool = False
    downloadable: bool = False


def _flac(number: int, quality: str) -> Format:
    return Format(id=number, codec=f"FLAC {quality}", bitrate=None, mime_type="audio/flac", downloadable=True)


# Assembled from the reference pages' samples and the platform's published clients: the page of
# supported formats is not public. What is neither streamable nor downloadable may still stand in
# old catalogue data and old play logs.
_FORMATS: Final = (
    Format(id=26, codec="MP3", bitrate=128, mime_type="audio/mpeg", streamable=True),
    Format(id=55, codec="HE-AAC", bitrate=64, mime_type="audio/mp4", streamable=True),
    Format(id=56, codec="AAC", bitrate=160, mime_type="audio/mp4", streamable=True),
    Format(id=17, codec="MP3", bitrate=320, mime_type="audio/mpeg", downloadable=True),
    Format(id=48, codec="MP3", bitrate=256, mime_type="audio/mpeg", downloadable=True),
    Format(id=33, codec="AAC", bitrate=320, mime_type="audio/mp4", downloadable=True),
    _flac(45, "16-bit 44.1 kHz"),
    _flac(52, "24-bit 44.1 kHz"),
    _flac(58, "24-bit 88.2 kHz"),
    _flac(60, "24-bit 96 kHz"),
    _flac(62, "24-bit 192 kHz"),
    _flac(87, "24-bit 352.8 kHz MQA"),
    Format(id=1, codec="WMA", bitrate=192, mime_type="audio/x-ms-wma"),
    Format(id=2, codec="AAC", bitrate=192, mime_type="audio/mp4"),
    Format(id=6, codec="MP3", bitrate=192, mime_type="audio/mpeg"),
    Format(id=50, codec="unknown", bitrate=None, mime_type="application/octet-stream"),
    Format(id=10, codec="PDF", bitrate=None, mime_type="application/pdf"),
    Format(id=9, codec="MP4 video", bitrate=None, mime_type="video/mp4"),
    Format(id=21, codec="MP4 video", bitrate=None, mime_type="video/mp4"),
    Format(id=4, codec="WMV", bitrate=None, mime_type="video/x-ms-wmv"),
    Format(id=13, codec="WMV", bitrate=None, mime_type="video/x-ms-wmv"),
)
FORMATS: Final[Mapping[int, Format]] = MappingProxyType({known.id: known for known in _FORMATS})


class Fetch(TypedDict):
    """Who fetches what, on which device: what a stream's URL says. Progressive, with byte ranges, unless `hls`."""

    user_id: str
    track_id: int
    format_id: int
    client_id: str
    country: str
    release_id: NotRequired[int | None]
    hls: NotRequired[bool]


def online_stream_url(client: Client, **fetch: Unpack[Fetch]) -> str:
    """A signed URL from which the device `client_id` may stream one track now (Streaming guide §4.1).

    No call is made: the platform judges when the device fetches (2001 not in this country, 2002 no
    subscription or no release yet, 3201 another device took over). Web keys get URLs that work once.
    """
    return _signed(client, "/stream/subscription", fetch)


def offline_stream_url(client: Client, **fetch: Unpack[Fetch]) -> str:
    """A signed URL from which an enabled device may fetch one track, to keep it (Streaming guide §4.2).

    As `online_stream_url`, but 2002 also means that the device is not enabled, nobody is displaced, and the
    fetch is no play.
    """
    return _signed(client, "/offline/subscription", fetch)


def _signed(client: Client, path: str, fetch: Fetch) -> str:
    query: dict[str, str | int] = {
        "userId": fetch["user_id"],
        "trackId": fetch["track_id"],
        "formatId": fetch["format_id"],
        "clientId": fetch["client_id"],
        "country": fetch["country"],
    }
    if (release_id := fetch.get("release_id")) is not None:
        query["releaseId"] = release_id
    return client.signed_url(client.platform.stream_url, f"{path}.m3u8" if fetch.get("hls") else path, query)
