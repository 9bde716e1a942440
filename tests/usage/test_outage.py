"""However long the platform was away, what was played meanwhile goes out afterwards, the oldest first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Listener
from outbox.delivery import deliver_message
from outbox.models import Circuit, Message
from tests.sandbox.platform import Platform
from tests.usage.test_report_plays import LOG, drain, make_known, states
from usage.actions import batch_all_waiting_plays
from usage.models import Play

pytestmark = pytest.mark.django_db
DAYS = 44  # played before the platform went, and during thirty days without it


@pytest.fixture
def unsent(subscriber: Listener, sandbox: Platform, played: Callable[..., list[Play]]) -> list[Play]:
    """A play a day."""
    make_known(subscriber, sandbox)
    release: dict[str, Any] = sandbox.release()
    facts = {"listener": subscriber, "track_id": release["tracks"][0]["id"], "release_id": release["id"]}
    now = timezone.now().replace(microsecond=0)
    return [played(1, played_at=now - timedelta(days=day), **facts)[0] for day in range(DAYS, 0, -1)]


def test_nothing_is_lost_and_the_oldest_go_first(unsent: list[Play], sandbox: Platform) -> None:
    sandbox.order("rate_limited", LOG, times=3)
    batch_all_waiting_plays()
    calls = Message.objects.filter(topic="plays.log").count()

    drain(rounds=3)
    assert states() == {"WAITING": DAYS}
    drain(rounds=calls + 3)

    assert states() == {"SENT": DAYS}
    told = [line["dateTimePlayed"] for line in sandbox.journal("plays")]
    assert told == sorted(told)
    assert len(told) == DAYS


def test_while_the_breaker_rests_no_call_goes_out(unsent: list[Play], sandbox: Platform) -> None:
    sandbox.order("error_500", LOG, times=1000)
    Circuit.objects.create(name="platform", failures=5, open_until=timezone.now() + timedelta(seconds=30))
    batch_all_waiting_plays()

    for message in Message.objects.filter(topic="plays.log"):
        assert deliver_message(message_id=message.pk) is None

    assert states() == {"WAITING": DAYS}
