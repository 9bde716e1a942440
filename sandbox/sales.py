"""The rules of a sale, one name each ("Credit item", "Report release refund"). Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

PRICE: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
CURRENCY: Final = re.compile(r"[A-Z]{3}")
POSTCODES: Final = {
    "US": re.compile(r"[0-9]{5}(-[0-9]{4})?"),
    "CA": re.compile(r"[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]", re.IGNORECASE),
}


def is_price(text: str) -> bool:
    """Whole or with up to two decimals behind a point; no sign, no comma, no exponent."""
    return PRICE.fullmatch(text) is not None


def is_currency(text: str) -> bool:
    return CURRENCY.fullmatch(text) is not None


def is_postcode(text: str, *, country: str) -> bool:
    """Whether a country's charts could count this postcode; those of other countries have none."""
    shape = POSTCODES.get(country)
    return shape is not None and shape.fullmatch(text) is not None


def is_open(sold_at: datetime, *, now: datetime, day: int) -> bool:
    """Whether the sale's reporting period runs: until `day` of the month after it, 00:00 UTC."""
    sold_at = sold_at.astimezone(UTC)
    year, month = sold_at.year + sold_at.month // 12, sold_at.month % 12 + 1
    return now < datetime(year, month, day, tzinfo=UTC)
