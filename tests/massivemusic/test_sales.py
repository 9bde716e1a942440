"""Sales are told in the platform's words, once, and a refund is a yes or it is none."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivemusic import errors
from massivemusic.client import Client
from massivemusic.sales import Delivered, Sale, _price, deliver_item, refund_release, refund_track
from tests.massivemusic.behaviours import error_json, error_xml, no, ok
from tests.massivemusic.conftest import ClientTo
from tests.massivemusic.stage import Heard, Stage, answer, fields

SALE = Sale(
    user_id="u 1",
    release_id=7204137,
    track_id=None,
    country="GB",
    transaction_id="t/1",
    retail_price=Decimal("7.9"),
    currency="GBP",
)
PURCHASE = '<response status="ok" version="1.2"><purchase id="49193524">{}</purchase></response>'
DATED = PURCHASE.format("<purchaseDate>2026-11-21T12:00:00Z</purchaseDate><lockerReleases><lockerRelease/>")
SOLD = DATED.replace("</purchase>", "</lockerReleases></purchase>")


def test_a_sale_is_reported_by_a_get_that_asks_for_xml(client_to: ClientTo) -> None:
    with Stage(ok(SOLD)) as stage:
        delivered = deliver_item(client_to(stage.origin), SALE)
    (heard,) = stage.heard
    path, _, query = heard.target.partition("?")
    assert (heard.method, path, heard.body) == ("GET", "/1.2/user/deliveritem", b"")
    assert heard.headers["accept"] == "application/xml"
    assert fields(query) == {
        "userId": "u 1",
        "releaseId": "7204137",
        "country": "GB",
        "transactionId": "t/1",
        "retailPrice": "7.90",
        "currency": "GBP",
        "packageId": "2",
    }
    assert delivered == Delivered(purchase_id=49193524, purchased_at=datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.mark.parametrize(("country", "told"), [("US", True), ("CA", True), ("GB", False), ("IE", False)])
def test_a_postcode_is_told_where_charts_count_it(client_to: ClientTo, country: str, told: bool) -> None:
    sale = replace(
        SALE, track_id=11, package_id=9, email="a@b.example", postcode="12345-6789", country=country, currency="USD"
    )
    with Stage(ok(SOLD)) as stage:
        deliver_item(client_to(stage.origin), sale)
    query = fields(stage.heard[0].target.partition("?")[2])
    assert (query["trackId"], query["packageId"], query["emailAddress"]) == ("11", "9", "a@b.example")
    assert query.get("postCode") == ("12345-6789" if told else None)


@pytest.mark.parametrize(
    ("price", "told"),
    [("7.99", "7.99"), ("7.9", "7.90"), ("7", "7.00"), ("0", "0.00"), ("0E+3", "0.00"), ("1e3", "1000.00"),
     ("7.990", "7.99"), ("0.01", "0.01"), ("99999999.99", "99999999.99")],
)  # fmt: skip
def test_a_price_has_two_decimals(price: str, told: str) -> None:
    assert _price(Decimal(price)) == told


@pytest.mark.parametrize("price", ["-0.01", "-0", "7.999", "0.001", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_price_that_cannot_be_never_leaves(client_to: ClientTo, price: str) -> None:
    with pytest.raises(ValueError, match="price"):
        deliver_item(client_to("http://127.0.0.1:9"), replace(SALE, retail_price=Decimal(price)))


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_every_price_is_told_as_it_is(price: Decimal) -> None:
    whole, _, cents = _price(abs(price)).partition(".")
    assert (whole + cents).isdecimal()
    assert len(cents) == 2
    assert Decimal(f"{whole}.{cents}") == price


@pytest.mark.parametrize(
    "body",
    ["", '<response status="ok"/>', '<response status="ok"><purchase/></response>', PURCHASE.replace("49193524", ""),
     PURCHASE.replace("49193524", "0"), PURCHASE.replace("49193524", "-1"), PURCHASE.replace("49193524", "4.9"),
     PURCHASE.replace("49193524", "2147483648"), PURCHASE.replace("49193524", "9" * 30),
     '<response status="ok"><purchase id="1"/><purchase id="2"/></response>', '{"purchase":{"id":true}}',
     '{"purchase":{"id":[1]}}', '{"purchase":1}'],
)  # fmt: skip
def test_a_sale_without_a_purchase_is_in_doubt_and_never_tried_again(client_to: ClientTo, body: str) -> None:
    with Stage(ok(body)) as stage, pytest.raises(errors.Unreadable, match="names no purchase") as caught:
        deliver_item(client_to(stage.origin), SALE)
    assert caught.value.in_doubt
    assert len(stage.heard) == 1


@pytest.mark.parametrize("date", ["", "<purchaseDate>soon</purchaseDate>", "<purchaseDate/>", "<purchaseDate a='1'/>"])
def test_a_sale_stands_whenever_it_was(client_to: ClientTo, date: str) -> None:
    with Stage(ok(PURCHASE.format(date))) as stage:
        assert deliver_item(client_to(stage.origin), SALE) == Delivered(purchase_id=49193524, purchased_at=None)


def test_a_sale_is_sent_once_even_where_an_idle_connection_had_closed(client_to: ClientTo) -> None:
    """What pools do for a GET by themselves would be a second sale."""
    served: list[str] = []

    def hangs_up_on_the_second(sock: socket.socket, heard: Heard) -> bool:
        served.append(heard.target)
        if len(served) == 1:
            sock.sendall(answer("200 OK", SOLD))
        return len(served) == 1

    with Stage(hangs_up_on_the_second) as stage:
        client = client_to(stage.origin)
        deliver_item(client, SALE)
        with pytest.raises(errors.AnswerLost) as caught:
            deliver_item(client, SALE)
    assert caught.value.in_doubt
    assert len(served) == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1001, errors.ParameterMissing),
        (1002, errors.ParameterInvalid),
        (2001, errors.NotFound),
        (2002, errors.NotAvailable),
    ],
)
def test_a_sale_is_refused(client_to: ClientTo, code: int, kind: type[errors.PlatformError]) -> None:
    with Stage(no("400 No", error_xml(code, "no"))) as stage, pytest.raises(kind) as caught:
        deliver_item(client_to(stage.origin), SALE)
    assert (caught.value.permanent, caught.value.in_doubt) == (True, False)


# --- refunds ----------------------------------------------------------------------------------


def refund(client: Client) -> None:
    refund_release(client, purchase_id=49193524, release_id=7, country="GB")


def refund_one(client: Client) -> None:
    refund_track(client, purchase_id=49193524, track_id=11, country="GB")


BOTH = [(refund, "release", 7), (refund_one, "track", 11)]
Refunding = Callable[[Client], None]


@pytest.mark.parametrize(("call", "kind", "number"), BOTH)
def test_a_refund_names_the_purchase_and_what_of_it(
    client_to: ClientTo, call: Refunding, kind: str, number: int
) -> None:
    inside = f"<purchaseId>49193524</purchaseId><{kind}Id>{number}</{kind}Id>"
    with Stage(ok(f'<response status="ok"><{kind}>{inside}</{kind}></response>')) as stage:
        call(client_to(stage.origin))
    (heard,) = stage.heard
    assert (heard.method, heard.target) == ("DELETE", f"/1.2/user/purchase/49193524/{kind}/{number}?country=GB")
    assert heard.body == b""


@pytest.mark.parametrize(
    "body",
    [
        '{"status":"ok","version":"1.2","purchaseId":"49193524","releaseId":"7"}',
        '{"purchaseId":49193524}',
        '{"status":"ok"}',
        '<response status="ok" version="1.2"/>',
    ],
)
@pytest.mark.parametrize("call", [refund, refund_one])
def test_a_refund_is_confirmed_in_each_of_its_shapes(client_to: ClientTo, call: Refunding, body: str) -> None:
    with Stage(ok(body)) as stage:
        call(client_to(stage.origin))


@pytest.mark.parametrize(
    "body",
    ["", "{}", '{"purchaseId":"1"}', '{"status":"ok","purchaseId":"4"}', '{"status":"ok","purchaseId":[49193524]}',
     '<response status="ok"><release><purchaseId>5</purchaseId></release></response>', "<response/>"],
)  # fmt: skip
def test_a_refund_is_in_doubt_until_it_is_confirmed(client_to: ClientTo, body: str) -> None:
    with Stage(ok(body)) as stage, pytest.raises(errors.Unreadable, match="confirms no refund") as caught:
        refund(client_to(stage.origin))
    assert caught.value.in_doubt


@pytest.mark.parametrize(("code", "kind"), [(2001, errors.NotFound), (2002, errors.NotAvailable)])
@pytest.mark.parametrize("call", [refund, refund_one])
@pytest.mark.parametrize("error", [error_json, error_xml])
def test_a_refund_is_refused(
    client_to: ClientTo, call: Refunding, code: int, kind: type[errors.PlatformError], error: Callable[[int, str], str]
) -> None:
    with Stage(no("404 No", error(code, "Cannot find sale"))) as stage, pytest.raises(kind):
        call(client_to(stage.origin))
