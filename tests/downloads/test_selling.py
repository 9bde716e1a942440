"""The platform is called once for a sale; whatever it does, the sale ends as one thing that is shown."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Listener
from downloads.models import LockerTrack, Purchase, Refund
from downloads.selling import (
    NotInDoubt,
    PurchaseIdTaken,
    TakenBack,
    begin_call,
    confirm,
    forget_call,
    was_not_sold,
    was_sold,
)
from outbox.delivery import deliver_message
from outbox.models import Circuit, Message
from outbox.sweep import sweep_outbox
from tests.downloads import shop
from tests.massivemusic.behaviours import MORE, THE_36, Behaviour, error_xml, no, ok
from tests.massivemusic.stage import Stage, reset
from tests.massivemusic.test_behaviours import staged

pytestmark = pytest.mark.django_db
State = Purchase.State

SOLD = ok('<response status="ok" version="1.2"><purchase id="49193524"/></response>')
WAYS = 200


@pytest.mark.parametrize("behaviour", [*THE_36, *MORE], ids=lambda behaviour: behaviour.name)
def test_every_behaviour_ends_in_one_state_after_one_call(
    at: Callable[..., None], buyer: Listener, behaviour: Behaviour
) -> None:
    purchase = shop.paid(buyer)
    with Stage(ok()) as trap, staged(behaviour, trap) as origin:
        at(origin, seconds=behaviour.patience)
        ended = shop.carry("purchase.deliver")
        assert not trap.heard

    purchase.refresh_from_db()
    if behaviour.kind is None:
        assert (ended, purchase.state, purchase.platform_id) == ("DONE", State.CONFIRMED, 49193524)
    elif behaviour.fate == "pointless":
        assert (ended, purchase.state) == ("DONE", State.REFUSED)
        assert purchase.platform_code == behaviour.code
    elif behaviour.kind.__name__ == "Unreachable":  # nobody was called
        assert (ended, purchase.state, purchase.called_at) == ("WAITING", State.PENDING, None)
    else:
        assert (ended, purchase.state) == ("IN_DOUBT", State.UNKNOWN)
        assert Message.objects.filter(topic="purchase.look").count() == 5


def test_two_hundred_failures_are_two_hundred_calls(at: Callable[..., None], buyer: Listener) -> None:
    """None of them is made again, by whatever sweeps up afterwards."""
    dice = random.Random(7)
    failures: list[Any] = [
        no("500 Internal Server Error", "oops"), no("503 Service Unavailable", "later", "Retry-After: 1"),
        no("429 Too Many Requests", "slow down"), ok("<html/>"), ok(""), reset, ok(error_xml(9001, "oops")),
        no("502 Bad Gateway", "<h1>Bad Gateway</h1>"), ok(error_xml(7003, "timed out")), no("404 Not Found", "gone"),
    ]  # fmt: skip
    plays = [dice.choice(failures) for _ in range(WAYS)]
    purchases = [shop.paid(buyer, transaction_id=f"T-{number}") for number in range(WAYS)]
    with Stage(SOLD) as stage:
        at(stage.origin)
        for play in plays:
            stage.play = play
            Circuit.objects.all().delete()  # or it would keep most of the calls from being made
            shop.carry("purchase.deliver")
        assert len(stage.heard) == WAYS
        stage.play = SOLD
        Message.objects.filter(topic="purchase.look").delete()
        Circuit.objects.all().delete()
        sweep_outbox()

    assert len(stage.heard) == WAYS
    assert Counter(Purchase.objects.values_list("state", flat=True)) == {State.UNKNOWN: len(purchases)}


def test_the_call_says_what_was_bought(at: Callable[..., None], buyer: Listener) -> None:
    shop.paid(
        buyer, track_id=shop.TRACKS[0], country="US", post_code="12345", email="ada@example.org", retail_price="0.5"
    )
    with Stage(SOLD) as stage:
        at(stage.origin)
        shop.carry("purchase.deliver")
        (heard,) = stage.heard

    said = dict(parse_qsl(heard.target.partition("?")[2]))
    assert (said["userId"], said["releaseId"], said["trackId"]) == (buyer.platform_id, "7002001", str(shop.TRACKS[0]))
    assert (said["transactionId"], said["retailPrice"], said["currency"]) == ("T-1", "0.50", "GBP")
    assert (said["country"], said["postCode"], said["emailAddress"]) == ("US", "12345", "ada@example.org")


def test_a_confirmed_sale_is_in_the_locker(buyer: Listener) -> None:
    shop.sold(buyer, track_id=shop.TRACKS[2])
    shop.sold(buyer, transaction_id="T-2")

    kept = LockerTrack.objects.order_by("track_id", "whole_release").values_list("track_id", "whole_release")
    assert list(kept) == [
        (shop.TRACKS[0], True), (shop.TRACKS[1], True), (shop.TRACKS[2], False), (shop.TRACKS[2], True)
    ]  # fmt: skip


def test_a_worker_that_died_at_the_call_leaves_it_unknown(buyer: Listener) -> None:
    purchase = shop.paid(buyer)
    long_ago = timezone.now() - timedelta(minutes=2)
    called = {"state": "SENDING", "generation": 1, "attempts": 1, "lease_until": long_ago, "committed_at": long_ago}
    Message.objects.filter(topic="purchase.deliver").update(**called)
    begin_call(str(purchase.pk), 1)

    sweep_outbox()

    purchase.refresh_from_db()
    assert purchase.state == State.UNKNOWN


def test_what_was_given_back_right_before_the_call_is_not_sold(at: Callable[..., None], buyer: Listener) -> None:
    purchase = shop.paid(buyer)
    shop.given_back(purchase)
    with Stage(SOLD) as stage:
        at(stage.origin)
        assert shop.carry("purchase.deliver") == "DONE"
        assert stage.heard == []

    purchase.refresh_from_db()
    assert purchase.state == State.REFUNDED


def test_what_was_given_back_while_nobody_answered_the_door_is_not_sold(
    at: Callable[..., None], buyer: Listener
) -> None:
    purchase = shop.paid(buyer)
    begin_call(str(purchase.pk), 1)
    shop.given_back(purchase)
    forget_call({"purchase_id": str(purchase.pk), "round": 1})
    with Stage(SOLD) as stage:
        at(stage.origin)
        shop.carry("purchase.deliver")
        assert stage.heard == []

    purchase.refresh_from_db()
    assert (purchase.state, purchase.refund.state) == (State.REFUNDED, Refund.State.DONE)


def test_it_is_called_or_taken_back_and_never_both(buyer: Listener) -> None:
    purchase = shop.paid(buyer)
    begin_call(str(purchase.pk), 1)

    with pytest.raises(TakenBack):
        begin_call(str(purchase.pk), 1)
    shop.given_back(purchase)

    assert Refund.objects.get().state == Refund.State.WAITING


@pytest.mark.parametrize("number", range(50))
def test_what_failed_here_after_it_was_sold_there_is_taken_back_there(buyer: Listener, number: int) -> None:
    """J6: however the sale came to be given up, the platform's yes makes a refund of it, in time."""
    purchase = shop.paid(buyer, transaction_id=f"T-{number}")
    begin_call(str(purchase.pk), 1)
    dice = random.Random(number)
    given_up = dice.choice(["given back", "not sold", "both"])
    if given_up != "given back":
        Purchase.objects.update(state=State.UNKNOWN)
        was_not_sold(purchase.pk, again=False)
    if given_up != "not sold":
        shop.given_back(purchase)

    confirm(purchase.pk, platform_id=number + 1, sold_at=timezone.now())

    purchase.refresh_from_db()
    told = Message.objects.get(topic="purchase.refund")
    assert (purchase.state, purchase.refund.state) == (State.CONFIRMED, Refund.State.WAITING)
    assert told.deadline == purchase.refundable_until


