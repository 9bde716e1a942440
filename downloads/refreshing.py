"""The platform's locker, read: what nobody knew of a sale is settled by it, and our rows follow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Listener
from downloads.models import LockerRelease, LockerTrack, Purchase
from downloads.selling import confirm
from massivemusic import locker as theirs
from massivemusic.client import Client

CLOCKS: Final = timedelta(minutes=10)  # how far the platform's clock may be behind ours
TOLD: Final = ["remaining_downloads", "formats", "read_at", "there"]


@dataclass(frozen=True, kw_only=True)
class Sale:
    """One sale that the platform's locker tells of: of a track, or of the whole release without one."""

    platform_id: int
    release_id: int
    track_id: int | None
    sold_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """What a refresh found: tracks there, purchases that were settled by it, and the differences that are left."""

    tracks: int
    settled: int
    only_there: int
    only_here: int

    @property
    def told(self) -> str:
        """In words, for whoever asked."""
        return (
            f"{self.tracks} track(s) are there, {self.settled} purchase(s) were settled by it; "
            f"{self.only_there} track(s) are only there, {self.only_here} only here"
        )


def refresh_locker(client: Client, listener: Listener, *, release_id: int | None = None) -> Refreshed:
    """Read a listener's locker, or one release of it, and let our rows follow. Raises PlatformError, with no change.

    What we sold stays whether the platform has it or not: a difference is support's to clear up.
    """
    began = timezone.now()
    told = theirs.every_page(client, user_id=listener.platform_id, country=listener.country, release_id=release_id)
    releases = list(told)
    with transaction.atomic():
        Purchase.objects.filter(listener=listener, state=Purchase.State.UNKNOWN).update(looked_at=began)
        settled = recognise(listener.pk, sales_in(releases))
        tracks = take_over(listener, releases, at=began)
        mine = LockerTrack.objects.filter(release__listener=listener)
        if release_id is not None:
            mine = mine.filter(release__release_id=release_id)
        unseen = mine.filter(Q(read_at__isnull=True) | Q(read_at__lt=began), purchased_at__lt=began)
        unseen.filter(purchase=None).delete()
        unseen.update(there=False, read_at=began)
        LockerRelease.objects.filter(listener=listener, tracks=None).delete()
        return Refreshed(
            tracks=tracks, settled=settled, only_there=mine.only_there().count(), only_here=mine.only_here().count()
        )


def sales_in(releases: Iterable[theirs.LockerRelease]) -> list[Sale]:
    """Every sale once: a release that was bought whole is one, however many tracks it has."""
    sales = (
        Sale(
            platform_id=track.purchase_id,
            release_id=release.release_id,
            track_id=None if track.whole_release else track.track_id,
            sold_at=track.purchased_at,
        )
        for release in releases
        for track in release.tracks
    )
    return list({(sale.platform_id, sale.release_id, sale.track_id): sale for sale in sales}.values())


def recognise(listener_id: UUID, sales: Sequence[Sale]) -> int:
    """Settle purchases whose answers were lost by the sales that nobody else accounts for; how many.

    Of two purchases of the same thing, or two sales that one could be, only a person can tell. One that was given up
    although it was sold is confirmed too, and thereby taken back.
    """
    numbers = [sale.platform_id for sale in sales]
    known = set(Purchase.objects.filter(platform_id__in=numbers).values_list("platform_id", "release_id", "track_id"))
    unclaimed = [sale for sale in sales if (sale.platform_id, sale.release_id, sale.track_id) not in known]
    # What the platform itself refused was surely not sold; what is being called for right now may be in there.
    called = list(
        Purchase.objects.filter(listener=listener_id, platform_id=None, platform_code=None, called_at__isnull=False)
    )
    wanted = Counter((purchase.release_id, purchase.track_id) for purchase in called)
    settled = 0
    for purchase in called:
        if purchase.state == Purchase.State.PENDING:
            continue
        fitting = [sale for sale in unclaimed if could_be(purchase, sale)]
        if len(fitting) == 1 and wanted[purchase.release_id, purchase.track_id] == 1:
            sold_at = fitting[0].sold_at or purchase.called_at or purchase.paid_at
            confirm(purchase.pk, platform_id=fitting[0].platform_id, sold_at=sold_at)
            settled += 1
    return settled


