"""What billing brings to downloads, and what downloads tell the platform and read from it."""

from __future__ import annotations

from functools import partial
from typing import Final

from django.db.models.functions import Now
from django.utils import timezone

from accounts.introducing import introduce
from accounts.models import Listener
from billing.registry import Happened, on_billing
from downloads.buying import Order, buy, is_of
from downloads.models import Purchase, Refund
from downloads.refreshing import recognise, refresh_locker, sales_in
from downloads.refunding import (
    begin_refund,
    forget_refund,
    given_up,
    note_too_late,
    note_unsold,
    refuse_refund,
    settle_refund,
    take_back,
    too_late,
)
from downloads.rules import RefundWindowClosed, SaleNotFound, price_in
from downloads.selling import TakenBack, begin_call, confirm, doubt, drop, forget_call, refuse, sale_of
from downloads.shapes import PurchasePaid, PurchaseRefunded
from kernel.postcodes import postcode_for
from massivemusic import locker as theirs
from massivemusic.errors import NotFound, PlatformError, Unreachable, Unreadable
from massivemusic.sales import deliver_item, refund_release, refund_track
from outbox.platform import platform
from outbox.registry import Delivery, Record, handles

BY_BILLING: Final = "by the billing system"


class NothingBought(LookupError):
    """No such purchase is known (yet); the event waits, and ends with a person."""


@on_billing("purchase.paid", shape=PurchasePaid, subject="transaction_id")
def purchase_paid(event: Happened) -> None:
    """Keep the purchase, and have the platform told of the sale at once."""
    data = event.data
    buy(
        Order(
            account_id=data["account_id"],
            transaction_id=data["transaction_id"],
            release_id=data["release_id"],
            track_id=data.get("track_id"),
            package_id=data.get("package_id") or Purchase._meta.get_field("package_id").default,
            retail_price=price_in(data["retail_price"]),
            currency=data["currency"],
            country=data["country"],
            postcode=postcode_for(data["country"], data.get("post_code") or ""),
            email=data.get("email") or "",
            paid_at=event.occurred_at,
        )
    )


@on_billing("purchase.refunded", shape=PurchaseRefunded, subject="transaction_id")
def purchase_refunded(event: Happened) -> None:
    """Take the purchase back. Raises NothingBought, SaleNotFound for what is not what was bought."""
    purchase = Purchase.objects.filter(transaction_id=event.subject).first()
    if purchase is None:
        raise NothingBought(f"no purchase has the transaction id {event.subject}")
    if not is_of(purchase, event.data):
        raise SaleNotFound("the transaction is of another release or track")
    now = timezone.now()
    try:
        take_back(purchase_id=purchase.pk, reason=BY_BILLING, now=now)
    except RefundWindowClosed:
        note_too_late(purchase_id=purchase.pk, reason=BY_BILLING, now=now)
    except SaleNotFound:
        note_unsold(purchase_id=purchase.pk, reason=BY_BILLING, now=now)


@handles("purchase.deliver", doubt=doubt, later=forget_call, given_up=drop)
def deliver(delivery: Delivery) -> Record | None:
    """Log one sale (Download guide §3). One call, never another by itself: each logs another sale.

    Whatever comes back that is neither a purchase nor a refusal leaves the purchase UNKNOWN. Only where no connection
    came about was there no call, and it is still to be made.
    """
    purchase_id, round_ = delivery.body["purchase_id"], delivery.body["round"]
    purchase = Purchase.objects.select_related("listener").get(pk=purchase_id)
    introduce(platform(), purchase.listener)
    try:
        delivery.commit(partial(begin_call, purchase_id, round_))
    except TakenBack:
        return None
    try:
        delivered = deliver_item(platform(), sale_of(purchase))
    except Unreachable:
        raise
    except PlatformError as no:
        if no.permanent:
            return partial(refuse, purchase_id, code=no.code, detail=str(no))
        raise doubtful(no) from no
    sold_at = delivered.purchased_at or timezone.now()
    return partial(confirm, purchase_id, platform_id=delivered.purchase_id, sold_at=sold_at)


def doubtful(no: PlatformError) -> PlatformError:
    """The failure as one that proves nothing: a sale is not tried again, whatever the platform says of trying."""
    return no if no.in_doubt else Unreadable(str(no), status=no.status, code=no.code)


@handles("purchase.look")
def look(delivery: Delivery) -> Record | None:
    """Look into the platform's locker for the sale of which nobody knows."""
    purchase = Purchase.objects.select_related("listener").get(pk=delivery.body["purchase_id"])
    if purchase.state != Purchase.State.UNKNOWN or purchase.round != delivery.body["round"]:
        return None
    listener = purchase.listener
    found = theirs.every_page(
        platform(),
        user_id=listener.platform_id,
        country=purchase.country,  # where it was sold, wherever they live now
        release_id=purchase.release_id,
        track_id=purchase.track_id,
    )
    sales = sales_in(found)

    def record() -> None:
        Purchase.objects.filter(pk=purchase.pk).update(looked_at=Now())
        recognise(listener.pk, sales)

    return record


@handles("locker.read")
def read_locker(delivery: Delivery) -> None:
    """Let one release of a locker follow the platform's; of somebody who has left, nothing is read."""
    listener = Listener.objects.get(pk=delivery.body["listener_id"])
    if listener.closed_at is None:
        refresh_locker(platform(), listener, release_id=delivery.body["release_id"])


@handles("purchase.refund", late=too_late, given_up=given_up)
def take_out(delivery: Delivery) -> Record | None:
    """Take one sale out of the platform's log (Download guide §5).

    After a lost answer the platform's locker is asked first. "No such sale" is then our own earlier success; where no
    earlier call can have been heard it is a surprise, and a person's.
    """
    refund = Refund.objects.select_related("purchase__listener").get(pk=delivery.body["purchase_id"])
    purchase, again = refund.purchase, refund.called_at is not None
    if refund.state != Refund.State.WAITING or refund.round != delivery.body["round"] or purchase.platform_id is None:
        return None
    if again and not still_there(purchase):
        return partial(settle_refund, purchase.pk, detail="read back from the locker")
    begin_refund(refund)
    try:
        call_refund(purchase)
    except NotFound as no:
        if again:
            return partial(settle_refund, purchase.pk, detail=f"told twice: {no}")
        forget_refund(refund)
        return partial(refuse_refund, purchase.pk, code=no.code, detail=str(no))
    except PlatformError as no:
        if not (again or no.in_doubt):
            forget_refund(refund)
        if not no.permanent:
            raise
        return partial(refuse_refund, purchase.pk, code=no.code, detail=str(no))
    return partial(settle_refund, purchase.pk)


def call_refund(purchase: Purchase) -> None:
    assert purchase.platform_id is not None  # noqa: S101  it was sold
    sale = {"purchase_id": purchase.platform_id, "country": purchase.country}
    if purchase.track_id is not None:
        refund_track(platform(), track_id=purchase.track_id, **sale)  # type: ignore[arg-type]
    else:
        refund_release(platform(), release_id=purchase.release_id, **sale)  # type: ignore[arg-type]


def still_there(purchase: Purchase) -> bool:
    """Whether the platform's locker still holds the sale."""
    who = purchase.listener.platform_id
    try:
        page = theirs.read_locker(platform(), user_id=who, country=purchase.country, purchase_id=purchase.platform_id)
    except NotFound:
        return False
    return bool(page.releases)
