"""A platform's journal of sales and refunds, as dice would write it, and the rows that it leaves here."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from accounts.models import Listener
from downloads.models import Purchase, Refund

FIRST = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 122
LABELS = {release: (f"Label {release % 4}", release % 4 or None) for release in range(1, 31)}


@dataclass(frozen=True, kw_only=True)
class Sale:
    """A sale as the platform logs it, and when somebody wanted it back."""

    number: int
    release_id: int
    track_id: int | None
    country: str
    currency: str
    price: Decimal
    sold_at: datetime
    wanted_back_at: datetime | None

    @property
    def is_refunded(self) -> bool:
        """Whether the platform took it out: on the 3rd of the next month at the latest."""
        back, sold = self.wanted_back_at, self.sold_at
        if back is None:
            return False
        months = back.year * 12 + back.month - sold.year * 12 - sold.month
        return months == 0 or (months == 1 and back.day <= 3)


def journal(count: int, *, seed: int = 7) -> Iterator[Sale]:
    """Sales of four months; a quarter of them wanted back, some too late, many at the edges of months."""
    dice = random.Random(seed)
    for number in range(1, count + 1):
        sold_at = FIRST + timedelta(days=dice.randrange(DAYS), seconds=dice.choice([0, 1, 43_200, 86_399]))
        later = timedelta(days=dice.randrange(45), seconds=dice.randrange(86_400))
        release = dice.randrange(1, 31)
        yield Sale(
            number=number, release_id=release, track_id=dice.choice([None, release * 100 + dice.randrange(3)]),
            country=dice.choice(["GB", "DE", "US"]), currency=dice.choice(["GBP", "EUR", "USD", "JPY"]),
            price=dice.choice([Decimal("7.99"), Decimal("0.99"), Decimal(0), Decimal("980.00")]), sold_at=sold_at,
            wanted_back_at=dice.choice([None, None, None, sold_at + later]),
        )  # fmt: skip


def purchase_of(sale: Sale, listener: Listener, **changes: Any) -> Purchase:
    """Our row of a sale, not stored yet."""
    label, licensor = LABELS[sale.release_id]
    named = f"Song {sale.track_id}" if sale.track_id else f"Release {sale.release_id}"
    facts = {
        "listener": listener, "transaction_id": f"T-{sale.number}", "release_id": sale.release_id,
        "track_id": sale.track_id, "retail_price": sale.price, "currency": sale.currency, "country": sale.country,
        "title": named, "artist_name": "The Lamplighters", "release_title": f"Release {sale.release_id}",
        "label": label, "licensor_id": licensor, "paid_at": sale.sold_at - timedelta(minutes=1),
        "state": "REFUNDED" if sale.is_refunded else "CONFIRMED", "platform_id": sale.number, "sold_at": sale.sold_at,
    }  # fmt: skip
    return Purchase(id=uuid4(), **facts | changes)


def keep(sales: list[Sale], listener: Listener) -> None:
    """Everything that stands here once the platform has answered."""
    purchases = Purchase.objects.bulk_create(purchase_of(sale, listener) for sale in sales)
    Refund.objects.bulk_create(
        Refund(
            purchase=purchase, state="DONE" if sale.is_refunded else "REFUSED", reason="sorry",
            asked_at=sale.wanted_back_at, settled_at=sale.wanted_back_at,
        )
        for sale, purchase in zip(sales, purchases, strict=True)
        if sale.wanted_back_at is not None
    )  # fmt: skip
