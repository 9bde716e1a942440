"""Stripe, of one-off payments: what was bought stands in the metadata that our app gave the payment.

One thing by `release_id`, perhaps `track_id` and `package_id`; a basket as `items`, such as
`7204137=7.99 7204138:81350211=0.99`: release, or release and track, with the price of each. The transaction is
the payment intent, so that a checkout and its payment, which tell of the same, are one sale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from billing.models import BillingEvent
from billing.providers.reading import Told, account, box, currency, text, whole
from kernel.money import DIGITS, LIMIT, major_units, minor_units
from kernel.postcodes import postcode_for

SALE: Final = "stripe.sale"
ITEM: Final = re.compile(r"(?P<release>[0-9]{1,10})(?::(?P<track>[0-9]{1,10}))?=(?P<price>[0-9.]{1,11})", re.ASCII)
# Currencies that Stripe counts in other units than ISO 4217 does, by Stripe's digits after the point.
ODD_DIGITS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}


def minor(amount: int, code: str) -> int:
    """Stripe's amount in ISO 4217's minor units. Raises ValueError."""
    if not 0 <= amount <= LIMIT:
        raise ValueError("the amount is negative or too large")
    return minor_units(Decimal(amount).scaleb(-ODD_DIGITS.get(code, DIGITS.get(code, 2))), code)


def paid_checkout(content: Mapping[str, Any]) -> Told | None:
    """A checkout that was paid; one that waits for its money says so later, by an event of its own."""
    if content.get("payment_status") not in {"paid", "no_payment_required"}:
        return None
    details = optional(content, "customer_details")
    payment = content.get("payment_intent") or content.get("id")  # nothing was charged for a gift
    return sale(content, transaction=payment, amount="amount_total", details=details, owner="client_reference_id")


def paid_intent(content: Mapping[str, Any]) -> Told | None:
    """A payment that succeeded."""
    details = optional(content, "shipping") | {"email": content.get("receipt_email")}
    return sale(content, transaction=content.get("id"), amount="amount_received", details=details)


def sale(
    content: Mapping[str, Any], *, transaction: object, amount: str, details: Mapping[str, Any], owner: str = ""
) -> Told | None:
    """What was paid for; None where the metadata names nothing of ours. Raises ValueError."""
    said = optional(content, "metadata")
    if not {"release_id", "items"} & set(said):
        return None
    buyer = account(said.get("account_id"), content.get(owner))
    if not buyer:
        raise ValueError("metadata.account_id must be a listener's id")
    subject = text({"payment_intent": transaction}, "payment_intent", longest=240)
    code, address = currency(content), optional(details, "address")
    price = str(major_units(minor(whole(content, amount), code), code))
    country = said.get("country") or address.get("country")
    common = buyer | {"currency": code, "country": text({"country": country}, "country", longest=2)}
    common |= postcode(said.get("post_code") or address.get("postal_code"), code=str(country))
    if details.get("email"):
        common["email"] = text(details, "email", longest=254)
    return Told(type=SALE, subject=subject, data=common | {"items": list(items_in(said, price))})


def items_in(said: Mapping[str, Any], price: str) -> Iterator[dict[str, Any]]:
    """What was bought, each with its price. Raises ValueError."""
    if "items" not in said:
        named = {name: numeral(said, name) for name in ("release_id", "track_id", "package_id") if said.get(name)}
        yield named | {"retail_price": price}
        return
    parts = text(said, "items", longest=500).split()
    found = [ITEM.fullmatch(part) for part in parts]
    if not found or not all(found):
        raise ValueError("metadata.items must be such as 7204137=7.99 7204138:81350211=0.99")
    for match in found:
        assert match is not None  # noqa: S101  all of them were
        track = {"track_id": int(match["track"])} if match["track"] else {}
        yield {"release_id": int(match["release"]), **track, "retail_price": match["price"]}


def numeral(said: Mapping[str, Any], name: str) -> int:
    """A number that stands as text in the metadata, as everything there does. Raises ValueError."""
    digits = text(said, name, longest=10)
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"metadata.{name} must be a whole number")
    return int(digits)


def postcode(value: object, *, code: str) -> dict[str, str]:
    """A buyer's postcode where the platform may hear it; one that a form let pass does not cost the sale."""
    try:
        return {"post_code": postcode_for(code, str(value or "").strip().upper())}
    except ValueError:
        return {}


def optional(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    return dict(box(content, name)) if content.get(name) is not None else {}


def kept_sale(payment_intent: str) -> BillingEvent | None:
    """The event that told what a payment bought."""
    return BillingEvent.objects.filter(provider="stripe", type=SALE, subject=payment_intent).order_by("pk").first()
