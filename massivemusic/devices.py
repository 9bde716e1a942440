"""Offline devices: the platform is told which of a listener's devices may keep tracks."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any, Final

from massivemusic.answers import Answer
from massivemusic.client import Client
from massivemusic.errors import OutOfRange, Unreadable
from massivemusic.shapes import whole

_PATH: Final = "/user/unlimitedStreaming/offline"
_UNSPEAKABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # what XML has no words for, and DEL
_TRUTHS: Final[dict[Any, bool]] = {True: True, False: False, "true": True, "false": False}


class NotInPlan(OutOfRange):
    """1003, "This account type cannot register offline device"."""


class PlacesTaken(OutOfRange):
    """1003, "Maximum number of offline devices registered"."""


@dataclass(frozen=True, kw_only=True)
class OfflineStatus:
    """Whether a device may keep tracks, and how many; None where the platform does not say how many."""

    enabled: bool
    max_tracks: int | None


def set_offline(client: Client, *, user_id: str, client_id: str, country: str, enabled: bool) -> OfflineStatus:
    """Let a device keep tracks, or no longer (Streaming guide §2.3).

    The same twice ends in the same state; disabling frees the device's place. Raises NotInPlan,
    PlacesTaken, ParameterInvalid; ValueError for a `client_id` that cannot be told.
    """
    if not can_be_told(client_id):
        raise ValueError("a client_id has 1 to 255 characters, none of them a control character")
    query = {"userId": user_id, "country": country}
    try:
        return _status(client.call("POST", _PATH, query=query, xml=_xml(client_id, enabled)))
    except OutOfRange as no:
        # One number, two meanings: "check the message for more details".
        meaning = PlacesTaken if "maximum" in no.detail.lower() else NotInPlan
        raise meaning(no.detail, status=no.status, retry_after=no.retry_after) from None


def read_offline(client: Client, *, user_id: str, client_id: str, country: str) -> OfflineStatus:
    """What the platform holds for one device."""
    query = {"userId": user_id, "country": country, "clientId": client_id}
    return _status(client.call("GET", _PATH, query=query))


def can_be_told(client_id: str) -> bool:
    """Whether the platform can be told of a device with this id: 1 to 255 characters, none a control character."""
    return 0 < len(client_id) <= 255 and not _UNSPEAKABLE.search(client_id)


def _xml(client_id: str, enabled: bool) -> str:
    """The body of the reference page's sample; how JSON would be wrapped it does not show."""
    name = html.escape(client_id, quote=False)
    fields = f"<clientId>{name}</clientId><offlineEnabled>{str(enabled).lower()}</offlineEnabled>"
    return f"<offlineStatus>{fields}</offlineStatus>"


def _status(answer: Answer) -> OfflineStatus:
    """The answer's `offlineStatus`. Raises Unreadable when it does not say whether the device is enabled."""
    told = answer.at("offlineStatus", "offlineEnabled")
    enabled = _TRUTHS.get(told.lower() if isinstance(told, str) else told) if isinstance(told, str | bool) else None
    if enabled is None:
        raise Unreadable("the answer does not say whether the device is enabled", status=answer.status)
    return OfflineStatus(enabled=enabled, max_tracks=whole(answer.at("offlineStatus", "offlineMaxTrackCount")))
