"""Storing billing events and acting on them, in this order and never together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from billing.models import BillingEvent
from billing.registry import Happened, reader_of
from outbox.wake import wake

ATTEMPTS_TO_DIE: Final = 12
LONGEST_WAIT: Final = timedelta(hours=1)
REPLAYABLE: Final = {BillingEvent.State.DEAD, BillingEvent.State.HANDLED}

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One proven event: its envelope as read, its bytes as they came."""

    provider: str
    event_id: str
    body: bytes
    type: str = ""
    subject: str = ""
    occurred_at: datetime | None = None
    data: Mapping[str, Any]
    state: str = BillingEvent.State.WAITING
    error: str = ""


def store_letter(letter: Letter) -> BillingEvent:
    """Keep the letter for ever; of several copies the first stands. Wakes a worker once it is committed."""
    BillingEvent.objects.bulk_create(
        [
            BillingEvent(
                provider=letter.provider,
                event_id=letter.event_id,
                type=letter.type[:128],
                subject=letter.subject,
                occurred_at=letter.occurred_at,
                body=letter.body,
                data=dict(letter.data),
                state=letter.state,
                last_error=letter.error,
            )
        ],
        ignore_conflicts=True,
    )
    event = BillingEvent.objects.defer("body").get(provider=letter.provider, event_id=letter.event_id)
    if event.state == BillingEvent.State.WAITING:
        transaction.on_commit(lambda: wake("billing.process", event_id=event.pk), robust=True)
    return event


@transaction.atomic
def take_letter(letter: Letter) -> BillingEvent:
    """Keep a letter of our own and act on it here and now: no worker hears of it before that is done."""
    event = store_letter(letter)
    process_event(event_id=event.pk)
    event.refresh_from_db(fields=["state", "last_error"])
    return event


def process_event(*, event_id: int) -> str | None:
    """Let the event's handler act, in one transaction; the state afterwards, None when it was not due.

    Twice is once: the second claim finds nothing due, and handlers derive state instead of patching it.
    """
    with transaction.atomic():
        event = BillingEvent.objects.due().select_for_update(skip_locked=True).filter(pk=event_id).first()
        if event is None:
            return None
        try:
            with transaction.atomic():
                act_on(event)
        except Exception as error:  # noqa: BLE001  whatever it is, the event must not be lost
            put_off(event, error)
        else:
            event.state = BillingEvent.State.HANDLED
            event.last_error = ""
        event.save(update_fields=["state", "last_error", "attempts", "due_at"])
        return event.state


def act_on(event: BillingEvent) -> None:
    """Hand the event to whoever handles its type."""
    reader = reader_of(event.type)
    if reader is None or event.occurred_at is None:
        raise LookupError(f"nobody handles {event.type}")
    reader.handle(
        Happened(
            provider=event.provider,
            event_id=event.event_id,
            subject=event.subject,
            occurred_at=event.occurred_at,
            data=event.data,
        )
    )


def put_off(event: BillingEvent, error: Exception) -> None:
    """Try again later, doubling from 5 s to an hour; after about six hours leave it to a person."""
    log.warning("billing event %s not handled yet: %s: %s", event.pk, type(error).__name__, error)
    event.attempts += 1
    event.last_error = f"{type(error).__name__}: {error}"[:2000]
    wait = min(LONGEST_WAIT, timedelta(seconds=5 * 2 ** (event.attempts - 1)))
    event.due_at = Now() + wait
    if event.attempts >= ATTEMPTS_TO_DIE:
        event.state = BillingEvent.State.DEAD


def replay(events: list[BillingEvent]) -> int:
    """A person's decision: handle these events again. How many there were."""
    pks = [event.pk for event in events if event.state in REPLAYABLE]
    changed = BillingEvent.objects.filter(pk__in=pks).update(
        state=BillingEvent.State.WAITING, attempts=0, due_at=Now(), last_error=""
    )
    for pk in pks:
        transaction.on_commit(lambda pk=pk: wake("billing.process", event_id=pk), robust=True)  # type: ignore[misc]
    return changed


def sweep_billing(*, limit: int = 500) -> int:
    """Process every due event that nobody was woken for; how many there were."""
    due = list(
        BillingEvent.objects.due().order_by(F("occurred_at").asc(nulls_last=True)).values_list("pk", flat=True)[:limit]
    )
    for pk in due:
        process_event(event_id=pk)
    return len(due)
