"""A dead or hung broker costs a request little and the work nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from statistics import median

import pytest
from django.db import transaction

from outbox.actions import Draft, send
from outbox.models import Message
from outbox.wake import wake
from tests.conftest import broker_at

LONGEST = 5  # a second and a half on an idle machine


@pytest.fixture
def hung_broker() -> Iterator[None]:
    """A broker that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield from broker_at(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")


def seconds_for(count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.monotonic()
        assert not wake("outbox.deliver", message_id=1)
        times.append(time.monotonic() - began)
    return times


def test_a_broker_that_refuses_is_given_up_at_once(no_broker: None) -> None:
    assert max(seconds_for(3)) < LONGEST


def test_a_broker_that_hangs_is_given_up_soon_and_then_left_alone(hung_broker: None) -> None:
    first, *others = seconds_for(20)

    assert 0.5 < first < LONGEST
    assert median(others) < 0.1


@pytest.mark.django_db(transaction=True)
def test_what_was_committed_stays_committed(hung_broker: None) -> None:
    with transaction.atomic():
        send(Draft(topic="test.safe", key="a", lane="l"))

    assert Message.objects.get().state == "WAITING"


def test_a_broker_that_listens_is_told() -> None:
    assert wake("outbox.sweep")
