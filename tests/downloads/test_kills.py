"""Workers killed at random instants around the call sell nothing twice and lose nothing.

KILLS and SEED are those of tests.usage.submitters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Listener
from downloads.models import Purchase
from outbox.delivery import deliver_message
from outbox.models import Message
from tests.downloads import shop
from tests.sandbox.platform import Platform
from tests.usage.submitters import FOREVER, KILLS, by_calls, finish, massacre, submitters

pytestmark = pytest.mark.django_db(transaction=True)
State = Purchase.State


@pytest.fixture
def customers(sandbox: Platform, make_listener: Callable[..., Listener]) -> Callable[[], list[Purchase]]:
    """Somebody more, who buys each track of a release; their purchases."""
    album: dict[str, Any] = sandbox.release()
    tracks = [track["id"] for track in album["tracks"]]
    shop.stock(album["id"], tracks=tracks)

    def come() -> list[Purchase]:
        buyer = make_listener()
        return [
            shop.paid(buyer, release_id=album["id"], track_id=track, transaction_id=f"{buyer.pk}/{track}")
            for track in tracks
        ]

    return come


def told() -> bool:
    """Whether nothing is left to be sold."""
    return not Purchase.objects.filter(state=State.PENDING).exists()


def states() -> Counter[str]:
    return Counter(Purchase.objects.values_list("state", flat=True))


def look() -> None:
    """The looks into the lockers that were left for later."""
    Message.objects.filter(state="WAITING").update(due_at=timezone.now() - timedelta(seconds=1))
    for pk in Message.objects.claimable().filter(topic="purchase.look").values_list("pk", flat=True):
        deliver_message(message_id=pk)


def sales(sandbox: Platform) -> Counter[str]:
    return Counter(line["transactionId"] for line in sandbox.journal("sales"))


def test_nothing_is_sold_twice_and_what_is_not_known_is_found_or_shown(
    sandbox: Platform, customers: Callable[[], list[Purchase]]
) -> None:
    with submitters(**by_calls(sandbox)) as them:
        purchases = massacre(them, customers, done=told)
    doubts = states()[State.UNKNOWN]
    look()

    logged = sales(sandbox)
    confirmed = set(Purchase.objects.filter(state=State.CONFIRMED).values_list("transaction_id", flat=True))
    assert max(logged.values()) == 1
    assert set(logged) == confirmed
    assert states()[State.CONFIRMED] + states()[State.UNKNOWN] == len(purchases)
    assert doubts <= KILLS


def test_telling_until_somebody_hears_would_sell_twice(
    sandbox: Platform, customers: Callable[[], list[Purchase]]
) -> None:
    with submitters("sales", **by_calls(sandbox)) as them:
        customers()
        shop.carry("listener.create")  # so that the first call is a sale
        assert them.live(FOREVER, "reply_unread") == "killed"
        finish(them, done=told)

    assert max(sales(sandbox).values()) == 2
