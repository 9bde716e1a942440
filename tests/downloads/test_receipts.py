"""A receipt says what was bought and for how much, as a page and on paper, and always the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pypdf import PdfReader
from pytest_django import Settings

from accounts.models import Listener
from downloads.models import Purchase, Refund
from tests.downloads import shop
from tests.downloads.test_desk import XSS
from tests.helpers import Api, expect_problem

pytestmark = pytest.mark.django_db
PDF = "application/pdf"
PAID = datetime(2026, 11, 10, 23, 59, tzinfo=UTC)


@pytest.fixture
def phone(api: Callable[[Listener], Api], buyer: Listener, settings: Settings) -> Api:
    settings.SERVICE_NAME, settings.SERVICE_ADDRESS = "Harbour & Sons", ["1 Quay Street", "London N1 9GU"]
    return api(buyer)


@pytest.fixture
def bought(buyer: Listener) -> Purchase:
    purchase = shop.sold(buyer, track_id=shop.TRACKS[0], retail_price="0.99")
    Purchase.objects.update(paid_at=PAID)
    return purchase


def page(phone: Api, purchase: Purchase) -> str:
    response = phone.get(f"purchases/{purchase.pk}/receipt")
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return response.content.decode()


def paper(phone: Api, purchase: Purchase) -> bytes:
    response = phone.get(f"purchases/{purchase.pk}/receipt", Accept=PDF)
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == PDF
    return response.content


def text_of(content: bytes) -> str:
    """What somebody reads who opens the paper, page by page."""
    return "\n".join(each.extract_text() for each in PdfReader(BytesIO(content)).pages)


def test_a_page_says_what_was_bought(phone: Api, bought: Purchase) -> None:
    shown = page(phone, bought)

    for text in ("Harbour &amp; Sons", "1 Quay Street", "London N1 9GU", "T-1", "2026-11-10", "Song 1",
                 "The Lamplighters", "Low Tide", "0.99 GBP"):  # fmt: skip
        assert text in shown
    assert "<dt>Refunded</dt><dd>no</dd>" in shown


def test_paper_says_the_same(phone: Api, bought: Purchase) -> None:
    read = text_of(paper(phone, bought))

    for text in ("Harbour & Sons", "1 Quay Street", "T-1", "2026-11-10", "Song 1", "Low Tide", "0.99 GBP"):
        assert text in read
    assert "no" in read.splitlines()


def test_a_refund_stands_on_it(phone: Api, bought: Purchase) -> None:
    Purchase.objects.update(state="REFUNDED")
    Refund.objects.create(purchase=bought, state="DONE", reason="sorry", asked_at=PAID, settled_at=PAID)

    assert "in full, on 2026-11-10" in page(phone, bought)
    assert "in full, on 2026-11-10" in text_of(paper(phone, bought))


def test_one_that_is_only_wanted_does_not(phone: Api, bought: Purchase) -> None:
    Refund.objects.create(purchase=bought, reason="sorry", asked_at=PAID)

    assert "<dt>Refunded</dt><dd>no</dd>" in page(phone, bought)


@pytest.mark.parametrize(
    ("code", "price", "told"),
    [("JPY", "980", "980 JPY"), ("KWD", "2.5", "2.500 KWD"), ("GBP", "0", "0.00 GBP"), ("JPY", "9.99", "9.99 JPY")],
)
def test_a_price_has_its_currencys_digits(phone: Api, bought: Purchase, code: str, price: str, told: str) -> None:
    Purchase.objects.update(currency=code, retail_price=Decimal(price))

    assert f"<dd>{told}</dd>" in page(phone, bought)
    assert told in text_of(paper(phone, bought))


@pytest.mark.parametrize("form", [page, paper])
def test_the_same_receipt_is_the_same_to_the_byte(phone: Api, bought: Purchase, form: Callable[..., Any]) -> None:
    first = form(phone, bought)
    Purchase.objects.update(looked_at=datetime(2026, 12, 1, tzinfo=UTC))

    assert form(phone, bought) == first


@pytest.mark.parametrize(
    "title",
    ["Ærøskøbing Żółć ğüşıöç", "Ποτέ την Κυριακή", "Подмосковные вечера", "Šťastný Łódź", "“Quotes” – dashes… €",
     "Տեսիլք", "ქართული", "Tiếng Việt", "<b>&amp; bold</b>"],
)  # fmt: skip
def test_titles_of_the_world_are_written_out(phone: Api, bought: Purchase, title: str) -> None:
    Purchase.objects.update(title=title)

    assert title in text_of(paper(phone, bought)).replace("\xa0", " ")
    assert "?" not in text_of(paper(phone, bought))


@pytest.mark.parametrize("title", ["上を向いて歩こう", "君の名は。", "아리랑"])
def test_titles_of_the_east_are_the_readers_to_draw(phone: Api, bought: Purchase, title: str) -> None:
    Purchase.objects.update(title=title)
    content = paper(phone, bought)

    fonts = {font["/BaseFont"] for font in PdfReader(BytesIO(content)).pages[0]["/Resources"]["/Font"].values()}
    assert any(name in str(fonts) for name in ("HeiseiKakuGo-W5", "HYGothic-Medium"))
    assert title in text_of(content)


def test_what_no_font_has_is_a_question_mark_and_no_box(phone: Api, bought: Purchase) -> None:
    Purchase.objects.update(title="Sun \U0001f99c\U0001d15e and moon")

    assert "Sun ?? and moon" in text_of(paper(phone, bought))


@pytest.mark.parametrize(
    "letters", ["x" * 1024, "word " * 200, "Ж" * 1024, "\x07\x1b\u2028\u202e bell", "<para>&#0;</para>"]
)
def test_a_hostile_title_breaks_nothing(phone: Api, bought: Purchase, letters: str) -> None:
    Purchase.objects.update(title=letters, artist_name=letters, release_title=letters)

    assert page(phone, bought)
    assert "0.99 GBP" in text_of(paper(phone, bought))


def test_nothing_in_it_runs(phone: Api, bought: Purchase, settings: Settings) -> None:
    settings.SERVICE_NAME, settings.SERVICE_ADDRESS = XSS, [XSS]
    Purchase.objects.update(
        **dict.fromkeys(["title", "version", "artist_name", "release_title", "transaction_id"], XSS)
    )

    assert "<img" not in page(phone, bought)
    assert "<script" not in page(phone, bought)
    response = phone.get(f"purchases/{bought.pk}/receipt")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert b"/JavaScript" not in paper(phone, bought)


@pytest.mark.parametrize("state", ["PENDING", "REFUSED", "UNKNOWN"])
@pytest.mark.parametrize("accept", ["text/html", PDF])
def test_there_is_none_for_what_is_not_sold(phone: Api, buyer: Listener, state: str, accept: str) -> None:
    purchase = shop.paid(buyer)
    Purchase.objects.update(state=state)

    problem = expect_problem(phone.get(f"purchases/{purchase.pk}/receipt", Accept=accept), 409, "no_receipt")
    assert problem["state"] == state


def test_nor_of_anybody_elses(phone: Api, make_listener: Callable[..., Listener]) -> None:
    others = shop.sold(make_listener())

    expect_problem(phone.get(f"purchases/{others.pk}/receipt"), 404, "purchase_not_found")
    expect_problem(phone.get(f"purchases/{others.pk}/receipt", Accept=PDF), 404, "purchase_not_found")


@pytest.mark.parametrize("accept", ["application/json", "image/png"])
def test_other_forms_there_are_none(phone: Api, bought: Purchase, accept: str) -> None:
    expect_problem(phone.get(f"purchases/{bought.pk}/receipt", Accept=accept), 406, "not_acceptable")


def test_a_browser_gets_the_page(phone: Api, bought: Purchase) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    assert phone.get(f"purchases/{bought.pk}/receipt", Accept=accept).headers["Content-Type"].startswith("text/html")


# --- For staff -----------------------------------------------------------------------------------------------


def test_staff_open_it_from_the_purchases_page(boss: Client, bought: Purchase) -> None:
    address = reverse("receipt", args=[bought.pk])
    shown = boss.get(reverse("admin:downloads_purchase_change", args=[bought.pk])).content.decode()

    assert f'href="{address}"' in shown
    assert b"0.99 GBP" in boss.get(address).content
    assert boss.get(f"{address}?as=pdf").content.startswith(b"%PDF-")


def test_of_what_is_not_sold_the_page_says_so(boss: Client, buyer: Listener) -> None:
    purchase = shop.paid(buyer)
    shown = boss.get(reverse("receipt", args=[purchase.pk]), follow=True)

    assert b"there is a receipt for what has been sold" in shown.content
    assert reverse("receipt", args=[purchase.pk]).encode() not in shown.content


def test_only_those_who_may_view_purchases_open_it(clerk: Callable[..., Client], bought: Purchase) -> None:
    assert clerk("view_refund").get(reverse("receipt", args=[bought.pk])).status_code == 403
