"""What purchases hold about a listener. They stay when the listener leaves, without address: they were sold."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.registry import Rows, forgets, tells
from billing.models import BillingEvent
from billing.personal import forget_letters, told_of, trail_of
from downloads.models import LockerRelease, LockerTrack, Purchase, Refund


@tells("purchases")
def purchases(listener_id: UUID) -> Rows:
    own = Purchase.objects.filter(listener=listener_id).order_by("paid_at", "id")
    return own.values(
        "id", "transaction_id", "release_id", "track_id", "package_id", "retail_price", "currency", "country",
        "postcode", "email", "title", "version", "artist_name", "release_title", "label", "isrc", "upc", "paid_at",
        "created_at", "state", "sold_at", "platform_id", "platform_code", "detail",
    )  # fmt: skip


@tells("refunds")
def refunds(listener_id: UUID) -> Rows:
    own = Refund.objects.filter(purchase__listener=listener_id).order_by("asked_at")
    return own.values(
        "purchase_id", "state", "reason", "asked_at", "called_at", "settled_at", "platform_code", "detail"
    )


@tells("locker")
def locker(listener_id: UUID) -> Rows:
    own = LockerRelease.objects.filter(listener=listener_id).order_by("title", "id")
    return own.values("release_id", "title", "version", "artist_name", "purchased_at")


@tells("locker_tracks")
def locker_tracks(listener_id: UUID) -> Rows:
    own = LockerTrack.objects.filter(release__listener=listener_id).order_by("release", "disc_number", "track_number")
    return own.values(
        "release__release_id", "purchase_id", "platform_id", "track_id", "title", "version", "artist_name",
        "disc_number", "track_number", "isrc", "duration_seconds", "whole_release", "purchased_at",
        "remaining_downloads", "formats", "read_at", "there",
    )  # fmt: skip


@tells("purchase_events")
def events(listener_id: UUID) -> Rows:
    return told_of(events_of([listener_id]))


@forgets
def forget_buyers(listener_ids: Sequence[UUID]) -> None:
    """Take addresses and raw letters away, and the locker, which nobody opens any more.

    Left alone for now, and met again later: a sale that the platform is still to be told of.
    """
    told = Purchase.objects.filter(listener__in=listener_ids).exclude(state=Purchase.State.PENDING)
    told.exclude(email="", postcode="").update(email="", postcode="")
    LockerRelease.objects.filter(listener__in=listener_ids).delete()
    forget_letters(events_of(listener_ids))


def events_of(listener_ids: Sequence[UUID]) -> QuerySet[BillingEvent]:
    """Every event about the listeners' purchases, the payments that baskets were paid with, and their refunds."""
    own = Purchase.objects.filter(listener__in=listener_ids).values_list("transaction_id", flat=True)
    subjects = {each for transaction in own for each in (transaction, transaction.partition("/")[0])}
    named = Q(type__startswith="purchase.") | Q(type__endswith=".sale", data__account_id__in=map(str, listener_ids))
    return BillingEvent.objects.filter(Q(named, subject__in=subjects) | Q(pk__in=trail_of(subjects)))
