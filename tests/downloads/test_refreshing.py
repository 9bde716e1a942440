"""What the platform's locker tells is joined to the purchases of the listener whose locker it is, and to no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Listener
from downloads.models import LockerTrack, Purchase
from downloads.refreshing import Sale, recognise, take_over
from massivemusic.locker import LockerRelease
from massivemusic.locker import LockerTrack as Told
from outbox.models import Message
from tests.downloads.shop import RELEASE, TRACKS, paid, sold, stock

pytestmark = pytest.mark.django_db
SALE = 49193524


def told(purchase_id: int, *, track_id: int = TRACKS[0], whole: bool = True) -> LockerRelease:
    """A release of one track, as the platform's locker has it."""
    track = Told(
        track_id=track_id, title="Song 1", version="", artist_name="Marlow Tidewatch", track_number=1, isrc="",
        duration_seconds=204, remaining_downloads=None, purchase_id=purchase_id, purchased_at=timezone.now(),
        whole_release=whole, formats=(17,),
    )  # fmt: skip
    return LockerRelease(release_id=RELEASE, title="Low Tide", version="", artist_name="Tidewatch", tracks=(track,))


@pytest.mark.parametrize("own", [True, False])
def test_a_sale_is_the_purchase_of_whoever_has_the_locker(
    buyer: Listener, make_listener: Callable[..., Listener], own: bool
) -> None:
    stock()
    purchase = sold(buyer if own else make_listener(), platform_id=SALE)

    take_over(buyer, [told(SALE)], at=timezone.now())

    track = LockerTrack.objects.get(release__listener=buyer, track_id=TRACKS[0])
    assert track.purchase == (purchase if own else None)


def test_a_release_that_is_told_of_on_two_pages_is_one(buyer: Listener) -> None:
    """Something was bought while they were read, and the pages shifted."""
    stock()

    take_over(buyer, [told(SALE), told(SALE), told(SALE, track_id=TRACKS[1])], at=timezone.now())

    assert sorted(LockerTrack.objects.values_list("track_id", flat=True)) == TRACKS[:2]


def test_of_two_things_under_one_number_only_what_was_taken_back_is_gone(buyer: Listener) -> None:
    stock()
    back = sold(buyer, transaction_id="T-1", track_id=TRACKS[0], platform_id=SALE)
    kept = sold(buyer, transaction_id="T-2", track_id=TRACKS[1], platform_id=SALE)
    LockerTrack.objects.all().delete()
    Purchase.objects.filter(pk=back.pk).update(state="REFUNDED")

    take_over(buyer, [told(SALE, track_id=track, whole=False) for track in TRACKS[:2]], at=timezone.now())

    assert list(LockerTrack.objects.values_list("track_id", "purchase")) == [(TRACKS[1], kept.pk)]


def a_sale(*, number: int = 777) -> Sale:
    return Sale(platform_id=number, release_id=RELEASE, track_id=None, sold_at=timezone.now())


def called(buyer: Listener, transaction: str, state: str, *, ago: timedelta, code: int | None = None) -> Purchase:
    """A purchase for which the platform was called so long ago."""
    purchase = paid(buyer, transaction_id=transaction)
    at = timezone.now() - ago
    Purchase.objects.filter(pk=purchase.pk).update(state=state, called_at=at, platform_code=code)
    Message.objects.all().delete()
    return purchase


@pytest.mark.parametrize("ago", [timedelta(minutes=9), timedelta(days=300)])
def test_what_the_platform_refused_takes_nobody_elses_sale(buyer: Listener, ago: timedelta) -> None:
    """It would be confirmed, and thereby taken back."""
    stock()
    refused = called(buyer, "T-1", "REFUSED", ago=ago, code=2002)

    assert recognise(buyer.pk, [a_sale()]) == 0

    refused.refresh_from_db()
    assert (refused.state, refused.platform_id) == ("REFUSED", None)
    assert not Message.objects.filter(topic="purchase.refund").exists()


@pytest.mark.parametrize("state", ["UNKNOWN", "REFUSED"])
def test_a_sale_that_a_call_under_way_may_have_made_is_nobodys_yet(buyer: Listener, state: str) -> None:
    stock()
    lost = called(buyer, "T-1", state, ago=timedelta(minutes=9))
    called(buyer, "T-2", "PENDING", ago=timedelta(0))

    assert recognise(buyer.pk, [a_sale()]) == 0

    lost.refresh_from_db()
    assert (lost.state, lost.platform_id) == (state, None)


def test_what_was_given_up_and_turns_up_is_found(buyer: Listener) -> None:
    stock()
    called(buyer, "T-1", "REFUSED", ago=timedelta(minutes=9))

    assert recognise(buyer.pk, [a_sale()]) == 1

    assert Message.objects.filter(topic="purchase.refund").count() == 1, "it is taken back"
