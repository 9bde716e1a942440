"""What is reported of sales is what the platform's own journal has of them."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from downloads.models import Purchase, Refund
from downloads.refunding import refuse_refund, settle_refund
from downloads.selling import confirm, sale_of
from kernel.values import add_months
from massivemusic.errors import NotAvailable
from massivemusic.sales import deliver_item, refund_release, refund_track
from massivemusic.users import create_user
from outbox.platform import platform
from reports.sales import sales
from tests.sandbox.platform import Platform

pytestmark = pytest.mark.django_db

MONTHS_AGO = (3, 1, 0)
EACH = 40  # sales a month, and a quarter as many refunds
BY = ["country", "track"]


@pytest.fixture
def shelves(sandbox: Platform, settings: Settings, listener: Listener) -> list[dict[str, Any]]:
    """What is for sale there, to a listener whom the platform knows."""
    settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {"total_seconds": 20}
    platform.cache_clear()
    create_user(platform(), user_id=listener.platform_id, country=listener.country)
    return [each for each in sandbox.releases(taken_down=False, pre_release=False) if len(each["territories"]) > 200]


def buy(listener: Listener, release: dict[str, Any], dice: random.Random, number: int) -> Purchase:
    """Sell something, by the very call that the worker makes."""
    track = dice.choice([None, *release["tracks"]])
    purchase = Purchase.objects.create(
        listener=listener, transaction_id=f"T-{number}", release_id=release["id"], track_id=track and track["id"],
        retail_price=dice.choice([Decimal("7.99"), Decimal("0.99"), Decimal(0)]), country=dice.choice(["GB", "DE"]),
        currency=dice.choice(["GBP", "EUR"]), title=release["title"], paid_at=timezone.now(),
    )  # fmt: skip
    delivered = deliver_item(platform(), sale_of(purchase))
    assert delivered.purchased_at is not None
    confirm(purchase.pk, platform_id=delivered.purchase_id, sold_at=delivered.purchased_at)
    purchase.refresh_from_db()
    return purchase


def take_back(purchase: Purchase) -> None:
    """As the worker does; in a month that is over, the platform says no."""
    Refund.objects.create(purchase=purchase, reason="sorry", asked_at=timezone.now())
    assert purchase.platform_id is not None
    sale: dict[str, Any] = {"purchase_id": purchase.platform_id, "country": purchase.country}
    try:
        if purchase.track_id is None:
            refund_release(platform(), release_id=purchase.release_id, **sale)
        else:
            refund_track(platform(), track_id=purchase.track_id, **sale)
    except NotAvailable as no:
        refuse_refund(purchase.pk, code=no.code, detail=str(no))
    else:
        settle_refund(purchase.pk)


def nothing() -> list[Any]:
    """Sales and their amount, what was taken back and its amount."""
    return [0, Decimal(0), 0, Decimal(0)]


def test_every_month_is_what_the_platform_has_logged(
    sandbox: Platform, listener: Listener, shelves: list[dict[str, Any]]
) -> None:
    dice, kept, now = random.Random(7), list[Purchase](), timezone.now()
    months = []
    for ago in MONTHS_AGO:
        there = add_months(now.replace(day=10), -ago)
        sandbox.control("POST", "clock", {"offset_seconds": (there - now).total_seconds()})
        months += EACH * [there]
        kept += [buy(listener, dice.choice(shelves), dice, len(kept) + number) for number in range(EACH)]
        for purchase in dice.sample([each for each in kept if not Refund.objects.filter(purchase=each)], EACH // 4):
            take_back(purchase)
    gone = {line["purchaseId"] for line in sandbox.journal("refunds")}
    counts: dict[datetime, dict[Any, list[Any]]] = {month: defaultdict(nothing) for month in months}
    for month, line in zip(months, sandbox.journal("sales"), strict=True):
        key = (line["currency"], line["country"], line["releaseId"], line["trackId"])
        place = 2 * (line["purchaseId"] in gone)
        counts[month][key][place] += 1
        counts[month][key][place + 1] += Decimal(line["retailPrice"])

    assert 0 < len(gone) < Refund.objects.count()  # some came too late
    for month, expected in counts.items():
        first = month.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        sheet = sales(BY, month=first)
        rows = [dict(zip(sheet.names, row, strict=True)) for row in sheet.rows()]
        found = {
            tuple(row[name] for name in ("currency", "country", "release_id", "track_id")): [
                row[name] for name in ("sales", "amount", "taken_back", "amount_taken_back")
            ]
            for row in rows
        }
        assert found == expected
