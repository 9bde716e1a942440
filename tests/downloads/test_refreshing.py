"""What the platform's locker tells is joined to the purchases of the listener whose locker it is, and to no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from accounts.models import Listener
from downloads.models import LockerTrack
from downloads.refreshing import take_over
from massivemusic.locker import LockerRelease
from massivemusic.locker import LockerTrack as Told
from tests.downloads.shop import RELEASE, TRACKS, sold, stock

pytestmark = pytest.mark.django_db
SALE = 49193524


def told(purchase_id: int) -> LockerRelease:
    """A release of one track, as the platform's locker has it."""
    track = Told(
        track_id=TRACKS[0], title="Song 1", version="", artist_name="Marlow Tidewatch", track_number=1, isrc="",
        duration_seconds=204, remaining_downloads=None, purchase_id=purchase_id, purchased_at=timezone.now(),
        whole_release=True, formats=(17,),
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
