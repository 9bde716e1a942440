"""What a purchase's page shows below its facts: refund, messages, what billing said, and what is in the locker."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from billing.models import BillingEvent
from desk.cells import Table, label, link, moment, state
from desk.rows import may_view
from desk.story import listed
from downloads.desk.lines import countdown, said
from downloads.models import LockerTrack, Purchase, Refund
from downloads.receipts import has_receipt
from downloads.selling import LOOKS
from outbox.models import Message

TOPICS: Final = ("purchase.deliver", "purchase.look", "purchase.refund")

Reader = AbstractBaseUser | AnonymousUser


def story_of(purchase: Purchase, *, reader: Reader, now: datetime) -> dict[str, Any]:
    """What the template draws."""
    return {
        "now": now,
        "closes": countdown(purchase.sold_at, now=now),
        "refund": refund_table(purchase),
        "messages_sent": messages_table(purchase, reader=reader),
        "events": events_table(purchase, reader=reader),
        "locker": locker_table(purchase),
        "has_receipt": has_receipt(purchase),
        "may_see_locker": may_view(reader, "downloads.LockerTrack"),
    }


def refund_table(purchase: Purchase) -> Table:
    """The one refund that a purchase may have."""
    refund: Refund | None = getattr(purchase, "refund", None)
    rows = [refund] if refund else []
    return Table(
        headers=["state", "why", "wanted", "by", "settled", "what was said"],
        rows=[
            [
                link(each, state(each.state)), each.reason, moment(each.asked_at), each.asked_by or "–",
                moment(each.settled_at), said(each.platform_code, each.detail),
            ]
            for each in rows
        ],
    )  # fmt: skip


def messages_table(purchase: Purchase, *, reader: Reader) -> Table:
    """What the outbox has to tell and to ask about the purchase, of every round."""
    refund: Refund | None = getattr(purchase, "refund", None)
    rounds = [f"{purchase.pk}/{number + 1}" for number in range(max(purchase.round, refund.round if refund else 0))]
    looks = [f"{each}/{number}" for each in rounds for number in range(len(LOOKS))]
    about = Message.objects.filter(topic__in=TOPICS, key__in=[*rounds, *looks]).order_by("pk")
    opens = may_view(reader, "outbox.Message")
    return Table(
        headers=["message", "due", "state", "tries", "ended", "last error"],
        rows=[
            [
                listed("outbox.Message", each.topic, q=each.key) if opens else each.topic, moment(each.due_at),
                state(each.state), each.attempts, moment(each.finished_at), each.last_error[:200] or "–",
            ]
            for each in about
        ],
    )  # fmt: skip


def events_table(purchase: Purchase, *, reader: Reader) -> Table:
    """What billing systems said of the transaction, and of the payment that a basket was paid with."""
    transaction = purchase.transaction_id
    named = Q(type__startswith="purchase.") | Q(type__endswith=".sale")
    events = BillingEvent.objects.filter(named, subject__in=[transaction, transaction.partition("/")[0]])
    opens = may_view(reader, "billing.BillingEvent")
    return Table(
        headers=["event", "from", "happened", "came", "state", "last error"],
        rows=[
            [
                link(each, each.type) if opens else each.type, each.provider, moment(each.occurred_at),
                moment(each.received_at), state(each.state), each.last_error[:200] or "–",
            ]
            for each in events.defer("body", "data").order_by("occurred_at", "pk")
        ],
    )  # fmt: skip


def locker_table(purchase: Purchase) -> Table:
    """What came with it, and whether the platform's locker had it when it was last read."""
    tracks = LockerTrack.objects.filter(purchase=purchase).order_by("disc_number", "track_number", "track_id")
    return Table(
        headers=["track", "title", "the platform’s locker", "read", "downloads left"],
        rows=[
            [
                each.track_id, each.title, held(each), moment(each.read_at),
                "–" if each.remaining_downloads is None else each.remaining_downloads,
            ]
            for each in tracks
        ],
    )  # fmt: skip


def held(track: LockerTrack) -> str:
    if track.read_at is None:
        return "not read yet"
    return label("has it", "success") if track.there else label("does not have it", "danger")
