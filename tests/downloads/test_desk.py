"""The shop's desks: what is shown of a purchase, what people decide about it, and who may."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Listener, User
from billing.models import BillingEvent
from desk.cells import page_of
from downloads.desk.lines import countdown, left
from downloads.models import LockerTrack, Purchase, Refund
from outbox.models import Circuit, Message
from tests.downloads import shop
from tests.downloads.test_refunds import EMPTY, standing
from tests.massivemusic.behaviours import error_xml, ok
from tests.massivemusic.stage import Stage, reset

pytestmark = pytest.mark.django_db
State = Purchase.State
PURCHASES = "admin:downloads_purchase_changelist"
REFUNDS = "admin:downloads_refund_changelist"
XSS = "\"><img src=x onerror='window.ran=1'><script>window.ran=1</script>{{ 7*7 }}"
NO_LOCKER = f'<response status="ok" version="1.2">{EMPTY}</response>'


@pytest.fixture
def unknown(buyer: Listener) -> Purchase:
    """A sale of which nobody knows."""
    return in_doubt(shop.paid(buyer))


def in_doubt(purchase: Purchase, *, ago: timedelta = timedelta(hours=2)) -> Purchase:
    at = timezone.now() - ago
    Purchase.objects.filter(pk=purchase.pk).update(state=State.UNKNOWN, called_at=at, paid_at=at)
    Message.objects.all().delete()
    purchase.refresh_from_db()
    return purchase


def action(row: Purchase | Refund, name: str) -> str:
    return reverse(f"admin:downloads_{row._meta.model_name}_{name}", args=[row.pk])


def shown(client: Client, page: str, **query: Any) -> list[Any]:
    answer = client.get(reverse(page), query)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def buttons(client: Client, row: Purchase | Refund) -> list[str]:
    shown = client.get(page_of(row)).context["actions_detail"]
    return [button["title"] for each in shown for button in each.get("items", [each])]


def decided(client: Client, row: Purchase | Refund, name: str, **form: Any) -> str:
    """The page that somebody who has answered the question is left with."""
    answer = client.post(action(row, name), form, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def log() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


# --- The list -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["transaction_id", "platform_id", "listener_id", "listener", "email"])
def test_a_purchase_is_found_by_what_people_call_it(
    boss: Client, buyer: Listener, make_listener: Callable[..., Listener], name: str
) -> None:
    wanted = shop.sold(buyer, transaction_id="T-wanted")
    shop.sold(make_listener(), transaction_id="T-other")
    assert buyer.user is not None
    called = {
        "transaction_id": "T-wanted", "platform_id": str(wanted.platform_id), "listener_id": str(buyer.pk),
        "listener": buyer.platform_id, "email": buyer.user.email,
    }  # fmt: skip

    assert shown(boss, PURCHASES, q=called[name]) == [wanted]


def test_a_basket_is_found_by_its_payment(boss: Client, buyer: Listener) -> None:
    basket = {shop.paid(buyer, transaction_id=f"pi_1/{number}").pk for number in (1, 2)}
    shop.paid(buyer, transaction_id="pi_10")

    assert {each.pk for each in shown(boss, PURCHASES, q="pi_1")} == basket


@pytest.mark.parametrize("text", ["nobody", "9" * 30, "\x00", "％", "' OR 1=1 --", "x" * 5000, "²"])
def test_what_nobody_is_called_finds_nobody(boss: Client, buyer: Listener, text: str) -> None:
    shop.sold(buyer)

    assert shown(boss, PURCHASES, q=text) == ([] if text != "\x00" else list(Purchase.objects.all()))


def test_the_list_is_narrowed_by_state_and_date(boss: Client, buyer: Listener) -> None:
    sold, late = shop.sold(buyer), shop.paid(buyer, transaction_id="T-2", at=timezone.now() - timedelta(days=8))

    assert shown(boss, PURCHASES) == [sold, late]
    assert shown(boss, PURCHASES, state__exact="CONFIRMED") == [sold]
    assert shown(boss, PURCHASES, paid="week") == [sold]
    assert shown(boss, PURCHASES, paid="nonsense") == [sold, late]


@pytest.mark.parametrize("page", [PURCHASES, REFUNDS, "unknown-sales"])
def test_no_list_counts_or_asks_more_for_fifty_rows(boss: Client, buyer: Listener, page: str) -> None:
    def asked() -> list[str]:
        with CaptureQueriesContext(connection) as seen:
            assert boss.get(reverse(page)).status_code == 200
        return [query["sql"] for query in seen.captured_queries]

    def fill(start: int, end: int) -> None:
        for number in range(start, end):
            purchase = shop.paid(buyer, transaction_id=f"T-{number}")
            shop.given_back(purchase) if page == REFUNDS else in_doubt(purchase)
        Refund.objects.update(state="REFUSED")

    fill(0, 1)
    asked()
    few = asked()
    fill(1, 40)
    many = asked()

    assert len(many) == len(few)
    assert not [sql for sql in many if "COUNT(" in sql and "downloads_" in sql and "LIMIT" not in sql]


# --- A purchase's page ------------------------------------------------------------------------------------


def test_everything_about_a_purchase_stands_on_its_page(boss: Client, buyer: Listener) -> None:
    purchase = shop.paid(buyer, country="US", post_code="12345", email="ada@example.org", retail_price="0.5")
    Message.objects.filter(topic="purchase.deliver").update(last_error="503: later")

    page = boss.get(page_of(purchase)).content.decode()

    for text in ("Low Tide by The Lamplighters", "0.50\u00a0GBP", "503: later", "purchase.paid", buyer.platform_id[:8]):
        assert text in page
    call = (
        f"GET /user/deliveritem?userId={buyer.platform_id}&amp;releaseId=7002001&amp;country=US&amp;transactionId=T-1"
    )
    assert f"{call}&amp;retailPrice=0.50&amp;currency=GBP" in page
    assert "oauth" not in page


def test_the_page_of_a_sale_shows_its_refund_and_its_locker(boss: Client, buyer: Listener) -> None:
    purchase = shop.sold(buyer)
    LockerTrack.objects.filter(track_id=shop.TRACKS[1]).update(read_at=timezone.now())
    shop.given_back(purchase)

    seen = boss.get(page_of(purchase)).context

    assert [row[1] for row in seen["refund"]["rows"]] == ["by the billing system"]
    assert ["does not have it" in row[2] for row in seen["locker"]["rows"]] == [False, True, False]
    assert ["purchase.deliver" in row[0] for row in seen["messages_sent"]["rows"]] == [True, False]
    assert [row[0].split(">")[1] for row in seen["events"]["rows"]] == ["purchase.paid</a", "purchase.refunded</a"]


def test_a_baskets_payment_is_about_each_thing_in_it(boss: Client, buyer: Listener) -> None:
    purchase = shop.paid(buyer, transaction_id="pi_1/2")
    BillingEvent.objects.create(provider="stripe", event_id="evt_9", type="stripe.sale", subject="pi_1", body=b"")

    assert len(boss.get(page_of(purchase)).context["events"]["rows"]) == 2


@pytest.mark.parametrize(("code", "price"), [("GBP", "7.99"), ("JPY", "980"), ("KWD", "2.500")])
def test_a_price_has_its_currencys_own_digits(boss: Client, buyer: Listener, code: str, price: str) -> None:
    purchase = shop.paid(buyer)
    Purchase.objects.update(retail_price=Decimal(price), currency=code)

    assert f"{price}\u00a0{code}" in boss.get(page_of(purchase)).content.decode()


def test_staff_without_other_rights_see_it_without_links(clerk: Callable[..., Client], buyer: Listener) -> None:
    seen = clerk("view_purchase").get(page_of(shop.paid(buyer))).context

    assert [row[0] for row in seen["messages_sent"]["rows"]] == ["purchase.deliver"]
    assert [row[0] for row in seen["events"]["rows"]] == ["purchase.paid"]


def test_no_text_runs_in_any_page(boss: Client, buyer: Listener) -> None:
    purchase = in_doubt(shop.paid(buyer))
    names = ["title", "version", "artist_name", "release_title", "label", "detail", "email", "transaction_id"]
    codes = dict.fromkeys(["isrc", "upc", "postcode"], XSS[:32])
    Purchase.objects.update(**dict.fromkeys(names, XSS), **codes, platform_id=7, sold_at=timezone.now())
    Refund.objects.create(purchase=purchase, state="REFUSED", reason=XSS, detail=XSS, asked_at=timezone.now())
    bought = shop.sold(buyer, transaction_id="T-2")
    LockerTrack.objects.update(title=XSS, version=XSS, artist_name=XSS, isrc=XSS[:32], read_at=timezone.now())
    Message.objects.update(last_error=XSS)
    purchase.refresh_from_db()

    refund = Refund.objects.get()
    pages = [
        reverse(PURCHASES), reverse(REFUNDS), reverse("unknown-sales"), page_of(purchase), page_of(bought),
        page_of(buyer), page_of(refund), reverse("locker", args=[buyer.pk]), reverse("receipt", args=[bought.pk]),
        action(purchase, "was_sold"), action(purchase, "take_back"), action(refund, "ask_again"),
    ]  # fmt: skip
    for page in pages:
        answer = boss.get(page)
        assert answer.status_code == 200, page
        assert "<img src=x" not in answer.content.decode(), page
        assert "<script>window" not in answer.content.decode(), page


# --- How long there is time --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "text", "red"),
    [
        (datetime(2026, 12, 1, 12, tzinfo=UTC), "closes in 2 days 12 h", False),
        (datetime(2026, 11, 30, 23, 59, 30, tzinfo=UTC), "closes in 3 days 0 h", False),
        (datetime(2026, 12, 2, 23, 59, tzinfo=UTC), "closes in 1 day 0 h", False),
        (datetime(2026, 12, 3, tzinfo=UTC), "closes in 1 day 0 h", True),
        (datetime(2026, 12, 3, 19, 48, tzinfo=UTC), "closes in 4 h 12 min", True),
        (datetime(2026, 12, 3, 23, 59, 59, tzinfo=UTC), "closes in 0 min", True),
        (datetime(2026, 12, 4, tzinfo=UTC), "closed since 2026-12-04 00:00:00", False),
    ],
)
def test_a_countdown_turns_red_on_the_third(now: datetime, text: str, red: bool) -> None:
    told = str(countdown(datetime(2026, 11, 10, tzinfo=UTC), now=now))

    assert text in told
    assert ("red" in told) is red


def test_nothing_is_counted_before_it_is_sold() -> None:
    assert countdown(None, now=timezone.now()) == "–"
    assert left(timedelta(days=2, hours=5, minutes=3)) == "2 days 5 h"


# --- What nobody knows --------------------------------------------------------------------------------------


def test_unknown_sales_come_first_and_the_oldest_of_them(boss: Client, buyer: Listener) -> None:
    young = in_doubt(shop.paid(buyer), ago=timedelta(hours=1))
    old = in_doubt(shop.paid(buyer, transaction_id="T-2"), ago=timedelta(days=1))
    refused = shop.paid(buyer, transaction_id="T-3", release_id=99)
    shop.sold(buyer, transaction_id="T-4")

    seen = boss.get(reverse("unknown-sales")).context

    assert [str(row[2]).split(">")[1] for row in seen["unknown"]["rows"]] == [
        f"{old.transaction_id}</a",
        f"{young.transaction_id}</a",
    ]
    assert [refused.transaction_id in row[1] for row in seen["refused"]["rows"]] == [True]


def test_of_nothing_unknown_the_page_says_so(boss: Client) -> None:
    assert "Of every sale it is known" in boss.get(reverse("unknown-sales")).content.decode()


def test_it_was_sold(boss: Client, unknown: Purchase) -> None:
    decided(boss, unknown, "was_sold", platform_id="49193524", sold_at="")

    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.platform_id, purchase.sold_at) == (State.CONFIRMED, 49193524, unknown.called_at)
    assert LockerTrack.objects.count() == 3
    assert log() == ["Found out: it was sold, as 49193524 (was UNKNOWN)"]


@pytest.mark.parametrize("number", ["", "0", "-1", "7.5", "1e5", "junk", "9" * 30, "2147483648", "49193524; DROP", XSS])
def test_a_number_that_is_none_is_refused(boss: Client, unknown: Purchase, number: str) -> None:
    decided(boss, unknown, "was_sold", platform_id=number)

    assert Purchase.objects.get().state == State.UNKNOWN
    assert log() == []


@pytest.mark.parametrize(
    "when", ["junk", "2020-01-01 00:00", "2090-01-01 00:00", "0001-01-01 00:00", "9999-12-31 23:59"]
)
def test_a_date_outside_the_call_and_now_is_refused(boss: Client, unknown: Purchase, when: str) -> None:
    decided(boss, unknown, "was_sold", platform_id="49193524", sold_at=when)

    assert Purchase.objects.get().state == State.UNKNOWN


def test_a_number_that_stands_with_another_is_refused(boss: Client, buyer: Listener, unknown: Purchase) -> None:
    shop.sold(buyer, transaction_id="T-2", platform_id=49193524)

    assert "stands with another purchase already" in decided(boss, unknown, "was_sold", platform_id="49193524")
    assert Purchase.objects.get(pk=unknown.pk).state == State.UNKNOWN


def test_it_was_not_sold(boss: Client, unknown: Purchase) -> None:
    decided(boss, unknown, "was_not_sold")

    assert Purchase.objects.get().state == State.REFUSED
    assert not Message.objects.exists()
    assert log() == ["Found out: it was not sold (was UNKNOWN)"]


def test_it_is_sold_again_after_a_warning(boss: Client, unknown: Purchase) -> None:
    assert "billed twice" in boss.get(action(unknown, "sell_again")).content.decode()
    assert Purchase.objects.get().state == State.UNKNOWN

    decided(boss, unknown, "sell_again")

    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.round) == (State.PENDING, 2)
    assert Message.objects.filter(topic="purchase.deliver").count() == 1
    assert log() == ["Found out: it was not sold; sold again (was UNKNOWN)"]


@pytest.mark.parametrize("name", ["was_sold", "was_not_sold", "sell_again"])
def test_the_second_of_two_is_told(boss: Client, unknown: Purchase, name: str) -> None:
    decided(boss, unknown, "was_sold", platform_id="49193524")

    assert "it is sold meanwhile" in decided(boss, unknown, name, platform_id="49193525")
    assert Purchase.objects.get().platform_id == 49193524
    assert len(log()) == 1


@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_decide_at_once_one_does(boss: Client, unknown: Purchase) -> None:
    ways = ["was_not_sold", "sell_again"] * 10

    def decide(name: str) -> None:
        client = Client()
        client.cookies = boss.cookies
        client.post(action(unknown, name))
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decide, ways))

    assert len(log()) == 1
    assert Message.objects.filter(topic="purchase.deliver").count() == int("again" in log()[0])


@pytest.mark.parametrize("name", ["was_sold", "was_not_sold", "sell_again", "look_now"])
def test_whoever_only_looks_decides_nothing(clerk: Callable[..., Client], unknown: Purchase, name: str) -> None:
    client = clerk("view_purchase", "refund_purchase")

    assert client.post(action(unknown, name), {"platform_id": "1"}).status_code == 403
    assert buttons(client, unknown) == ["Take back"]
    assert Purchase.objects.get().state == State.UNKNOWN


def test_only_what_makes_sense_has_a_button(boss: Client, buyer: Listener, unknown: Purchase) -> None:
    sold, refused = shop.sold(buyer, transaction_id="T-2"), shop.paid(buyer, transaction_id="T-3", release_id=99)

    assert len(buttons(boss, unknown)) == 5
    assert buttons(boss, sold) == ["Take back"]
    assert buttons(boss, refused) == []
    shop.given_back(sold)
    assert buttons(boss, sold) == []


@pytest.mark.parametrize("nobodys", ["00000000-0000-0000-0000-000000000007", "junk", "1"])
def test_of_no_purchase_nothing_is_decided(boss: Client, nobodys: str) -> None:
    for name in ("was_sold", "was_not_sold", "sell_again", "look_now", "take_back"):
        assert boss.post(reverse(f"admin:downloads_purchase_{name}", args=[nobodys])).status_code == 404
    assert boss.post(reverse("admin:downloads_refund_ask_again", args=[nobodys])).status_code == 404


# --- The locker ----------------------------------------------------------------------------------------------


def test_the_locker_is_looked_into_now(boss: Client, at: Callable[..., None], unknown: Purchase) -> None:
    Purchase.objects.update(track_id=shop.TRACKS[0])
    unknown.platform_id = 77
    with Stage(ok(standing(unknown))) as stage:
        at(stage.origin)
        page = decided(boss, unknown, "look_now")

    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.platform_id) == (State.CONFIRMED, 77)
    assert purchase.looked_at is not None
    assert "1 purchase(s) were settled by it" in page
    assert log()[-1] == "Looked into the locker: CONFIRMED (was UNKNOWN)"


def test_an_empty_locker_settles_nothing(boss: Client, at: Callable[..., None], unknown: Purchase) -> None:
    with Stage(ok(NO_LOCKER)) as stage:
        at(stage.origin)
        page = decided(boss, unknown, "look_now")

    assert "This purchase: not known: sold or not." in page
    assert Purchase.objects.get().looked_at is not None


@pytest.mark.parametrize("way", ["reset", "verdict", "resting"])
def test_a_platform_that_does_not_answer_is_named(
    boss: Client, at: Callable[..., None], unknown: Purchase, way: str
) -> None:
    if way == "resting":
        Circuit.objects.create(name="platform", failures=9, open_until=timezone.now() + timedelta(minutes=1))
    with Stage(reset if way == "reset" else ok(error_xml(9001, "oops"))) as stage:
        at(stage.origin)
        page = decided(boss, unknown, "look_now")
        assert bool(stage.heard) is (way != "resting")

    assert "could not be read" in page
    assert Purchase.objects.get().looked_at is None
    assert log() == []


def test_what_differs_is_listed(boss: Client, at: Callable[..., None], buyer: Listener) -> None:
    mine = shop.sold(buyer)
    address = reverse("locker", args=[buyer.pk])
    assert "was never read" in boss.get(address).content.decode()
    LockerTrack.objects.update(purchased_at=timezone.now() - timedelta(days=1))
    theirs = Purchase(platform_id=77)
    with Stage(ok(standing(theirs))) as stage:
        at(stage.origin)
        seen = boss.post(address, follow=True)

    wheres = {("only there" in row[0], row[2], row[4]) for row in seen.context["table"]["rows"]}
    assert wheres == {(True, shop.TRACKS[0], 77), *((False, track, mine.platform_id) for track in shop.TRACKS)}
    story = {title: table["rows"] for title, table in boss.get(page_of(buyer)).context["story"]}
    assert len(story["Where the locker and the platform’s differ"]) == len(wheres)
    assert len(story["The locker"]) == 4
    assert mine.transaction_id in story["Purchases"][0][1]
    assert log() == ["Read the platform’s locker: 1 track(s) are there, 0 purchase(s) were settled by it; "
                     "1 track(s) are only there, 3 only here"]  # fmt: skip


def test_whoever_may_not_settle_reads_no_locker_again(clerk: Callable[..., Client], buyer: Listener) -> None:
    client, address = clerk("view_lockertrack"), reverse("locker", args=[buyer.pk])

    assert "Read it now" not in client.get(address).content.decode()
    assert client.post(address).status_code == 403


# --- Taking back ---------------------------------------------------------------------------------------------


@pytest.fixture
def bought(buyer: Listener) -> Purchase:
    purchase = shop.sold(buyer, platform_id=49193524)
    Message.objects.all().delete()
    return purchase


def test_a_purchase_is_taken_back(boss: Client, bought: Purchase) -> None:
    assert "closes in" in boss.get(action(bought, "take_back")).content.decode()
    decided(boss, bought, "take_back", reason="scratched")

    refund = Refund.objects.get()
    assert (refund.state, refund.reason, refund.asked_by) == (
        "WAITING",
        "scratched",
        User.objects.get(is_superuser=True),
    )
    assert Message.objects.get().topic == "purchase.refund"
    assert log() == ["Taken back: scratched (was CONFIRMED)"]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 256, "a\x00b"])
def test_a_reason_is_wanted(boss: Client, bought: Purchase, reason: str) -> None:
    decided(boss, bought, "take_back", reason=reason)

    assert not Refund.objects.exists()


def test_a_double_click_is_one_refund(boss: Client, bought: Purchase) -> None:
    decided(boss, bought, "take_back", reason="scratched")
    page = decided(boss, bought, "take_back", reason="again")

    assert "wanted back already, by boss@example.org" in page
    assert Refund.objects.get().reason == "scratched"
    assert Message.objects.count() == len(log()) == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_are_one_refund(boss: Client, bought: Purchase) -> None:
    def click(number: int) -> None:
        client = Client()
        client.cookies = boss.cookies
        client.post(action(bought, "take_back"), {"reason": f"click {number}"})
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(click, range(20)))

    assert Refund.objects.count() == Message.objects.count() == len(log()) == 1


def test_too_late_is_said_in_words(boss: Client, bought: Purchase) -> None:
    Purchase.objects.update(sold_at=timezone.now() - timedelta(days=40))

    assert "the time for refunds at the platform is over" in decided(boss, bought, "take_back", reason="sorry")
    assert not Refund.objects.exists()


def test_so_is_that_it_was_never_sold(boss: Client, buyer: Listener) -> None:
    refused = shop.paid(buyer, release_id=99)

    assert "it was never sold" in decided(boss, refused, "take_back", reason="sorry")


def test_support_takes_nothing_back(clerk: Callable[..., Client], bought: Purchase) -> None:
    client = clerk("view_purchase", "change_purchase")

    assert client.post(action(bought, "take_back"), {"reason": "sorry"}).status_code == 403
    assert not Refund.objects.exists()


@pytest.fixture
def refused(bought: Purchase) -> Refund:
    shop.given_back(bought)
    Message.objects.all().delete()
    Refund.objects.update(state="REFUSED", platform_code=2001, detail="Cannot find sale", settled_at=timezone.now())
    return Refund.objects.get()


def test_what_is_to_be_seen_to_comes_first(boss: Client, buyer: Listener, refused: Refund) -> None:
    other = shop.sold(buyer, transaction_id="T-2")
    shop.given_back(other)
    Refund.objects.filter(purchase=other).update(state="DONE", settled_at=timezone.now())

    assert shown(boss, REFUNDS) == [refused]
    assert [each.purchase_id for each in shown(boss, REFUNDS, state="DONE")] == [other.pk]
    assert len(shown(boss, REFUNDS, state="ALL")) == 2
    assert [each.purchase_id for each in shown(boss, REFUNDS, q="T-2")] == [other.pk]
    assert "closes in" in boss.get(reverse(REFUNDS)).content.decode()


def test_the_platform_is_asked_once_more(boss: Client, refused: Refund) -> None:
    decided(boss, refused, "ask_again")
    page = decided(boss, refused, "ask_again")

    assert "Nothing was done: it is to be logged meanwhile." in page
    assert Refund.objects.get().round == 2
    assert Message.objects.count() == 1
    assert log() == ["Asked the platform once more (was REFUSED)"]
    assert buttons(boss, refused) == []


def test_not_when_it_is_too_late(boss: Client, refused: Refund) -> None:
    Purchase.objects.update(sold_at=timezone.now() - timedelta(days=40))

    assert "the time for refunds at the platform is over" in decided(boss, refused, "ask_again")
    assert Refund.objects.get().state == "REFUSED"


def test_a_refund_that_came_too_late_is_seen_to(boss: Client, bought: Purchase, refused: Refund) -> None:
    """Money went back, the platform keeps the sale, and finance has accounted for both."""
    first = decided(boss, refused, "let_stand", reason="written off, see 2026-17")
    second = decided(boss, refused, "let_stand", reason="again")

    refund = Refund.objects.get()
    assert (refund.state, refund.platform_code) == ("STANDS", 2001)
    assert refund.detail == "Cannot find sale; written off, see 2026-17"
    assert "It is seen to." in first
    assert "Nothing was done: it is seen to: the sale stands meanwhile." in second
    assert log() == ["Let the sale stand: written off, see 2026-17 (was REFUSED)"]
    assert shown(boss, REFUNDS) == []
    assert shown(boss, REFUNDS, state="STANDS") == [refund]
    assert not Message.objects.exists()
    bought.refresh_from_db()
    assert bought.state == "CONFIRMED", "it stays in the report"
    assert buttons(boss, refund) == ["Ask once more"], "in time, a person may think again"


def test_letting_a_sale_stand_needs_a_reason(boss: Client, refused: Refund) -> None:
    decided(boss, refused, "let_stand", reason=" ")

    assert Refund.objects.get().state == "REFUSED"


def test_what_waits_is_not_let_stand(boss: Client, refused: Refund) -> None:
    Refund.objects.update(state="WAITING")

    decided(boss, refused, "let_stand", reason="so")

    assert Refund.objects.get().state == "WAITING"


def test_whoever_only_looks_asks_nobody(clerk: Callable[..., Client], refused: Refund) -> None:
    client = clerk("view_refund", "view_purchase", "change_purchase")

    for name in ("ask_again", "let_stand"):
        assert client.post(action(refused, name), {"reason": "so"}).status_code == 403
    assert Refund.objects.get().state == "REFUSED"
    assert buttons(client, refused) == []
