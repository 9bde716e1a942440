"""What was given back is taken back at the platform: once, in time, and nothing is left unsaid."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Listener, User
from billing.models import BillingEvent
from downloads.models import LockerRelease, LockerTrack, Purchase, Refund
from downloads.refunding import take_back, take_back_again
from downloads.rules import RefundWindowClosed, SaleNotFound
from outbox.actions import discard
from outbox.models import Circuit, Message
from outbox.sweep import sweep_outbox
from tests.downloads import shop
from tests.massivemusic.behaviours import THE_36, Behaviour, error_xml, no, ok
from tests.massivemusic.stage import Heard, Play, Stage, closed_port, reset
from tests.massivemusic.test_behaviours import staged

pytestmark = pytest.mark.django_db
State = Refund.State
EMPTY = "<locker><lockerReleases><totalItems>0</totalItems></lockerReleases></locker>"


@pytest.fixture
def bought(buyer: Listener) -> Purchase:
    purchase = shop.sold(buyer, platform_id=49193524)
    Message.objects.all().delete()
    return purchase


def done(purchase: Purchase) -> Play:
    """The platform's yes."""
    named = f"<purchaseId>{purchase.platform_id}</purchaseId><releaseId>{purchase.release_id}</releaseId>"
    return ok(f'<response status="ok" version="1.2"><release>{named}</release></response>')


def by_path(refunds: Play, locker: Play) -> Play:
    def play(sock: Any, heard: Heard) -> bool | None:
        return (locker if "/locker" in heard.target else refunds)(sock, heard)

    return play


def told(at: Callable[..., None], play: Play) -> list[Heard]:
    """Carry the refund's message once; what the platform heard."""
    with Stage(play) as stage:
        at(stage.origin)
        Circuit.objects.all().delete()
        shop.carry("purchase.refund")
        return stage.heard


@pytest.mark.parametrize("track", [None, shop.TRACKS[0]], ids=["release", "track"])
def test_is_told_once_and_out_of_the_locker(at: Callable[..., None], buyer: Listener, track: int | None) -> None:
    purchase = shop.sold(buyer, track_id=track, country="US", platform_id=7)
    other = shop.sold(buyer, transaction_id="T-2", track_id=shop.TRACKS[1])
    Message.objects.all().delete()
    shop.given_back(purchase)
    kind, item = ("release", shop.RELEASE) if track is None else ("track", track)
    said = f"<{kind}><purchaseId>7</purchaseId><{kind}Id>{item}</{kind}Id></{kind}>"

    (heard,) = told(at, ok(f'<response status="ok" version="1.2">{said}</response>'))

    assert heard.method == "DELETE"
    assert heard.target.startswith(f"/1.2/user/purchase/7/{kind}/{item}?")
    assert "country=US" in heard.target
    purchase.refresh_from_db()
    assert (purchase.state, purchase.refund.state) == (Purchase.State.REFUNDED, State.DONE)
    assert list(LockerTrack.objects.values_list("purchase", flat=True)) == [other.pk]


def test_the_last_of_a_release_takes_the_release_along(at: Callable[..., None], bought: Purchase) -> None:
    shop.given_back(bought)
    told(at, done(bought))

    assert not LockerRelease.objects.exists()


def test_twice_told_is_one_refund(bought: Purchase) -> None:
    events = [shop.given_back(bought) for _ in range(3)]
    take_back(purchase_id=bought.pk, reason="by hand", now=timezone.now())

    assert {event.state for event in events} == {BillingEvent.State.HANDLED}
    assert Message.objects.filter(topic="purchase.refund").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_are_one_refund(bought: Purchase) -> None:
    def click(_: int) -> UUID:
        try:
            return take_back(purchase_id=bought.pk, reason="sorry", now=timezone.now()).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(click, range(40))) == {bought.pk}
    assert Refund.objects.count() == Message.objects.filter(topic="purchase.refund").count() == 1


SALES = ["2026-01-01T00:00:00", "2026-01-31T23:59:59.999999", "2026-12-15T12:00:00"]


