"""Downloads: signed URLs from which a device fetches what its listener has bought.

No call is made for any of them: the platform judges when the device fetches (2002 when the listener, or what they
ask for, is unknown or not theirs). Whoever holds such a URL may fetch, so it is never stored and never logged.
"""

from __future__ import annotations

from typing import Final

from massivemusic.client import Client

_PATH: Final = "/media/user"


def purchase_zip_url(client: Client, *, user_id: str, purchase_id: int, country: str) -> str:
    """All tracks of one purchase in one ZIP, in the best format there is (Download guide §4.2)."""
    query: dict[str, str | int] = {"userId": user_id, "purchaseId": purchase_id, "country": country}
    return client.signed_url(client.platform.media_url, f"{_PATH}/download/purchase", query)


def release_zip_url(client: Client, *, user_id: str, release_id: int, format_id: int, country: str) -> str:
    """All tracks bought of one release in one ZIP, in a format that the locker names (Download guide §4.3)."""
    query: dict[str, str | int] = {
        "userId": user_id,
        "releaseId": release_id,
        "formatId": format_id,
        "country": country,
    }
    return client.signed_url(client.platform.media_url, f"{_PATH}/download/release", query)


def track_url(
    client: Client,
    *,
    user_id: str,
    track_id: int,
    release_id: int,
    format_id: int,
    country: str,
    error_url: str | None = None,
) -> str:
    """One track, in a format that the locker names (Download guide §4.4).

    Where it cannot be had, the platform redirects to `error_url`: an address of ours, never one that a client sent.
    """
    query: dict[str, str | int] = {
        "userId": user_id,
        "trackId": track_id,
        "releaseId": release_id,
        "formatId": format_id,
        "country": country,
    }
    if error_url is not None:
        query["errorUrl"] = error_url
    return client.signed_url(client.platform.media_url, f"{_PATH}/downloadtrack", query)
