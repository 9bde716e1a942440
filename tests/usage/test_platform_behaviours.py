"""Whatever the platform does to a report, each play ends as one thing: sent, waiting, in doubt or refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Listener
from outbox.delivery import deliver_message
from outbox.models import Circuit, Message
from tests.massivemusic.behaviours import THE_36, Behaviour, no, ok
from tests.massivemusic.stage import Stage
from tests.massivemusic.test_behaviours import staged
from usage.actions import batch_waiting_plays
from usage.models import Play, PlayBatch

pytestmark = pytest.mark.django_db
STATE = {None: "SENT", "harmless": "WAITING", "in doubt": "IN_DOUBT"}


@pytest.fixture
def batched(subscriber: Listener) -> Callable[[int], PlayBatch]:
    """Plays in a batch that is about to go out."""

    def cut(count: int) -> PlayBatch:
        now = timezone.now()
        for number in range(count):
            Play.objects.create(
                listener=subscriber, play_id=uuid4(), track_id=number + 1, release_id=7, format_id=26, country="GB",
                played_at=now - timedelta(minutes=9 - number), seconds_played=60, mode="online", user_agent="Pixel 9",
            )  # fmt: skip
        Message.objects.all().delete()  # of the listener, whom this platform never meets
        assert batch_waiting_plays(now=now) == count
        return PlayBatch.objects.get()

    return cut


def deliver() -> str:
    """Carry the one message that is there; how it ended."""
    message = deliver_message(message_id=Message.objects.get().pk)
    assert message is not None
    return message.state


def states() -> Counter[str]:
    return Counter(Play.objects.values_list("state", flat=True))


@pytest.fixture
def trap() -> Iterator[Stage]:
    with Stage(ok()) as elsewhere:
        yield elsewhere
        assert not elsewhere.heard


@pytest.mark.parametrize("behaviour", THE_36, ids=lambda behaviour: behaviour.name)
def test_every_behaviour_leaves_a_play_in_one_state(
    at: Callable[..., None], batched: Callable[[int], PlayBatch], behaviour: Behaviour, trap: Stage
) -> None:
    batch = batched(2)
    with staged(behaviour, trap) as origin:
        at(origin, seconds=behaviour.patience)
        ended = deliver()

    batch.refresh_from_db()
    if behaviour.fate == "pointless":  # a verdict on the batch, which is taken apart to find whom it means
        assert (ended, batch.state, states()) == ("DONE", "SPLIT", {"WAITING": 2})
        assert PlayBatch.objects.filter(state="WAITING", size=1).count() == 2
    else:
        assert (batch.state, states()) == (STATE[behaviour.fate], {STATE[behaviour.fate]: 2})
        assert ended == {"SENT": "DONE"}.get(batch.state, batch.state)
    ill = behaviour.kind is not None and (behaviour.code is None or behaviour.code >= 7000)
    assert Circuit.objects.filter(failures=1).exists() == ill


@pytest.mark.parametrize("times", range(5))
@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_a_count_that_is_not_ours_is_a_doubt(
    at: Callable[..., None], batched: Callable[[int], PlayBatch], count: int, times: int
) -> None:
    batched(2)
    body = {"status": "ok", "version": "1.2", "playLogs": {"count": count}}
    with Stage(ok(json.dumps(body, indent=times))) as stage:
        at(stage.origin)
        assert deliver() == "IN_DOUBT"

    assert states() == {"IN_DOUBT": 2}
    assert len(stage.heard) == 1


@pytest.mark.parametrize("code", [1001, 1002, 1003, 2001, 3201, 7001, 7002, 9001])
@pytest.mark.parametrize("status", ["200 OK", "400 No", "500 No"])
def test_an_error_in_whatever_clothes_marks_nothing_as_sent(
    at: Callable[..., None], batched: Callable[[int], PlayBatch], code: int, status: str
) -> None:
    batched(2)
    body: dict[str, Any] = {"status": "error", "version": "1.2", "error": {"code": code, "message": "no"}}

    with Stage(no(status, json.dumps(body))) as stage:
        at(stage.origin)
        deliver()

    assert states()["SENT"] == 0
    assert states()["IN_DOUBT"] == 0
