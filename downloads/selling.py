"""What becomes of a sale once the platform is called: told, refused, not known, and what a person finds out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from downloads.buying import delivery_of
from downloads.locker import put_in_locker, read_again
from downloads.models import Purchase, Refund
from downloads.refunding import tell_refund
from kernel.errors import Kind, Refusal
from massivemusic.sales import Sale
from outbox.actions import Draft, leave_all, send

State = Purchase.State

LOOKS: Final = [timedelta(minutes=count) for count in (0, 1, 5, 15, 60)]  # after a lost answer


class TakenBack(Exception):
    """The purchase was taken back, or decided upon, right before it would have been sold."""


class NotInDoubt(Refusal):
    """Somebody else, or the platform's locker, has settled it in the meantime."""

    code, kind = "not_in_doubt", Kind.CONFLICT


class PurchaseIdTaken(Refusal):
    """The platform's purchase id stands with another purchase of the same thing."""

    code, kind = "purchase_id_taken", Kind.CONFLICT


def locked(purchase_id: UUID | str) -> Purchase:
    return Purchase.objects.select_for_update().get(pk=purchase_id)


def sale_of(purchase: Purchase) -> Sale:
    """What the platform is told of a purchase."""
    return Sale(
        user_id=purchase.listener.platform_id,
        release_id=purchase.release_id,
        track_id=purchase.track_id,
        country=purchase.country,
        transaction_id=purchase.transaction_id,
        retail_price=purchase.retail_price,
        currency=purchase.currency,
        package_id=purchase.package_id,
        email=purchase.email,
        postcode=purchase.postcode,
    )


def begin_call(purchase_id: str, round_: int) -> None:
    """Write down that the call is about to be made. Raises TakenBack when it must not be any more."""
    untold = Purchase.objects.filter(pk=purchase_id, round=round_, state=State.PENDING, called_at=None)
    if not untold.update(called_at=Now()):
        raise TakenBack


def forget_call(body: Mapping[str, Any]) -> None:
    """No connection came about: the call was never made, and will be, unless the money was given back meanwhile."""
    Purchase.objects.filter(pk=body["purchase_id"], round=body["round"], state=State.PENDING).update(called_at=None)
    never_sold(body["purchase_id"])


@transaction.atomic
def confirm(purchase_id: UUID | str, *, platform_id: int, sold_at: datetime) -> None:
    """The platform has logged the sale: the locker holds it.

    What was wanted back meanwhile, or given up as not sold, is taken back there: otherwise it would be billed.
    Safe to repeat. (Download guide §3 and §5)
    """
    purchase = locked(purchase_id)
    if purchase.platform_id is not None:
        return
    unwanted = purchase.state in {State.REFUSED, State.REFUNDED}
    purchase.platform_id, purchase.sold_at, purchase.state = platform_id, sold_at, State.CONFIRMED
    purchase.platform_code, purchase.detail = None, ""
    purchase.save(update_fields=["platform_id", "sold_at", "state", "platform_code", "detail"])
    put_in_locker(purchase)
    read_again(purchase.listener_id, purchase.release_id, key=str(purchase.pk))
    if unwanted:
        facts = {"state": Refund.State.WAITING, "reason": "sold although given up", "asked_at": timezone.now()}
        Refund.objects.update_or_create(purchase=purchase, defaults=facts | {"settled_at": None, "detail": ""})
    if refund := Refund.objects.filter(purchase=purchase, state=Refund.State.WAITING).first():
        tell_refund(refund, purchase)


@transaction.atomic
def refuse(purchase_id: UUID | str, *, code: int | None, detail: str) -> None:
    """The platform said no, so nothing was sold; whoever wanted it back has it."""
    waiting = Purchase.objects.filter(pk=purchase_id, state=State.PENDING)
    if waiting.update(state=State.REFUSED, platform_code=code, detail=detail):
        never_sold(purchase_id)


@transaction.atomic
def doubt(body: Mapping[str, Any]) -> None:
    """Nobody knows whether the sale was logged. It is never called again by itself: the locker is looked into.

    (Download guide §4.1; platform.md §11: each call logs another sale)
    """
    purchase_id = body["purchase_id"]
    pending = Purchase.objects.filter(pk=purchase_id, round=body["round"], state=State.PENDING)
    if pending.update(state=State.UNKNOWN, detail="the platform’s answer was lost"):
        now = timezone.now()
        send(look_at(body, number=0))
        for number, wait in enumerate(LOOKS[1:], start=1):
            leave_all([look_at(body, number=number)], at=now + wait)


def look_at(body: Mapping[str, Any], *, number: int) -> Draft:
    """One look into the locker; each in a lane of its own, since one that waits for its time holds others up."""
    key = f"{body['purchase_id']}/{body['round']}/{number}"
    return Draft(topic="purchase.look", key=key, lane=f"purchase {key}", body=dict(body))


def drop(body: Mapping[str, Any]) -> None:
    """A person gave the message up before any call went out."""
    refuse(body["purchase_id"], code=None, detail="it was given up before the platform was told")


# --- What a person decides about what is not known --------------------------------------------------


@transaction.atomic
def was_sold(purchase_id: UUID, *, platform_id: int, sold_at: datetime | None) -> None:
    """A person knows the platform's purchase id. Raises NotInDoubt, PurchaseIdTaken."""
    purchase = in_doubt(purchase_id)
    taken = Purchase.objects.filter(platform_id=platform_id, release_id=purchase.release_id, track_id=purchase.track_id)
    if taken.exists():
        raise PurchaseIdTaken("this purchase id stands with another purchase already")
    confirm(purchase_id, platform_id=platform_id, sold_at=sold_at or purchase.called_at or purchase.paid_at)


@transaction.atomic
def was_not_sold(purchase_id: UUID, *, again: bool) -> None:
    """A person knows that there is no sale: sell it again, or leave it for the money to be given back.

    Raises NotInDoubt.
    """
    purchase = in_doubt(purchase_id)
    if not again:
        purchase.state, purchase.detail = State.REFUSED, "found out: it was not sold"
        purchase.save(update_fields=["state", "detail"])
        never_sold(purchase_id)
        return
    if Refund.objects.filter(purchase=purchase).exists():
        raise NotInDoubt("its money has been given back: it is not sold again")
    Purchase.objects.filter(pk=purchase_id).update(state=State.PENDING, round=F("round") + 1, called_at=None, detail="")
    purchase.refresh_from_db()
    send(delivery_of(purchase))


def in_doubt(purchase_id: UUID) -> Purchase:
    purchase = locked(purchase_id)
    if purchase.state != State.UNKNOWN:
        raise NotInDoubt(f"it is {purchase.get_state_display()} meanwhile")
    return purchase


def never_sold(purchase_id: UUID | str) -> None:
    """Where it was wanted back, there is nothing to be taken back: that is done."""
    waiting = Refund.objects.filter(purchase_id=purchase_id, state=Refund.State.WAITING)
    if waiting.update(state=Refund.State.DONE, settled_at=Now(), detail="the platform had logged no sale"):
        Purchase.objects.filter(pk=purchase_id).update(state=State.REFUNDED)