@pytest.mark.parametrize("sold_at", SALES)
@pytest.mark.parametrize(
    ("after", "in_time"),
    [(timedelta(0), False), (timedelta(microseconds=-1), True), (timedelta(days=-1), True), (timedelta(days=1), False)],
)
def test_in_time_is_before_the_fourth(bought: Purchase, sold_at: str, after: timedelta, in_time: bool) -> None:
    sold = datetime.fromisoformat(sold_at).replace(tzinfo=UTC)
    fourth = datetime(sold.year + sold.month // 12, sold.month % 12 + 1, 4, tzinfo=UTC)
    Purchase.objects.update(sold_at=sold)

    def ask() -> Refund:
        return take_back(purchase_id=bought.pk, reason="sorry", now=fourth + after)

    if in_time:
        assert ask().state == State.WAITING
        assert Message.objects.get(topic="purchase.refund").deadline == fourth
    else:
        with pytest.raises(RefundWindowClosed) as no:
            ask()
        assert no.value.extra == {"closed_at": fourth.isoformat().replace("+00:00", "Z")}
        assert not Refund.objects.exists()


def test_billing_that_gives_back_too_late_is_told_to_a_person(bought: Purchase) -> None:
    Purchase.objects.update(sold_at=timezone.now() - timedelta(days=40))

    event = shop.given_back(bought)

    refund = Refund.objects.get()
    assert (event.state, refund.state, refund.platform_code) == (BillingEvent.State.HANDLED, State.REFUSED, 2002)
    assert not Message.objects.filter(topic="purchase.refund").exists()


def test_a_message_that_came_too_late_is_told_to_a_person(bought: Purchase) -> None:
    shop.given_back(bought)
    Message.objects.filter(topic="purchase.refund").update(deadline=timezone.now() - timedelta(seconds=1))

    sweep_outbox()

    assert Refund.objects.get().state == State.REFUSED


@pytest.mark.parametrize("what", [{"release_id": 7}, {"release_id": None, "track_id": shop.TRACKS[0]}])
def test_what_was_not_bought_is_not_taken_back(bought: Purchase, what: dict[str, Any]) -> None:
    event = shop.given_back(bought, **what)

    assert "SaleNotFound" in event.last_error
    assert not Refund.objects.exists()


def test_neither_is_what_was_never_sold(buyer: Listener) -> None:
    purchase = shop.paid(buyer, release_id=7)
    with pytest.raises(SaleNotFound):
        take_back(purchase_id=purchase.pk, reason="sorry", now=timezone.now())

    assert shop.given_back(purchase).state == BillingEvent.State.HANDLED


def test_nothing_bought_yet_waits(buyer: Listener) -> None:
    event = shop.said("purchase.refunded", {"transaction_id": "T-9", "release_id": shop.RELEASE})

    assert (event.state, "NothingBought" in event.last_error) == (BillingEvent.State.WAITING, True)


@pytest.mark.parametrize("behaviour", THE_36, ids=lambda behaviour: behaviour.name)
def test_every_behaviour_leaves_it_done_waiting_or_with_a_person(
    at: Callable[..., None], bought: Purchase, behaviour: Behaviour
) -> None:
    shop.given_back(bought)
    with Stage(ok()) as trap, staged(behaviour, trap) as origin:
        at(origin, seconds=behaviour.patience)
        shop.carry("purchase.refund")
        assert not trap.heard

    state = Refund.objects.get().state
    if behaviour.kind is None:
        assert state == State.DONE
    elif behaviour.fate == "pointless":
        assert state == State.REFUSED
    else:
        assert state == State.WAITING
        assert Message.objects.get(topic="purchase.refund").state == "WAITING"


class TestALostAnswer:
    @pytest.fixture
    def lost(self, at: Callable[..., None], bought: Purchase) -> Purchase:
        shop.given_back(bought)
        told(at, reset)
        assert Refund.objects.get().state == State.WAITING
        return bought

    def test_is_read_back(self, at: Callable[..., None], lost: Purchase) -> None:
        heard = told(at, by_path(reset, ok(f'<response status="ok" version="1.2">{EMPTY}</response>')))

        assert [each.method for each in heard] == ["GET"]
        assert Refund.objects.get().state == State.DONE

    def test_whether_the_locker_says_empty_or_no_such_purchase(self, at: Callable[..., None], lost: Purchase) -> None:
        told(at, by_path(reset, ok(error_xml(2001, "no such purchase"))))

        assert Refund.objects.get().state == State.DONE

    def test_is_asked_again_where_it_still_stands_there(self, at: Callable[..., None], lost: Purchase) -> None:
        heard = told(at, by_path(done(lost), ok(standing(lost))))

        assert [each.method for each in heard] == ["GET", "DELETE"]
        assert Refund.objects.get().state == State.DONE

    def test_no_such_sale_is_then_our_own_success(self, at: Callable[..., None], lost: Purchase) -> None:
        told(at, by_path(ok(error_xml(2001, "Cannot find sale")), ok(standing(lost))))

        assert Refund.objects.get().state == State.DONE

    def test_over_is_a_persons(self, at: Callable[..., None], lost: Purchase) -> None:
        told(at, by_path(ok(error_xml(2002, "Cannot exclude sale")), ok(standing(lost))))

        refund = Refund.objects.get()
        assert (refund.state, refund.platform_code) == (State.REFUSED, 2002)
        assert Purchase.objects.get().state == Purchase.State.CONFIRMED


class TestACallThatCannotHaveBeenHeard:
    """It took nothing back, so that "no such sale" is a surprise at the next try as well."""

    @pytest.fixture(params=[no("429 Too Many Requests"), no("401 No", "OAuth error")], ids=["throttled", "unsigned"])
    def turned_away(self, at: Callable[..., None], bought: Purchase, request: pytest.FixtureRequest) -> Purchase:
        shop.given_back(bought)
        assert [each.method for each in told(at, request.param)] == ["DELETE"]
        assert Refund.objects.get().state == State.WAITING
        return bought

    def test_no_such_sale_is_then_a_persons(self, at: Callable[..., None], turned_away: Purchase) -> None:
        heard = told(at, by_path(ok(error_xml(2001, "Cannot find sale")), reset))

        assert [each.method for each in heard] == ["DELETE"]
        assert Refund.objects.get().state == State.REFUSED

    def test_a_doubt_from_before_stays_one(self, at: Callable[..., None], turned_away: Purchase) -> None:
        told(at, reset)
        told(at, by_path(no("429 Too Many Requests"), ok(standing(turned_away))))

        told(at, by_path(ok(error_xml(2001, "Cannot find sale")), ok(standing(turned_away))))

        assert Refund.objects.get().state == State.DONE

    def test_nor_one_that_nobody_was_there_for(self, at: Callable[..., None], bought: Purchase) -> None:
        shop.given_back(bought)
        with closed_port() as port:
            at(f"http://127.0.0.1:{port}")
            shop.carry("purchase.refund")

        told(at, by_path(ok(error_xml(2001, "Cannot find sale")), reset))

        assert Refund.objects.get().state == State.REFUSED


def test_the_locker_is_asked_for_where_the_sale_was(at: Callable[..., None], bought: Purchase) -> None:
    """Whoever has moved since has another country's locker."""
    Listener.objects.update(country="US")
    shop.given_back(bought)
    told(at, reset)

    (looked, asked) = told(at, by_path(done(bought), ok(standing(bought))))

    assert "country=GB" in looked.target
    assert "country=GB" in asked.target


def test_money_given_back_for_what_was_never_sold_is_seen_to(boss: Client, buyer: Listener) -> None:
    purchase = shop.paid(buyer)
    Purchase.objects.update(state="REFUSED", platform_code=2002, detail="no")
    assert "T-1" in boss.get(reverse("unknown-sales")).content.decode()

    event = shop.given_back(purchase)
    shop.given_back(purchase)

    assert event.state == BillingEvent.State.HANDLED
    refund = Refund.objects.get()
    assert (refund.state, refund.detail) == (State.DONE, "it was never sold")
    assert Purchase.objects.get().state == Purchase.State.REFUSED
    assert "T-1" not in boss.get(reverse("unknown-sales")).content.decode()


def standing(purchase: Purchase) -> str:
    """A locker in which the purchase still stands."""
    track = f"<track><id>{shop.TRACKS[0]}</id><title>Song 1</title></track>"
    bought = f"<purchaseId>{purchase.platform_id}</purchaseId>"
    tracks = f"<lockerTracks><lockerTrack>{track}{bought}</lockerTrack></lockerTracks>"
    release = f"<release><id>{shop.RELEASE}</id><title>Low Tide</title></release>"
    items = f"<totalItems>1</totalItems><lockerRelease>{release}{tracks}</lockerRelease>"
    return f'<response status="ok" version="1.2"><locker><lockerReleases>{items}</lockerReleases></locker></response>'


class TestAPerson:
    def test_asks_once_more(self, at: Callable[..., None], bought: Purchase) -> None:
        shop.given_back(bought)
        told(at, ok(error_xml(2001, "Cannot find sale")))
        refund = Refund.objects.get()
        assert (refund.state, refund.platform_code) == (State.REFUSED, 2001)

        assert take_back_again(refund, now=timezone.now())
        assert not take_back_again(refund, now=timezone.now())
        told(at, done(bought))

        refund.refresh_from_db()
        assert (refund.state, refund.round) == (State.DONE, 2)

    def test_not_after_the_fourth(self, bought: Purchase) -> None:
        Purchase.objects.update(sold_at=timezone.now() - timedelta(days=40))
        shop.given_back(bought)

        with pytest.raises(RefundWindowClosed):
            take_back_again(Refund.objects.get(), now=timezone.now())

    def test_is_named(self, bought: Purchase) -> None:
        clerk = User.objects.create_user("clerk@example.org", "correct horse", is_staff=True)

        refund = take_back(purchase_id=bought.pk, reason="scratched", now=timezone.now(), by=clerk)

        assert (refund.asked_by, refund.reason) == (clerk, "scratched")

    def test_gives_a_message_up(self, bought: Purchase) -> None:
        shop.given_back(bought)
        Message.objects.filter(topic="purchase.refund").update(state="DEAD")

        discard(Message.objects.filter(topic="purchase.refund"))

        assert Refund.objects.get().state == State.REFUSED
