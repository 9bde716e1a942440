"""What a receipt says of a purchase; how it looks is its page's business, and its paper's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from django.conf import settings

from downloads.models import Purchase, Refund
from kernel.errors import Kind, Refusal
from kernel.money import written

RECEIPTED: Final = (Purchase.State.CONFIRMED, Purchase.State.REFUNDED)


class NoReceipt(Refusal):
    """There is none for what is not sold (yet); `state` says how the purchase stands."""

    code, kind = "no_receipt", Kind.CONFLICT


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The same for the same purchase, whenever it is asked for. Days are of UTC."""

    id: str
    service: str
    address: tuple[str, ...]
    number: str
    paid_on: date
    title: str
    artist_name: str
    release_title: str
    price: str
    country: str
    refunded_on: date | None
    is_refunded: bool

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What stands in it, with what that is."""
        back = f"in full, on {self.refunded_on}" if self.refunded_on else "in full"
        facts = [
            ("Number", self.number),
            ("Date", str(self.paid_on)),
            ("Bought", self.title),
            ("By", self.artist_name),
            ("On", self.release_title),
            ("Country", self.country),
            ("Paid", self.price),
            ("Refunded", back if self.is_refunded else "no"),
        ]
        return [(name, text) for name, text in facts if text]


def has_receipt(purchase: Purchase) -> bool:
    return purchase.state in RECEIPTED


def receipt_of(purchase: Purchase) -> Receipt:
    """What was bought, named as on the day; `number` is the billing system's transaction. Raises NoReceipt."""
    if not has_receipt(purchase):
        raise NoReceipt("there is a receipt for what has been sold", state=purchase.state)
    refund: Refund | None = getattr(purchase, "refund", None)
    back = refund.settled_at if refund and refund.state == Refund.State.DONE else None
    version = f" ({purchase.version})" if purchase.version else ""
    return Receipt(
        id=str(purchase.pk),
        service=settings.SERVICE_NAME,
        address=tuple(settings.SERVICE_ADDRESS),
        number=purchase.transaction_id,
        paid_on=purchase.paid_at.date(),
        title=f"{purchase.title}{version}",
        artist_name=purchase.artist_name,
        release_title="" if purchase.track_id is None else purchase.release_title,
        price=written(purchase.retail_price, purchase.currency),
        country=purchase.country,
        refunded_on=back.date() if back else None,
        is_refunded=purchase.state == Purchase.State.REFUNDED,
    )
