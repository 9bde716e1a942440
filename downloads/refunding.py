"""Taking back: once a purchase, in time, and read back where an answer was lost (Download guide §5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import User
from downloads.locker import take_out_of_locker
from downloads.models import Purchase, Refund
from downloads.rules import RefundWindowClosed, SaleNotFound, refundable_until
from kernel.values import rfc3339
from outbox.actions import Draft, send

CLOSED = "the time for refunds at the platform is over: the sale stays in its month’s report"


@transaction.atomic
def take_back(*, purchase_id: UUID, reason: str, now: datetime, by: User | None = None) -> Refund:
    """Have a purchase taken back at the platform; its locker and the reports follow. Twice is once.

    What has not been sold yet never is; of what nobody knows, the refund waits until somebody does.
    Raises SaleNotFound for what was refused, RefundWindowClosed.
    """
    purchase = Purchase.objects.select_for_update().get(pk=purchase_id)
    if (refund := Refund.objects.filter(purchase=purchase).first()) is not None:
        return refund
    if purchase.state == Purchase.State.REFUSED:
        raise SaleNotFound("it was never sold, so there is nothing to take back")
    if purchase.sold_at is not None and now >= (closed_at := refundable_until(purchase.sold_at)):
        raise RefundWindowClosed(CLOSED, closed_at=rfc3339(closed_at))
    refund = Refund(purchase=purchase, reason=reason[:255], asked_at=now, asked_by=by)
    if purchase.state == Purchase.State.PENDING and purchase.called_at is None:
        refund.state, refund.settled_at, refund.detail = Refund.State.DONE, now, "it had not been sold yet"
        Purchase.objects.filter(pk=purchase_id).update(state=Purchase.State.REFUNDED)
    refund.save(force_insert=True)
    if purchase.state == Purchase.State.CONFIRMED:
        tell_refund(refund, purchase)
    return refund


def note_too_late(*, purchase_id: UUID, reason: str, now: datetime) -> None:
    """Money was given back after the time for refunds: kept for a person, since the sale stays reported."""
    write_down(purchase_id, reason, now, state=Refund.State.REFUSED, platform_code=2002, detail=CLOSED)


def note_unsold(*, purchase_id: UUID, reason: str, now: datetime) -> None:
    """Money was given back for what was never sold: nobody has to see to that any more."""
    write_down(purchase_id, reason, now, state=Refund.State.DONE, detail="it was never sold")


def write_down(purchase_id: UUID, reason: str, now: datetime, **ended: Any) -> None:
    """A refund of which the platform is told nothing; where there is one already, that stands."""
    facts = {"reason": reason[:255], "asked_at": now, "settled_at": now}
    Refund.objects.get_or_create(purchase_id=purchase_id, defaults=facts | ended)


@transaction.atomic
def take_back_again(refund: Refund, *, now: datetime) -> bool:
    """A person's decision about a refund that was refused: ask the platform once more; False when it was not.

    Raises RefundWindowClosed.
    """
    purchase = Purchase.objects.select_for_update().get(pk=refund.purchase_id)
    if purchase.sold_at is not None and now >= (closed_at := refundable_until(purchase.sold_at)):
        raise RefundWindowClosed(CLOSED, closed_at=rfc3339(closed_at))
    refused = Refund.objects.filter(purchase=purchase, state__in=[Refund.State.REFUSED, Refund.State.STANDS])
    if not refused.update(state=Refund.State.WAITING, round=F("round") + 1, settled_at=None, detail=""):
        return False
    tell_refund(Refund.objects.get(purchase=purchase), purchase)
    return True


def let_stand(refund: Refund, *, note: str) -> bool:
    """A person has seen to a refund that was refused, and the platform keeps the sale; False when it is not refused."""
    said = f"{refund.detail}; {note}" if refund.detail else note
    refused = Refund.objects.filter(pk=refund.pk, state=Refund.State.REFUSED)
    return bool(refused.update(state=Refund.State.STANDS, settled_at=Now(), detail=said))


def tell_refund(refund: Refund, purchase: Purchase) -> None:
    """Leave the platform the message, behind the sale's own, as long as it is in time."""
    send(
        Draft(
            topic="purchase.refund",
            key=f"{purchase.pk}/{refund.round}",
            lane=f"purchase {purchase.pk}",
            body={"purchase_id": str(purchase.pk), "round": refund.round},
            deadline=purchase.refundable_until,
        )
    )


def begin_refund(refund: Refund) -> None:
    """Write down that a call is about to go out: from now on the platform may have taken the sale back."""
    Refund.objects.filter(pk=refund.pk).update(called_at=Now())


def forget_refund(refund: Refund) -> None:
    """The call was answered, or never heard: it took nothing back."""
    Refund.objects.filter(pk=refund.pk).update(called_at=None)


@transaction.atomic
def settle_refund(purchase_id: UUID, *, detail: str = "") -> None:
    """The platform has taken the sale out of its log."""
    refunds = Refund.objects.filter(purchase_id=purchase_id)
    refunds.update(state=Refund.State.DONE, settled_at=Now(), platform_code=None, detail=detail)
    Purchase.objects.filter(pk=purchase_id).update(state=Purchase.State.REFUNDED)
    take_out_of_locker(purchase_id)


def refuse_refund(purchase_id: UUID | str, *, code: int | None, detail: str) -> None:
    """It cannot be taken back, or nobody could be asked in time: a person must know."""
    waiting = Refund.objects.filter(purchase_id=purchase_id, state=Refund.State.WAITING)
    waiting.update(state=Refund.State.REFUSED, settled_at=Now(), platform_code=code, detail=detail)


def too_late(body: Mapping[str, Any]) -> None:
    """The time for refunds went by before the platform could be told."""
    refuse_refund(body["purchase_id"], code=2002, detail=CLOSED)


def given_up(body: Mapping[str, Any]) -> None:
    """A person gave the message up."""
    refuse_refund(body["purchase_id"], code=None, detail="it was given up before the platform was told")