def could_be(purchase: Purchase, sale: Sale) -> bool:
    """Whether the sale may be the one that the purchase's call made."""
    if (sale.release_id, sale.track_id) != (purchase.release_id, purchase.track_id):
        return False
    called_at = purchase.called_at
    return called_at is not None and (sale.sold_at is None or sale.sold_at >= called_at - CLOCKS)


def take_over(listener: Listener, releases: Iterable[theirs.LockerRelease], *, at: datetime) -> int:
    """Write what the platform tells of each track; what was taken back is not put in again. How many tracks."""
    shown = merged(release for release in releases if release.tracks)
    rows = [
        LockerRelease(
            listener=listener,
            release_id=release.release_id,
            title=release.title,
            version=release.version,
            artist_name=release.artist_name,
            purchased_at=max(track.purchased_at or at for track in release.tracks),
        )
        for release in shown
    ]
    LockerRelease.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["listener", "release_id"],
        update_fields=["title", "version", "artist_name", "purchased_at"],
    )
    ids = dict(LockerRelease.objects.filter(listener=listener).values_list("release_id", "pk"))
    numbers = {track.purchase_id for release in shown for track in release.tracks}
    own = list(Purchase.objects.filter(listener=listener, platform_id__in=numbers))
    told = [(track, release, bought_as(track, release, own)) for release in shown for track in release.tracks]
    tracks = [
        in_locker(track, ids[release.release_id], purchase, at=at)
        for track, release, purchase in told
        if not is_back(purchase)
    ]
    LockerTrack.objects.bulk_create(
        tracks, update_conflicts=True, unique_fields=["release", "platform_id", "track_id"], update_fields=TOLD
    )
    return len(tracks)


def merged(releases: Iterable[theirs.LockerRelease]) -> list[theirs.LockerRelease]:
    """Each release once, and each track: pages shift when something is bought while they are read."""
    whole: dict[int, theirs.LockerRelease] = {}
    for release in releases:
        before = whole[release.release_id].tracks if release.release_id in whole else ()
        tracks = {(track.purchase_id, track.track_id): track for track in (*before, *release.tracks)}
        whole[release.release_id] = replace(release, tracks=tuple(tracks.values()))
    return list(whole.values())


def bought_as(
    track: theirs.LockerTrack, release: theirs.LockerRelease, purchases: Sequence[Purchase]
) -> Purchase | None:
    """Our purchase of a track in the locker; the platform may give several things of a basket one number."""
    of_number = [purchase for purchase in purchases if purchase.platform_id == track.purchase_id]
    thing = (release.release_id, None if track.whole_release else track.track_id)
    of_thing = (purchase for purchase in of_number if (purchase.release_id, purchase.track_id) == thing)
    return next(of_thing, of_number[0] if len(of_number) == 1 else None)


def is_back(purchase: Purchase | None) -> bool:
    return purchase is not None and purchase.state == Purchase.State.REFUNDED


def in_locker(track: theirs.LockerTrack, release: int, purchase: Purchase | None, *, at: datetime) -> LockerTrack:
    return LockerTrack(
        release_id=release,
        purchase=purchase,
        platform_id=track.purchase_id,
        track_id=track.track_id,
        title=track.title,
        version=track.version,
        artist_name=track.artist_name,
        track_number=track.track_number,
        isrc=track.isrc,
        duration_seconds=track.duration_seconds,
        whole_release=track.whole_release,
        purchased_at=track.purchased_at or at,
        remaining_downloads=track.remaining_downloads,
        formats=list(track.formats),
        read_at=at,
        there=True,
    )
