"""Workers killed at random instants around the call sell nothing twice and lose nothing.

KILLS=500 kills so many instead of 50, SEED=7 does it at the instants of an earlier run.
"""

from __future__ import annotations

import os
import random
import sys
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
from tests.usage.submitters import Submitters, bury, by_calls, submitters

pytestmark = pytest.mark.django_db(transaction=True)
KILLS = int(os.environ.get("KILLS", "50"))
SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 10**6)
LIFE = (0.0, 0.15)  # seconds at work
FOREVER = 60
State = Purchase.State


@pytest.fixture
def customers(sandbox: Platform, make_listener: Callable[..., Listener]) -> Callable[[], int]:
    """Somebody more, who buys each track of a release; how many those are."""
    album: dict[str, Any] = sandbox.release()
    tracks = [track["id"] for track in album["tracks"]]
    shop.stock(album["id"], tracks=tracks)

    def come() -> int:
        buyer = make_listener()
        for track in tracks:
            shop.paid(buyer, release_id=album["id"], track_id=track, transaction_id=f"{buyer.pk}/{track}")
        return len(tracks)

    return come


def massacre(them: Submitters, more: Callable[[], int]) -> int:
    """Kill so many at work, and let the last one finish; how many purchases there were."""
    chance, count, kills = random.Random(SEED), more(), KILLS
    sys.stdout.write(f"SEED={SEED}\n")
    while kills:
        if them.live(chance.uniform(*LIFE)) == "killed":
            kills -= 1
        else:
            count += more()
        bury()
    finish(them)
    return count


def finish(them: Submitters) -> None:
    """Let them live until all is told: one leaves early where PostgreSQL is still at what a dead one asked for last."""
    for _ in range(20):
        bury()
        assert them.live(FOREVER) == "ended"
        if not Purchase.objects.filter(state=State.PENDING).exists():
            return
    raise AssertionError(f"not all was told: {states()}")


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
    sandbox: Platform, customers: Callable[[], int]
) -> None:
    with submitters(**by_calls(sandbox)) as them:
        count = massacre(them, customers)
    doubts = states()[State.UNKNOWN]
    look()

    logged = sales(sandbox)
    confirmed = set(Purchase.objects.filter(state=State.CONFIRMED).values_list("transaction_id", flat=True))
    assert max(logged.values()) == 1
    assert set(logged) == confirmed
    assert states()[State.CONFIRMED] + states()[State.UNKNOWN] == count
    assert doubts <= KILLS


def test_telling_until_somebody_hears_would_sell_twice(sandbox: Platform, customers: Callable[[], int]) -> None:
    with submitters("sales", **by_calls(sandbox)) as them:
        customers()
        shop.carry("listener.create")  # so that the first call is a sale
        assert them.live(FOREVER, "reply_unread") == "killed"
        finish(them)

    assert max(sales(sandbox).values()) == 2
