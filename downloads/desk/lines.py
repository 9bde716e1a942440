"""Purchases, refunds and what differs in lockers, as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

from desk.cells import Table, label, link, moment, state
from downloads.models import LockerTrack, Purchase
from downloads.rules import refundable_until, warned_from
from kernel.money import written

DAY: Final = timedelta(days=1)


def what(purchase: Purchase) -> str:
    """What was bought: `Tide (Live) by The Lamplighters`."""
    version = f" ({purchase.version})" if purchase.version else ""
    return f"{purchase.title}{version} by {purchase.artist_name}" if purchase.title else which(purchase)


def which(purchase: Purchase) -> str:
    """The same by its ids."""
    release = f"release {purchase.release_id}"
    return release if purchase.track_id is None else f"track {purchase.track_id} on {release}"


def price(purchase: Purchase) -> str:
    return written(purchase.retail_price, purchase.currency).replace(" ", "\u00a0")


def who(purchase: Purchase) -> SafeString:
    return link(purchase.listener, purchase.listener.platform_id[:8])


def taken_back(purchase: Purchase) -> SafeString | str:
    """How far its refund is; a dash where nobody wants it back."""
    refund = getattr(purchase, "refund", None)
    return state(refund.state) if refund else "–"


def countdown(sold_at: datetime | None, *, now: datetime) -> SafeString | str:
    """How long a sale can still be taken back: `closes in 3 days 4 h`, red from the 3rd; a dash before it is sold."""
    if sold_at is None:
        return "–"
    ends_at = refundable_until(sold_at)
    if now >= ends_at:
        return f"closed since {moment(ends_at)}"
    return label(f"closes in {left(ends_at - now)}", "danger" if now >= warned_from(sold_at) else "info")


def left(time: timedelta) -> str:
    """`3 days 4 h`, `4 h 12 min`, `12 min`."""
    minutes = int(time.total_seconds()) // 60
    hours, days = minutes // 60 % 24, minutes // 60 // 24
    if days:
        return f"{days} day{'s' * (days > 1)} {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def purchases_table(purchases: Iterable[Purchase]) -> Table:
    """Purchases of one listener."""
    return Table(
        headers=["paid", "transaction", "what", "price", "state", "refund"],
        rows=[
            [
                moment(each.paid_at), link(each, each.transaction_id), what(each), price(each), state(each.state),
                taken_back(each),
            ]
            for each in purchases
        ],
    )  # fmt: skip


def differences_table(tracks: Iterable[LockerTrack]) -> Table:
    """What stands in one locker alone: the platform's, or ours."""
    return Table(
        headers=["where", "what", "track", "release", "the platform’s purchase", "bought", "ours"],
        rows=[
            [
                label("only there", "warning") if each.purchase is None else label("only here", "danger"),
                f"{each.title} by {each.artist_name}", each.track_id, each.release.release_id, each.platform_id,
                moment(each.purchased_at), link(each.purchase, each.purchase.transaction_id) if each.purchase else "–",
            ]
            for each in tracks
        ],
    )  # fmt: skip


def listing(*facts: tuple[str, object]) -> Table:
    """Facts with their names, one below the other."""
    return Table(headers=[], rows=[[format_html("<strong>{}</strong>", name), fact] for name, fact in facts])


def said(code: int | None, detail: str) -> str:
    """What the platform answered, or who else said so."""
    return f"{code}: {detail}" if code else detail or "–"
