"""Signed URLs for what is in a locker: for one request, stored and logged nowhere (Download guide §4.2 to §4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from accounts.models import Listener
from downloads.locker import read_again
from downloads.models import LockerTrack, Purchase
from kernel.errors import InvalidParameter, Kind, Refusal
from massivemusic.downloads import purchase_zip_url, release_zip_url, track_url
from massivemusic.streaming import FORMATS, Format
from outbox.platform import platform

FETCHED: Final = timedelta(minutes=10)  # after which a download is over, or well under way
WAITING: Final = {Purchase.State.PENDING, Purchase.State.UNKNOWN}


class PurchaseNotFound(Refusal):
    """Nothing the caller has bought, or not any more."""

    code, kind, platform_code = "purchase_not_found", Kind.NOT_FOUND, 2002

    def __init__(self) -> None:
        super().__init__("there is no such purchase")


class PurchaseNotReady(Refusal):
    """The caller's own, but the platform has not confirmed it yet; `state` says how it stands."""

    code, kind = "purchase_not_ready", Kind.CONFLICT


class Parcel(StrEnum):
    """What a URL fetches."""

    ZIP = "zip"
    AUDIO = "audio"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is to be fetched: a purchase, or of a release all or one track in a format."""

    purchase_id: UUID | None = None
    release_id: int | None = None
    track_id: int | None = None
    format_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Issued:
    """A right to fetch once more. `url` is a secret: it is given to the device and kept nowhere."""

    url: str
    expires_at: datetime
    kind: Parcel


def issue_download(*, listener_id: UUID, wish: Wish, now: datetime) -> Issued:
    """Sign the URL of a ZIP or an audio file; no call is made: the platform judges once more when it is fetched.

    A while later its locker is read, for how many downloads are left. Raises PurchaseNotFound, PurchaseNotReady,
    InvalidParameter.
    """
    listener = Listener.objects.get(pk=listener_id)
    url = purchase_url(listener, wish.purchase_id) if wish.purchase_id else release_url(listener, wish)
    if wish.release_id is not None:
        hour = f"{now:%Y-%m-%dT%H}"
        read_again(listener_id, wish.release_id, key=f"{listener_id}/{wish.release_id}/{hour}", at=now + FETCHED)
    kind = Parcel.AUDIO if wish.track_id is not None else Parcel.ZIP
    return Issued(url=url, expires_at=now + timedelta(seconds=settings.STREAM_URL_SECONDS), kind=kind)


def own_purchase(listener_id: UUID, purchase_id: UUID) -> Purchase:
    """A purchase of this listener's, with its refund. Raises PurchaseNotFound, also for anybody else's."""
    own = Purchase.objects.select_related("refund").filter(listener=listener_id)
    purchase = own.filter(pk=purchase_id).first()
    if purchase is None:
        raise PurchaseNotFound
    return purchase


def purchase_url(listener: Listener, purchase_id: UUID) -> str:
    """All of a purchase as a ZIP."""
    purchase = own_purchase(listener.pk, purchase_id)
    if purchase.state in WAITING:
        raise PurchaseNotReady("the purchase is not confirmed yet", state=purchase.state)
    if purchase.state != Purchase.State.CONFIRMED or purchase.platform_id is None:
        raise PurchaseNotFound
    return purchase_zip_url(
        platform(), user_id=listener.platform_id, purchase_id=purchase.platform_id, country=listener.country
    )


def release_url(listener: Listener, wish: Wish) -> str:
    """What the locker holds of a release as a ZIP, or one track of it, in a format that it may be had in."""
    assert wish.release_id is not None  # noqa: S101  the shape of the wish
    assert wish.format_id is not None  # noqa: S101
    held = LockerTrack.objects.filter(release__listener=listener, release__release_id=wish.release_id)
    if wish.track_id is not None:
        held = held.filter(track_id=wish.track_id)
    told = list(held.values_list("formats", flat=True))
    if not told:
        raise PurchaseNotFound
    offered = {each.id for formats in told for each in formats_in(formats)}
    if wish.format_id not in offered:
        raise not_in(offered, wish.format_id)
    which: dict[str, Any] = {
        "user_id": listener.platform_id,
        "country": listener.country,
        "release_id": wish.release_id,
        "format_id": wish.format_id,
    }
    if wish.track_id is None:
        return release_zip_url(platform(), **which)
    return track_url(platform(), **which, track_id=wish.track_id, error_url=settings.DOWNLOAD_ERROR_URL or None)


def formats_in(told: Sequence[int]) -> list[Format]:
    """What a track of the locker may be had in; before the platform has said so, whatever can be downloaded."""
    known = [FORMATS[each] for each in told if each in FORMATS]
    return known or [each for each in FORMATS.values() if each.downloadable]


def not_in(offered: set[int], format_id: int) -> InvalidParameter:
    detail = f"it cannot be had in format {format_id}, but in {', '.join(map(str, sorted(offered)))}"
    return InvalidParameter(detail, field="format_id")
