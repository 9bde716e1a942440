"""The Download guide's rules: prices, postcodes, and until when a sale can be taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloads.rules import price_in, refundable_until, warned_from
from kernel.postcodes import postcode_for
from massivemusic.sales import _price


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("7.99", "7.99"), ("1.00", "1.00"), ("1", "1"), ("0", "0"), ("0.00", "0"), ("0.5", "0.5"), ("980", "980"),
        ("99999999.99", "99999999.99"),
    ],
)  # fmt: skip
def test_takes_prices_as_the_guide_has_them(text: str, price: str) -> None:
    assert price_in(text) == Decimal(price)


@pytest.mark.parametrize(
    "text",
    [
        "-0.01", "-1", "7.999", "1,00", "1.000,00", "1e3", "NaN", "Infinity", "", " 7.99", "7.99\n", "7.", ".99", "+1",
        "07.99", "0x1", "٧.٩٩", "999999999.99", 7.99, 7, None, True, ["7.99"],
    ],
)  # fmt: skip
def test_takes_nothing_that_only_looks_like_a_price(text: Any) -> None:
    with pytest.raises(ValueError, match="at most two decimals"):
        price_in(text)


@given(st.decimals(0, 99_999_999, places=2))
def test_every_amount_goes_out_as_it_came_in(amount: Decimal) -> None:
    assert Decimal(_price(price_in(str(amount)))) == amount


@pytest.mark.parametrize(
    ("country", "postcode", "told"),
    [
        ("US", "12345", "12345"), ("US", "12345-6789", "12345-6789"), ("US", "", ""), ("CA", "K1A 0B1", "K1A 0B1"),
        ("CA", "K1A0B1", "K1A0B1"), ("GB", "N1 9GU", ""), ("DE", "12345", ""), ("FR", "nonsense", ""),
    ],
)  # fmt: skip
def test_the_platform_is_told_postcodes_of_two_countries(country: str, postcode: str, told: str) -> None:
    assert postcode_for(country, postcode) == told


@pytest.mark.parametrize(
    ("country", "postcode"),
    [
        ("US", "1234"), ("US", "123456"), ("US", "12345-678"), ("US", "12345 6789"), ("US", "ABCDE"),
        ("US", "１２３４５"), ("US", "12345\n"), ("CA", "12345"), ("CA", "D1A 0B1"), ("CA", "K1A-0B1"),
    ],
)  # fmt: skip
def test_a_wrong_postcode_is_one(country: str, postcode: str) -> None:
    with pytest.raises(ValueError, match="no postcode"):
        postcode_for(country, postcode)


@pytest.mark.parametrize(
    ("sold", "closes"),
    [
        ("2026-01-01T00:00:00", "2026-02-04"), ("2026-01-31T23:59:59", "2026-02-04"),
        ("2026-02-01T00:00:00", "2026-03-04"), ("2026-02-04T00:00:00", "2026-03-04"),
        ("2026-12-01T00:00:00", "2027-01-04"), ("2026-12-31T23:59:59", "2027-01-04"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("late", [False, True], ids=["a moment before", "at that moment"])
def test_a_sale_can_be_taken_back_until_the_fourth(sold: str, closes: str, late: bool) -> None:
    until = refundable_until(datetime.fromisoformat(sold).replace(tzinfo=UTC))
    asked = datetime.fromisoformat(closes).replace(tzinfo=UTC) - (timedelta(0) if late else timedelta(microseconds=1))

    assert (asked < until) is not late


@given(st.integers(946_684_800, 4_102_444_799).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_there_are_always_some_days_and_never_two_months(sold: datetime) -> None:
    assert timedelta(days=3) <= refundable_until(sold) - sold <= timedelta(days=34)
    assert refundable_until(sold) - warned_from(sold) == timedelta(days=1)
