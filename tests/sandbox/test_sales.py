"""GET /1.2/user/deliveritem, and refunds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sandbox.instants import parse
from sandbox.sales import is_open, is_postcode, is_price
from tests.sandbox.platform import Database, Partner, Platform, error_of

PATH = "/1.2/user/deliveritem"
BURSTS = 8


@pytest.fixture
def buyer(partner: Partner) -> str:
    return partner.new_user()


@pytest.fixture
def release(platform: Platform) -> dict:
    return platform.release()


def fields(line: dict) -> dict:
    return {name: line[name] for name in line if name not in ("seq", "kind", "at", "call")}


def refused(answer: requests.Response) -> tuple[int, str]:
    """Code and status of an error, which must be XML."""
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    return answer.status_code, answer.text.partition('<error code="')[2].partition("</errorMessage>")[0]


# --- sales ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/xml"])
def test_a_sale_is_answered_in_xml_alone(partner: Partner, buyer: str, release: dict, accept: str):
    sale = {
        "userId": buyer, "releaseId": release["id"], "country": "gb", "transactionId": "t/1", "retailPrice": "0.99",
        "currency": "USD",
    }  # fmt: skip
    answer = partner.request("GET", PATH, accept=accept, **sale)
    (line,) = partner.platform.journal("sales", userId=buyer)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    head, _, tail = answer.text.partition("<purchaseDate>")
    assert head == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        f'<response status="ok" version="1.2"><purchase id="{line["purchaseId"]}">'
    )
    assert abs(parse(tail.partition("<")[0]) - datetime.now(UTC)) < timedelta(seconds=20)
    assert line["purchaseId"] > 49_000_000
    purchase = {"purchaseId": line["purchaseId"], "trackId": None, "packageId": 2, "country": "GB"}
    assert fields(line) == sale | purchase


def test_a_track_is_sold_by_itself(partner: Partner, buyer: str, release: dict):
    track = release["tracks"][1]["id"]
    more = {"emailAddress": "a@b.example", "postCode": "90210-1234", "packageId": 9, "country": "US"}
    purchase = partner.sold(buyer, release["id"], trackId=track, **more)
    (line,) = partner.platform.journal("sales", userId=buyer)
    assert {name: line[name] for name in (*more, "trackId", "purchaseId")} == more | {
        "trackId": track, "purchaseId": purchase,
    }  # fmt: skip


def test_every_call_is_another_sale_whatever_its_transaction(partner: Partner, buyer: str, release: dict):
    purchases = [partner.sold(buyer, release["id"], transactionId="the same") for _ in range(3)]
    lines = partner.platform.journal("sales", userId=buyer)
    assert [line["purchaseId"] for line in lines] == purchases
    assert len(set(purchases)) == 3
    assert [line["call"] - lines[0]["call"] for line in lines] == [0, 1, 2]


def test_one_url_is_one_sale(partner: Partner, buyer: str, release: dict):
    """Whoever sends the very bytes again is stopped by their nonce; whoever signs anew is not."""
    url = partner.signed_url(
        PATH, userId=buyer, releaseId=release["id"], country="GB", transactionId="t", retailPrice="1", currency="GBP"
    )
    assert partner.fetch(url).status_code == 200
    assert partner.fetch(url).text == "OAuth authentication error: nonce already used"
    assert len(partner.platform.journal("sales", userId=buyer)) == 1


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"userId": None}, 400, '1001"><errorMessage>Missing "userId" parameter'),
        ({"releaseId": None}, 400, '1001"><errorMessage>Missing "releaseId" parameter'),
        ({"country": None}, 400, '1001"><errorMessage>Missing "country" parameter'),
        ({"transactionId": None}, 400, '1001"><errorMessage>Missing "transactionId" parameter'),
        ({"transactionId": ""}, 400, '1001"><errorMessage>Missing "transactionId" parameter'),
        ({"retailPrice": None}, 400, '1001"><errorMessage>Missing "retailPrice" parameter'),
        ({"currency": None}, 400, '1001"><errorMessage>Missing "currency" parameter'),
        ({"userId": "x" * 256}, 400, '1002"><errorMessage>Invalid value for "userId"'),
        ({"releaseId": "x"}, 400, '1002"><errorMessage>Invalid value for "releaseId": x'),
        ({"releaseId": 0}, 400, '1002"><errorMessage>Invalid value for "releaseId": 0'),
        ({"trackId": 2**31}, 400, f'1002"><errorMessage>Invalid value for "trackId": {2**31}'),
        ({"country": "ZZ"}, 400, '1002"><errorMessage>country is not valid'),
        ({"transactionId": "t" * 256}, 400, '1002"><errorMessage>Invalid value for "transactionId"'),
        ({"packageId": 3}, 400, '1002"><errorMessage>Invalid value for "packageId": 3'),
        ({"packageId": "two"}, 400, '1002"><errorMessage>Invalid value for "packageId": two'),
        ({"currency": "pounds"}, 400, '1002"><errorMessage>Invalid value for "currency": pounds'),
        ({"emailAddress": "nobody"}, 400, '1002"><errorMessage>Invalid value for "emailAddress": nobody'),
        ({"userId": "nobody"}, 404, '2001"><errorMessage>User not found: nobody'),
        ({"releaseId": 1}, 404, '2001"><errorMessage>Release not found'),
        ({"trackId": 1}, 404, '2001"><errorMessage>Track not found on this release'),
    ],
)
def test_a_sale_is_refused_by_name(partner: Partner, buyer: str, release: dict, change: dict, status: int, said: str):
    answer = partner.sell(**({"user_id": buyer, "release_id": release["id"]} | change))
    got, text = refused(answer)
    assert got == status
    assert text.startswith(said)
    assert partner.platform.journal("sales", userId=buyer) == []


PRICES = ["0", "0.00", "7.99", "7.9", "7", "123456789.99"]
NO_PRICES = ["-0.01", "7.999", "1,00", "1e3", "NaN", "+1", ".5", "5.", " 1", "1 ", "٣", "1.2.3", "9999999999"]


@pytest.mark.parametrize("price", PRICES)
def test_a_price_is_a_decimal_text(partner: Partner, buyer: str, release: dict, price: str):
    partner.sold(buyer, release["id"], retailPrice=price)
    assert partner.platform.journal("sales", userId=buyer)[0]["retailPrice"] == price


@pytest.mark.parametrize("price", NO_PRICES)
def test_anything_else_is_no_price(partner: Partner, buyer: str, release: dict, price: str):
    assert refused(partner.sell(buyer, release["id"], retailPrice=price))[0] == 400


@given(st.text(max_size=12) | st.decimals().map(str))
def test_a_price_counts_or_does_not(text: str):
    if is_price(text):
        assert 0 <= float(text) < 1e9
        assert len(text.partition(".")[2]) <= 2
        assert text.isascii()


POSTCODES = [
    ("US", "90210", True), ("US", "90210-1234", True), ("US", "9021", False), ("US", "90210-12", False),
    ("US", "902101234", False), ("US", "K1A 0B1", False), ("CA", "K1A 0B1", True), ("CA", "k1a0b1", True),
    ("CA", "90210", False), ("CA", "K1A-0B1", False), ("GB", "SW1A 1AA", False), ("GB", "90210", False),
]  # fmt: skip


@pytest.mark.parametrize(("country", "postcode", "good"), POSTCODES)
def test_a_postcode_is_for_charts(partner: Partner, buyer: str, release: dict, country: str, postcode: str, good: bool):
    assert is_postcode(postcode, country=country) is good
    answer = partner.sell(buyer, release["id"], country=country, postCode=postcode)
    assert answer.status_code == (200 if good else 400)


def test_it_can_ask_for_less_and_know_fewer_postcodes(contrarian: Partner, buyer: str, release: dict):
    lean = {"retailPrice": None, "currency": None}
    assert contrarian.sell(buyer, release["id"], **lean).status_code == 200
    assert refused(contrarian.sell(buyer, release["id"], retailPrice="-1"))[0] == 400
    assert refused(contrarian.sell(buyer, release["id"], country="IE", postCode="D01"))[0] == 400
    (line,) = contrarian.platform.journal("sales", userId=buyer)
    assert "retailPrice" not in line


@pytest.mark.parametrize(("inside", "outside"), [("IE", "FR"), ("GB", "US")])
def test_a_sale_is_for_a_country_where_it_is_sold(partner: Partner, buyer: str, inside: str, outside: str):
    release = partner.platform.release(sold_in=("GB", "IE"))
    assert partner.sell(buyer, release["id"], country=inside).status_code == 200
    assert refused(partner.sell(buyer, release["id"], country=outside))[0] == 404


def test_what_is_only_for_sale_is_sold_and_what_is_down_or_to_come_is_not(partner: Partner, buyer: str):
    platform = partner.platform
    sale, down, coming = (
        platform.release(**states) for states in ({"download_only": True}, {"taken_down": True}, {"pre_release": True})
    )
    assert partner.sell(buyer, sale["id"]).status_code == 200
    assert refused(partner.sell(buyer, down["id"]))[0] == 404
    status, text = refused(partner.sell(buyer, coming["id"]))
    assert (status, text) == (403, f'2002"><errorMessage>Pre-release: for sale from {coming["streams_from"]}')


def test_a_sale_wants_a_signature(partner: Partner, buyer: str, release: dict):
    answer = requests.get(f"{partner.platform.url}{PATH}?userId={buyer}", timeout=5)
    assert (answer.status_code, answer.text) == (401, "Access to resource denied")
    stranger = Partner(partner.platform, secret="wrong")
    assert stranger.sell(buyer, release["id"]).text == "OAuth authentication error: invalid signature"
    assert partner.request("POST", PATH, body={"userId": buyer}).status_code == 401
    stranger.close()


# --- faults ---------------------------------------------------------------------------------------


def test_a_sale_stands_though_its_answer_is_lost(partner: Partner, buyer: str, release: dict):
    partner.platform.order("lost_answer", PATH)
    with pytest.raises(requests.ConnectionError):
        partner.sell(buyer, release["id"], transactionId="lost")
    (line,) = partner.platform.journal("sales", transactionId="lost")
    (owned,) = partner.locker(buyer)["lockerRelease"]
    assert owned["lockerTracks"]["lockerTrack"][0]["purchaseId"] == line["purchaseId"]


@pytest.mark.parametrize(
    ("behaviour", "sales"),
    [("refused", 0), ("error_500", 0), ("error_in_200", 0), ("rate_limited", 0), ("garbage_xml", 0), ("truncated", 1)],
)
def test_a_fault_sells_or_does_not(partner: Partner, buyer: str, release: dict, behaviour: str, sales: int):
    partner.platform.order(behaviour, PATH)
    try:
        answer = partner.request("GET", PATH, userId=buyer, releaseId=release["id"], country="GB",
                                 transactionId="t", retailPrice="1", currency="GBP")  # fmt: skip
        assert "<purchase id=" not in answer.text
        if behaviour.startswith("error"):
            assert '<error code="9001">' in answer.text, "in XML alone, errors too"
    except requests.RequestException:
        assert behaviour in ("refused", "truncated")
    assert len(partner.platform.journal("sales", userId=buyer)) == sales


@pytest.mark.parametrize("kind", ["release", "track"])
def test_a_refund_stands_though_its_answer_is_lost(partner: Partner, buyer: str, release: dict, kind: str):
    purchase, path = sell_and_name(partner, buyer, release, kind)
    partner.platform.order("lost_answer", "/1.2/user/purchase")
    with pytest.raises(requests.ConnectionError):
        partner.request("DELETE", path, country="GB")
    assert len(partner.platform.journal("refunds", purchaseId=purchase)) == 1
    assert error_of(partner.request("DELETE", path, country="GB"))[:2] == (404, 2001)


# --- refunds --------------------------------------------------------------------------------------


def sell_and_name(partner: Partner, buyer: str, release: dict, kind: str) -> tuple[int, str]:
    """A sale, and the path of its refund."""
    track = release["tracks"][0]["id"]
    purchase = partner.sold(buyer, release["id"], trackId=track if kind == "track" else None)
    return purchase, f"/1.2/user/purchase/{purchase}/{kind}/{track if kind == 'track' else release['id']}"


@pytest.mark.parametrize("kind", ["release", "track"])
def test_a_refund_takes_the_sale_back_once(partner: Partner, buyer: str, release: dict, kind: str):
    purchase, path = sell_and_name(partner, buyer, release, kind)
    item = path.rpartition("/")[2]
    answer = partner.request("DELETE", path, country="GB")
    (line,) = partner.platform.journal("refunds", purchaseId=purchase)

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": "1.2", "purchaseId": str(purchase), f"{kind}Id": item}
    assert fields(line) == {"purchaseId": purchase, f"{kind}Id": int(item), "userId": buyer, "country": "GB"}
    message = f"Cannot find sale with purchaseId {purchase} and {kind}Id {item}"
    assert error_of(partner.request("DELETE", path, country="GB")) == (404, 2001, message)
    assert len(partner.platform.journal("refunds", purchaseId=purchase)) == 1
    assert partner.locker(buyer)["totalItems"] == 0


@pytest.mark.parametrize("kind", ["release", "track"])
def test_a_refund_is_told_in_xml(partner: Partner, buyer: str, release: dict, kind: str):
    purchase, path = sell_and_name(partner, buyer, release, kind)
    answer = partner.request("DELETE", path, accept="*/*", country="GB")
    inside = f"<purchaseId>{purchase}</purchaseId><{kind}Id>{path.rpartition('/')[2]}</{kind}Id>"
    assert answer.text.endswith(f'<response status="ok" version="1.2"><{kind}>{inside}</{kind}></response>')


def test_a_refund_is_of_what_was_sold(partner: Partner, buyer: str, release: dict):
    """A track of a release that was sold whole is not a sale of its own, nor the other way round."""
    whole, single = (sell_and_name(partner, buyer, release, kind)[0] for kind in ("release", "track"))
    track, other = release["tracks"][0]["id"], release["tracks"][1]["id"]
    for path in (
        f"{whole}/track/{track}", f"{single}/release/{release['id']}", f"{single}/track/{other}",
        f"{whole}/release/1", f"1/release/{release['id']}", f"{2**31 - 1}/release/{release['id']}",
    ):  # fmt: skip
        assert error_of(partner.request("DELETE", f"/1.2/user/purchase/{path}", country="GB"))[:2] == (404, 2001)
    assert partner.locker(buyer)["totalItems"] == 1


def test_a_refund_names_the_country_of_the_sale(partner: Partner, buyer: str, release: dict):
    purchase, path = sell_and_name(partner, buyer, release, "release")
    assert error_of(partner.request("DELETE", path)) == (400, 1001, 'Missing "country" parameter')
    assert error_of(partner.request("DELETE", path, country="ZZ")) == (400, 1002, "country is not valid")
    assert error_of(partner.request("DELETE", path, country="IE"))[:2] == (404, 2001)
    assert partner.platform.journal("refunds", purchaseId=purchase) == []
    _, path = sell_and_name(partner, buyer, release, "track")
    assert error_of(partner.request("DELETE", path, country="IE"))[:2] == (404, 2001)
    assert partner.request("DELETE", path).status_code == 200


@pytest.mark.parametrize("path", ["x/release/1", "1/release/x", "0/track/1", f"{2**31}/track/1", "1/track/-1"])
def test_a_refund_wants_numbers(partner: Partner, path: str):
    assert error_of(partner.request("DELETE", f"/1.2/user/purchase/{path}", country="GB"))[:2] == (400, 1002)


def test_of_many_refunds_at_once_one_is_accepted(platform: Platform, partner: Partner, buyer: str, release: dict):
    partners = [Partner(platform) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(BURSTS):
            purchase, path = sell_and_name(partner, buyer, release, "release")
            asked = [pool.submit(each.request, "DELETE", path, country="GB") for each in partners]
            assert sorted(each.result().status_code for each in asked) == [200] + [404] * 7
            assert len(platform.journal("refunds", purchaseId=purchase)) == 1
    for each in partners:
        each.close()


# --- the period -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ahead(platform: Platform) -> Iterator[Partner]:
    """A partner of a stand-in with a memory, and so a clock, of its own."""
    own = Database(server=os.environ["DATABASE_URL"], name=f"sandbox_ahead_{os.getpid()}")
    own.create()
    other = Platform(database=own, var_dir=platform.var_dir)
    other.prepare()
    other.start()
    partner = Partner(other)
    yield partner
    partner.close()
    other.stop()
    own.drop()


def at(platform: Platform, instant: datetime) -> None:
    offset = (instant - datetime.now(UTC)).total_seconds()
    assert platform.control("POST", "clock", {"offset_seconds": offset}).status_code == 200


@pytest.mark.parametrize("kind", ["release", "track"])
def test_a_refund_is_in_time_until_the_fifth_of_the_next_month(ahead: Partner, kind: str):
    release, buyer = ahead.platform.release(), ahead.new_user()
    at(ahead.platform, datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    first, second = (sell_and_name(ahead, buyer, release, kind) for _ in range(2))
    at(ahead.platform, datetime(2027, 1, 4, 23, 30, tzinfo=UTC))
    assert ahead.request("DELETE", first[1], country="GB").status_code == 200
    at(ahead.platform, datetime(2027, 1, 5, tzinfo=UTC))
    item = second[1].rpartition("/")[2]
    message = f"Cannot exclude sale with purchaseId {second[0]} and {kind}Id {item}"
    assert error_of(ahead.request("DELETE", second[1], country="GB")) == (403, 2002, message)
    assert ahead.platform.journal("refunds", purchaseId=second[0]) == []
    assert ahead.locker(buyer)["totalItems"] == 1


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.timezones()), st.integers(1, 28))  # noqa: DTZ001
def test_a_period_ends_at_midnight_of_a_day_of_the_next_month(sold_at: datetime, day: int):
    month = sold_at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (month + timedelta(days=32)).replace(day=day)
    assert not is_open(sold_at, now=end, day=day)
    assert is_open(sold_at, now=end - timedelta(microseconds=1), day=day)


@pytest.mark.parametrize("kind", ["sales", "refunds"])
def test_the_journal_shows_what_was_sold_and_what_came_back(partner: Partner, buyer: str, release: dict, kind: str):
    purchase, path = sell_and_name(partner, buyer, release, "release")
    partner.request("DELETE", path, country="GB")
    lines = partner.platform.control("GET", f"journal?kind={kind}").text.splitlines()
    assert all(f'"kind": "{kind}"' in line for line in lines)
    (line,) = partner.platform.journal(kind, purchaseId=purchase)
    after = partner.platform.control("GET", f"journal?kind={kind}&after={line['seq'] - 1}").text
    assert f'"purchaseId": {purchase}' in after.splitlines()[0]
