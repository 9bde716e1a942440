"""From a clip that was played to the platform's count of it: once, or in doubt and shown."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from kernel.values import add_months
from massivemusic.previews import MOST
from outbox.actions import Draft, send_all
from previews.models import PreviewPlay
from usage.rules import SETTLED

State = PreviewPlay.State

AT_ONCE: Final = 20 * MOST

log = logging.getLogger(__name__)


@transaction.atomic
def batch_previews(*, now: datetime) -> int:
    """Cut what waits into reports of at most 500 and queue them; how many plays. One at a time is enough.

    The country of a report is only what the key is allowed for: the plays' own stand with them.
    """
    waiting = PreviewPlay.objects.select_for_update(skip_locked=True).filter(state=State.WAITING, batch=None)
    chosen = list(waiting.filter(played_at__lt=now - SETTLED).order_by("id").values_list("id", flat=True)[:AT_ONCE])
    pieces = [chosen[start : start + MOST] for start in range(0, len(chosen), MOST)]
    queue(pieces)
    return len(chosen)


def queue(pieces: Sequence[Sequence[int]]) -> None:
    """A report and a message for each piece, within the caller's transaction."""
    drafts = []
    for piece in pieces:
        batch = uuid4()
        PreviewPlay.objects.filter(pk__in=piece).update(state=State.WAITING, batch=batch)
        drafts.append(Draft(topic="previews.log", key=str(batch), lane=f"previews {batch}", body={"batch": str(batch)}))
    send_all(drafts)


def of_batch(batch: str) -> list[PreviewPlay]:
    """A report's plays in the order in which they are told, which is what the platform's indexes count by."""
    return list(PreviewPlay.objects.filter(batch=batch).order_by("id"))


def mark(batch: str, state: str, *, code: int | None = None) -> None:
    PreviewPlay.objects.filter(batch=batch).update(state=state, platform_code=code)


def doubt(body: Mapping[str, Any]) -> None:
    """Nobody knows whether the report was taken: it is never sent again by itself, since twice counts twice."""
    mark(body["batch"], State.IN_DOUBT)


def wait(body: Mapping[str, Any]) -> None:
    """Nothing was taken, and it will be tried again."""
    mark(body["batch"], State.WAITING)


def refuse_all(body: Mapping[str, Any]) -> None:
    """A person gave the report up."""
    mark(body["batch"], State.REJECTED)


def refuse_some(batch: str, named: Mapping[int, int | None]) -> None:
    """Of a report all are taken or none: those the platform named are refused, the others go out again."""
    plays = of_batch(batch)
    by_code: dict[int | None, list[int]] = defaultdict(list)
    for index, code in named.items():
        by_code[code].append(plays[index].pk)
    for code, bad in by_code.items():
        PreviewPlay.objects.filter(pk__in=bad).update(state=State.REJECTED, platform_code=code)
    again([play for index, play in enumerate(plays) if index not in named])


def halve(batch: str, *, code: int | None) -> None:
    """A verdict that names nobody: each half goes out by itself, until it is known whom it means."""
    plays = of_batch(batch)
    if len(plays) == 1:
        mark(batch, State.REJECTED, code=code)
        return
    middle = len(plays) // 2
    again(plays[:middle])
    again(plays[middle:])


def again(plays: Collection[PreviewPlay]) -> None:
    if plays:
        queue([[play.pk for play in plays]])


def decide(batches: Collection[UUID], *, taken: bool) -> int:
    """A person's word on reports in doubt: they were taken, or they go out again; how many plays."""
    doubtful = PreviewPlay.objects.filter(batch__in=batches, state=State.IN_DOUBT)
    if taken:
        return doubtful.update(state=State.SENT)
    return doubtful.update(state=State.WAITING, batch=None)


def forget_old_previews(*, now: datetime) -> int:
    """Forget plays that were settled as many months ago as the ledger of plays goes back; how many."""
    before = add_months(now, -settings.PLAY_MONTHS)
    old = PreviewPlay.objects.filter(received_at__lt=before, state__in=[State.SENT, State.REJECTED])
    return old.delete()[0]