class TestAPersonDecides:
    @pytest.fixture
    def unknown(self, buyer: Listener) -> Purchase:
        purchase = shop.paid(buyer)
        begin_call(str(purchase.pk), 1)
        Purchase.objects.update(state=State.UNKNOWN)
        return purchase

    def test_that_it_was_sold(self, unknown: Purchase) -> None:
        was_sold(unknown.pk, platform_id=7, sold_at=None)

        unknown.refresh_from_db()
        assert (unknown.state, unknown.platform_id, unknown.sold_at) == (State.CONFIRMED, 7, unknown.called_at)

    def test_but_not_under_the_number_of_another(self, unknown: Purchase, buyer: Listener) -> None:
        shop.sold(buyer, transaction_id="T-2", platform_id=7)

        with pytest.raises(PurchaseIdTaken):
            was_sold(unknown.pk, platform_id=7, sold_at=None)

    def test_that_it_was_not(self, unknown: Purchase) -> None:
        was_not_sold(unknown.pk, again=False)

        unknown.refresh_from_db()
        assert unknown.state == State.REFUSED
        with pytest.raises(NotInDoubt):
            was_not_sold(unknown.pk, again=True)

    def test_that_it_is_to_be_sold_again(self, unknown: Purchase, at: Callable[..., None]) -> None:
        Message.objects.filter(topic="purchase.deliver").update(state="IN_DOUBT")
        was_not_sold(unknown.pk, again=True)
        with Stage(SOLD) as stage:
            at(stage.origin)
            assert shop.carry("purchase.deliver") == "DONE"
            assert len(stage.heard) == 1

        unknown.refresh_from_db()
        assert (unknown.state, unknown.round) == (State.CONFIRMED, 2)

    def test_nothing_is_sold_again_whose_money_is_back(self, unknown: Purchase) -> None:
        shop.given_back(unknown)

        with pytest.raises(NotInDoubt):
            was_not_sold(unknown.pk, again=True)

    def test_and_what_was_given_back_is_done_with(self, unknown: Purchase) -> None:
        shop.given_back(unknown)
        was_not_sold(unknown.pk, again=False)

        unknown.refresh_from_db()
        assert (unknown.state, unknown.refund.state) == (State.REFUNDED, Refund.State.DONE)


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_cannot_be_written_down_is_a_doubt(at: Callable[..., None], buyer: Listener) -> None:
    """The platform's number stands with another purchase: what it means, only a person can tell."""
    shop.sold(buyer, platform_id=49193524)
    purchase = shop.paid(buyer, transaction_id="T-2")
    with Stage(SOLD) as stage:
        at(stage.origin)
        with transaction.atomic(), pytest.raises(Exception, match="purchase_one_per_sale"):
            deliver_message(message_id=Message.objects.get(topic="purchase.deliver", key=f"{purchase.pk}/1").pk)

    connection.close()
    Message.objects.filter(state="SENDING").update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep_outbox()
    purchase.refresh_from_db()
    assert purchase.state == State.UNKNOWN
