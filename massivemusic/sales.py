"""Sales and refunds: what was sold is reported at once, what was taken back before the period is settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from kernel.values import INT32
from massivemusic import instants
from massivemusic.answers import Answer
from massivemusic.client import Client
from massivemusic.errors import Unreadable
from massivemusic.shapes import whole

POSTCODE_COUNTRIES: Final = frozenset({"CA", "US"})  # whose charts count sales by postcode


@dataclass(frozen=True, kw_only=True)
class Sale:
    """One track of a release, or the whole of it where `track_id` is None, sold to a listener.

    `country` is ISO alpha-2, `retail_price` what was charged in `currency` (ISO 4217), 0 for a gift, at most two
    decimals. `transaction_id` is ours; the platform keeps it beside its own. A `postcode` is told in US and CA alone.
    """

    user_id: str
    release_id: int
    track_id: int | None
    country: str
    transaction_id: str
    retail_price: Decimal
    currency: str
    package_id: int = 2
    email: str = ""
    postcode: str = ""


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """The platform's number of a sale, which a refund names, and when it says that it was made (UTC)."""

    purchase_id: int
    purchased_at: datetime | None


def deliver_item(client: Client, sale: Sale) -> Delivered:
    """Report a sale and put it into the listener's locker ("Credit item").

    Twice is two sales, both billed, also under one `transaction_id`: after an error that is `in_doubt`, read the
    locker, never ask again. Raises ParameterInvalid, NotFound for an unknown listener, release or track, NotAvailable
    for what is not for sale there; Unreadable where the answer names no purchase; ValueError for an impossible price.
    """
    # The one call that answers in XML whatever it is asked for.
    answer = client.call("GET", "/user/deliveritem", query=on_the_wire(sale), accept="application/xml")
    purchase_id = whole(answer.at("purchase", "id"))
    if purchase_id is None or not 0 < purchase_id <= INT32:
        raise Unreadable("the answer names no purchase", status=answer.status)
    try:
        purchased_at = instants.read(answer.at("purchase", "purchaseDate"))
    except ValueError:
        purchased_at = None  # the sale stands, whenever that was
    return Delivered(purchase_id=purchase_id, purchased_at=purchased_at)


def refund_release(client: Client, *, purchase_id: int, release_id: int, country: str) -> None:
    """Take the sale of a release out of the month's report ("Report release refund"); `country` is that of the sale.

    Raises NotFound (2001) when there is no such sale, any more or at all, which after a lost answer may count as
    done; NotAvailable (2002) when its reporting period is over.
    """
    _refund(client, purchase_id, "release", release_id, country)


def refund_track(client: Client, *, purchase_id: int, track_id: int, country: str) -> None:
    """As `refund_release`, for a track that was sold by itself."""
    _refund(client, purchase_id, "track", track_id, country)


def on_the_wire(sale: Sale) -> dict[str, str | int]:
    """The parameters of the call, by the platform's names. Raises ValueError for an impossible price."""
    fields: dict[str, str | int] = {"userId": sale.user_id, "releaseId": sale.release_id}
    if sale.track_id is not None:
        fields["trackId"] = sale.track_id
    fields |= {
        "country": sale.country,
        "transactionId": sale.transaction_id,
        "retailPrice": _price(sale.retail_price),
        "currency": sale.currency,
        "packageId": sale.package_id,
    }
    if sale.email:
        fields["emailAddress"] = sale.email
    if sale.postcode and sale.country in POSTCODE_COUNTRIES:
        fields["postCode"] = sale.postcode
    return fields


def _price(price: Decimal) -> str:
    """`7.99`: two decimals, no more and no fewer."""
    written = f"{price:.2f}"
    if not price.is_finite() or price.is_signed() or Decimal(written) != price:
        raise ValueError("a price is zero or more, with at most two decimals")
    return written


def _refund(client: Client, purchase_id: int, kind: str, item_id: int, country: str) -> None:
    # In XML, because the JSON that its page shows is none.
    path = f"/user/purchase/{purchase_id}/{kind}/{item_id}"
    answer = client.call("DELETE", path, query={"country": country}, accept="application/xml")
    if not _confirms(answer, kind, purchase_id):
        raise Unreadable("the answer confirms no refund", status=answer.status)


def _confirms(answer: Answer, kind: str, purchase_id: int) -> bool:
    """Whether the answer is a yes. How it looks for a track is not documented: it need not name the purchase."""
    named = answer.at(kind, "purchaseId") or answer.at("purchaseId")
    return whole(named) == purchase_id if named else answer.at("status") == "ok"
