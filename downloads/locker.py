"""What stands in a locker by our own sales: put in with the sale, taken out with its refund (Download guide §4.1)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Greatest

from catalogue.models import Track
from downloads.models import LockerRelease, LockerTrack, Purchase
from outbox.actions import Draft, leave_all, send


def put_in_locker(purchase: Purchase) -> None:
    """The purchase's tracks, as the mirror has them today. Safe to repeat, in the sale's own transaction."""
    platform_id, sold_at = purchase.platform_id, purchase.sold_at
    if platform_id is None or sold_at is None:
        raise ValueError("it was not sold")
    release, made = LockerRelease.objects.get_or_create(
        listener_id=purchase.listener_id,
        release_id=purchase.release_id,
        defaults={
            "title": purchase.release_title,
            "version": "" if purchase.track_id else purchase.version,
            "artist_name": purchase.artist_name,
            "purchased_at": sold_at,
        },
    )
    if not made:
        later = Greatest(F("purchased_at"), sold_at)
        LockerRelease.objects.filter(pk=release.pk).update(purchased_at=later)
    tracks = Track.objects.filter(release_id=purchase.release_id).select_related("artist").defer("search")
    wanted = tracks.filter(pk=purchase.track_id) if purchase.track_id else tracks.filter(gone_at=None)
    sale = {
        "release": release,
        "purchase": purchase,
        "platform_id": platform_id,
        "purchased_at": sold_at,
        "whole_release": purchase.track_id is None,
    }
    rows = [LockerTrack(**sale, **facts_of(track)) for track in wanted]
    LockerTrack.objects.bulk_create(rows, ignore_conflicts=True)


def read_again(listener_id: UUID, release_id: int, *, key: str, at: datetime | None = None) -> None:
    """Have the platform's locker read for one release, now or at an instant: formats, and how many downloads are left.

    Within the caller's transaction; of one key once.
    """
    body = {"listener_id": str(listener_id), "release_id": release_id}
    draft = Draft(topic="locker.read", key=key, lane=f"locker {key}", body=body)
    if at is None:
        send(draft)
    else:
        leave_all([draft], at=at)


def facts_of(track: Track) -> dict[str, Any]:
    """What a locker says of a track, whatever becomes of it in the catalogue."""
    return {
        "track_id": track.pk,
        "title": track.title,
        "version": track.subtitle,
        "artist_name": track.artist.name,
        "disc_number": track.disc_number,
        "track_number": track.track_number,
        "isrc": track.isrc,
        "duration_seconds": track.duration_seconds,
    }


def take_out_of_locker(purchase_id: UUID) -> None:
    """What came with a purchase, and the release where nothing of it is left."""
    LockerTrack.objects.filter(purchase=purchase_id).delete()
    owner = Purchase.objects.filter(pk=purchase_id).values("listener")
    LockerRelease.objects.filter(listener__in=owner, tracks=None).delete()
