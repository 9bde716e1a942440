"""A message is carried once where it must be, again where it may be, and never forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from config import celery_app
from massivemusic.errors import (
    AlreadyExists,
    AnswerLost,
    NotAuthorised,
    ParameterInvalid,
    PlatformError,
    Throttled,
    UnexpectedFailure,
    Unreachable,
)
from massivemusic.heard import heard
from outbox import circuit, registry
from outbox.actions import Draft, discard, retry, send
from outbox.claims import Overtaken, claim
from outbox.delivery import FAULTS_TO_DIE, deliver_lane, deliver_message, finish, wait_before
from outbox.models import Circuit, Heartbeat, Message
from outbox.registry import Delivery, Record
from outbox.sweep import sweep_outbox

pytestmark = pytest.mark.django_db
State = Message.State


class Carrier:
    """A handler under the test's control: what it was given, and what it does next."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.doubts: list[Any] = []
        self.later: list[Any] = []
        self.dropped: list[Any] = []
        self.behave: Callable[[Delivery], Record | None] = lambda delivery: None

    def __call__(self, delivery: Delivery) -> Record | None:
        self.calls.append(delivery.key)
        return self.behave(delivery)

    def raises(self, error: Exception, *, after_commit: bool = False) -> None:
        def behave(delivery: Delivery) -> None:
            if after_commit:
                delivery.commit(lambda: None)
            raise error

        self.behave = behave


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    """Handles `test.safe`, which may be repeated, `test.once`, which may not, and `test.dated`, which is dropped.

    Those are the platform's; `test.file` is for the bucket.
    """
    carrier = Carrier()
    registry.handles("test.safe")(carrier)
    registry.handles("test.once", doubt=carrier.doubts.append, later=carrier.later.append)(carrier)
    registry.handles("test.dated", late=carrier.dropped.append, given_up=carrier.dropped.append)(carrier)
    registry.handles("test.file", neighbour=circuit.BUCKET)(carrier)
    yield carrier
    for topic in ("test.safe", "test.once", "test.dated", "test.file"):
        del registry._carriers[topic]


def put(key: str = "k", *, topic: str = "test.safe", lane: str = "lane", **changes: Any) -> Message:
    send(Draft(topic=topic, key=key, lane=lane, body={"key": key}))
    Message.objects.filter(key=key).update(**changes)
    return Message.objects.get(topic=topic, key=key)


def state_of(message: Message) -> str:
    message.refresh_from_db()
    return message.state


def carry(message: Message) -> str | None:
    carried = deliver_message(message_id=message.pk)
    return carried.state if carried else None


# --- sending -----------------------------------------------------------------------------------------


def test_sending_twice_keeps_one_message() -> None:
    put("a")
    put("a")

    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_sending_again_does_not_wait_for_whoever_is_carrying_it(carrier: Carrier) -> None:
    """Else each could wait for the other: the sender with a row locked that the carrier is about to write."""

    def send_again() -> None:
        try:
            send(Draft(topic="test.once", key="k", lane="lane"))
        finally:
            connection.close()

    def meanwhile() -> None:
        with ThreadPoolExecutor(1) as somebody_else:
            somebody_else.submit(send_again).result()

    message = put(topic="test.once")
    carrier.behave = lambda delivery: delivery.commit(meanwhile)

    assert carry(message) == State.DONE
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_message_is_part_of_its_transaction() -> None:
    def fail_after_sending() -> None:
        with transaction.atomic():
            send(Draft(topic="test.safe", key="a", lane="l"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_sending()

    assert not Message.objects.exists()


def test_a_deadline_that_passed_is_a_persons_matter(carrier: Carrier) -> None:
    message = put(deadline=Now() - timedelta(seconds=1))

    sweep_outbox()

    assert state_of(message) == State.DEAD
    assert "deadline" in message.last_error
    assert carrier.calls == []


# --- carrying ----------------------------------------------------------------------------------------


def test_carries_and_records_in_one_transaction(carrier: Carrier) -> None:
    message = put()

    def record() -> None:
        Heartbeat.objects.create(name="recorded")

    carrier.behave = lambda delivery: record

    assert carry(message) == State.DONE

    assert Heartbeat.objects.filter(name="recorded").exists()
    assert state_of(message) == State.DONE
    assert message.finished_at is not None
    assert carry(message) is None


def test_a_record_that_fails_leaves_the_message_unfinished(carrier: Carrier) -> None:
    message = put()

    def record() -> None:
        Heartbeat.objects.create(name="recorded")
        raise ZeroDivisionError

    carrier.behave = lambda delivery: record

    with pytest.raises(ZeroDivisionError):
        carry(message)
    assert state_of(message) == State.SENDING
    assert not Heartbeat.objects.exists()


TRANSIENT: list[PlatformError] = [
    Unreachable("refused"),
    Throttled("too many", retry_after=30),
    UnexpectedFailure("9001"),
    NotAuthorised("bad key"),
    AnswerLost("cut off"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
def test_what_may_be_repeated_waits_and_is_repeated(carrier: Carrier, error: PlatformError) -> None:
    message = put()
    carrier.raises(error)

    assert carry(message) == State.WAITING
    assert carry(message) is None  # it rests

    message.refresh_from_db()
    wait = (message.due_at - message.created_at).total_seconds()
    assert wait >= (error.retry_after or 0.9)
    Message.objects.update(due_at=Now())
    Circuit.objects.all().delete()
    carrier.behave = lambda delivery: None
    assert carry(message) == State.DONE
    assert carrier.calls == ["k", "k"]


@pytest.mark.parametrize("error", [ParameterInvalid("1002"), AlreadyExists("2003")])
def test_what_would_be_refused_again_is_a_persons_matter(carrier: Carrier, error: PlatformError) -> None:
    message = put()
    carrier.raises(error)

    assert carry(message) == State.DEAD
    assert str(error) in Message.objects.get().last_error


def test_a_bug_of_ours_is_tried_some_more_and_then_a_persons_matter(
    carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    message = put()
    carrier.raises(ZeroDivisionError("division by zero"))

    states = []
    for _ in range(FAULTS_TO_DIE):
        states.append(carry(message))
        Message.objects.update(due_at=Now())

    assert states == [State.WAITING] * (FAULTS_TO_DIE - 1) + [State.DEAD]
    assert "ZeroDivisionError" in caplog.text


def test_nobody_handles_a_topic(carrier: Carrier) -> None:
    Message.objects.create(topic="test.unknown", key="a", lane="l")

    deliver_message(message_id=Message.objects.get().pk)

    message = Message.objects.get()
    assert (message.state, message.last_error) == (State.DEAD, "nobody handles test.unknown")


def test_a_late_message_is_dropped_by_its_owner_and_its_lane_goes_on(carrier: Carrier) -> None:
    late, next_ = put("1", topic="test.dated", deadline=Now() - timedelta(seconds=1)), put("2")
    sweep_outbox()

    assert state_of(late) == State.DISCARDED
    assert carrier.dropped == [{"key": "1"}]
    assert carry(next_) == State.DONE


def test_what_a_person_gives_up_is_told_to_its_owner(carrier: Carrier) -> None:
    message = put("1", topic="test.dated", state=State.DEAD)

    assert discard([message, message]) == 1
    assert state_of(message) == State.DISCARDED
    assert carrier.dropped == [{"key": "1"}]


def test_a_late_message_that_a_person_retries_is_late_no_more(carrier: Carrier) -> None:
    message = put(deadline=Now() - timedelta(seconds=1))
    sweep_outbox()
    assert state_of(message) == State.DEAD

    assert retry([message]) == 1
    sweep_outbox()
    assert state_of(message) != State.DEAD
    assert carry(message) in {State.DONE, None}
    assert state_of(message) == State.DONE


def test_one_message_that_cannot_be_settled_holds_up_no_other(carrier: Carrier) -> None:
    past = {"state": State.SENDING, "committed_at": Now(), "lease_until": Now() - timedelta(seconds=1)}
    orphan = Message.objects.create(topic="test.unknown", key="o", lane="o", **past)
    message = put("1", topic="test.once", **past)
    sweep_outbox()

    assert state_of(message) == State.IN_DOUBT
    assert state_of(orphan) == State.SENDING
    assert Heartbeat.objects.filter(name="outbox.sweep").exists()


# --- at most once ------------------------------------------------------------------------------------


def test_a_lost_answer_to_a_call_made_once_leaves_it_in_doubt(carrier: Carrier) -> None:
    message = put(topic="test.once")
    carrier.raises(AnswerLost("cut off"), after_commit=True)

    assert carry(message) == State.IN_DOUBT
    assert carrier.doubts == [{"key": "k"}]
    Message.objects.update(due_at=Now())
    assert carry(message) is None
    assert sweep_outbox() == 0
    assert carrier.calls == ["k"]


@pytest.mark.parametrize("error", [Unreachable("refused"), Throttled("slow down"), UnexpectedFailure("9001")])
def test_a_proof_that_nothing_happened_lets_it_be_sent_again(carrier: Carrier, error: PlatformError) -> None:
    message = put(topic="test.once")
    carrier.raises(error, after_commit=True)

    assert carry(message) == State.WAITING
    assert Message.objects.get().committed_at is None
    assert carrier.doubts == []


def test_what_is_written_before_the_call_is_written_by_its_holder_alone(carrier: Carrier) -> None:
    message = put(topic="test.once")

    def stalled(delivery: Delivery) -> None:
        Message.objects.update(lease_until=Now() - timedelta(seconds=1))
        carrier.behave = lambda delivery: None
        assert carry(message) == State.DONE  # somebody else, meanwhile
        delivery.commit(lambda: Heartbeat.objects.create(name="late") and None)

    carrier.behave = stalled
    carry(message)

    assert not Heartbeat.objects.exists()
    assert state_of(message) == State.DONE


def test_what_is_tried_again_is_told_to_its_owner(carrier: Carrier) -> None:
    message = put(topic="test.once")
    carrier.raises(Throttled("slow down"), after_commit=True)

    assert carry(message) == State.WAITING
    assert carrier.later == [{"key": "k"}]


def test_a_point_of_no_return_that_could_not_be_written_down_was_not_passed(carrier: Carrier) -> None:
    message = put(topic="test.once")

    def deadlocked() -> None:
        raise OperationalError("deadlock detected")

    carrier.behave = lambda delivery: delivery.commit(deadlocked)

    assert carry(message) == State.WAITING
    assert (carrier.doubts, carrier.later) == ([], [{"key": "k"}])
    assert Message.objects.get().committed_at is None


def test_a_bug_after_the_point_of_no_return_is_a_doubt(carrier: Carrier) -> None:
    message = put(topic="test.once")
    carrier.raises(ZeroDivisionError(), after_commit=True)

    assert carry(message) == State.IN_DOUBT


def test_a_worker_that_died_before_the_call_has_done_no_harm(carrier: Carrier) -> None:
    message = put(topic="test.once")
    assert claim(message.pk)
    Message.objects.update(lease_until=Now() - timedelta(seconds=1))

    assert carry(message) == State.DONE
    assert carrier.doubts == []


def test_a_worker_that_died_during_the_call_leaves_a_doubt(carrier: Carrier) -> None:
    message = put(topic="test.once")
    assert claim(message.pk)
    Message.objects.update(lease_until=Now() - timedelta(seconds=1), committed_at=Now())

    assert carry(message) is None
    sweep_outbox()

    assert state_of(message) == State.IN_DOUBT
    assert carrier.doubts == [{"key": "k"}]
    assert carrier.calls == []


def test_a_worker_that_died_with_a_repeatable_message_is_replaced(carrier: Carrier) -> None:
    message = put()
    assert claim(message.pk)
    assert carry(message) is None
    Message.objects.update(lease_until=Now() - timedelta(seconds=1))

    assert carry(message) == State.DONE


def test_a_worker_that_was_overtaken_records_nothing(carrier: Carrier) -> None:
    message = put()

    def slow(delivery: Delivery) -> Record:
        Message.objects.update(lease_until=Now() - timedelta(seconds=1))
        carrier.behave = lambda delivery: None
        assert carry(message) == State.DONE  # somebody else, meanwhile
        return record

    def record() -> None:
        Heartbeat.objects.create(name="late")

    carrier.behave = slow

    assert carry(message) == State.DONE
    assert not Heartbeat.objects.exists()
    assert Message.objects.get().generation == 2


@pytest.mark.django_db(transaction=True)
def test_sixteen_workers_claim_a_message_once() -> None:
    messages = [put(str(number), lane=str(number)) for number in range(20)]
    barrier = threading.Barrier(16)

    def work(_: int) -> list[int]:
        try:
            barrier.wait()
            return [message.pk for message in messages if claim(message.pk)]
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        won = [pk for wins in pool.map(work, range(16)) for pk in wins]

    assert sorted(won) == sorted(message.pk for message in messages)


# --- lanes -------------------------------------------------------------------------------------------


def test_a_lane_keeps_its_order(carrier: Carrier) -> None:
    first, second, third = put("1"), put("2"), put("3")

    assert carry(second) is None
    assert deliver_lane(message_id=first.pk) == [State.DONE] * 3
    assert carrier.calls == ["1", "2", "3"]
    assert state_of(third) == State.DONE


def test_a_dead_message_stops_its_lane_and_no_other(carrier: Carrier) -> None:
    first, second, other = put("1"), put("2"), put("3", lane="other")
    carrier.raises(ParameterInvalid("no"))
    carry(first)
    carrier.behave = lambda delivery: None

    assert carry(second) is None
    assert carry(other) == State.DONE


def test_a_dead_message_that_is_retried_goes_first_again(carrier: Carrier) -> None:
    first, second = put("1"), put("2")
    carrier.raises(ParameterInvalid("no"))
    carry(first)
    carrier.behave = lambda delivery: None

    assert retry([first, second]) == 1  # only the dead one is a person's to decide about

    assert carry(second) is None
    assert deliver_lane(message_id=first.pk) == [State.DONE, State.DONE]


def test_a_dead_message_that_is_given_up_lets_its_lane_go_on(carrier: Carrier) -> None:
    first, second = put("1"), put("2")
    carrier.raises(ParameterInvalid("no"))
    carry(first)
    carrier.behave = lambda delivery: None

    assert discard([first, second]) == 1

    assert state_of(first) == State.DISCARDED
    assert carry(second) == State.DONE


def test_a_doubt_does_not_stop_the_lane(carrier: Carrier) -> None:
    first, second = put("1", topic="test.once"), put("2")
    carrier.raises(AnswerLost("?"), after_commit=True)
    carry(first)
    carrier.behave = lambda delivery: None

    assert carry(second) == State.DONE


# --- the circuit -------------------------------------------------------------------------------------


def fail_times(carrier: Carrier, times: int) -> None:
    carrier.raises(Unreachable("refused"))
    for number in range(times):
        carry(put(f"f{number}", lane=f"f{number}"))


def test_opens_after_five_failures_and_lets_one_probe_out(carrier: Carrier) -> None:
    fail_times(carrier, circuit.FAILURES_TO_OPEN)
    waiting = [put(f"w{number}", lane=f"w{number}") for number in range(3)]
    carrier.calls.clear()

    assert [carry(message) for message in waiting] == [None] * 3
    assert carrier.calls == []

    Circuit.objects.update(open_until=Now() - timedelta(seconds=1))
    assert [carry(message) for message in waiting] == [State.WAITING, None, None]
    assert carrier.calls == ["w0"]


def test_closes_once_the_platform_answers(carrier: Carrier) -> None:
    fail_times(carrier, circuit.FAILURES_TO_OPEN)
    Circuit.objects.update(open_until=Now() - timedelta(seconds=1))
    carrier.behave = lambda delivery: heard()

    assert [carry(put(f"w{number}", lane=f"w{number}")) for number in range(3)] == [State.DONE] * 3
    assert Circuit.objects.get().failures == 0


def test_what_costs_no_call_neither_closes_it_nor_takes_the_probe(carrier: Carrier) -> None:
    fail_times(carrier, circuit.FAILURES_TO_OPEN)
    Circuit.objects.update(open_until=Now() - timedelta(seconds=1))
    carrier.behave = lambda delivery: None

    assert [carry(put(f"w{number}", lane=f"w{number}")) for number in range(2)] == [State.DONE] * 2
    assert Circuit.objects.get().failures == circuit.FAILURES_TO_OPEN

    carrier.raises(Unreachable("refused"))
    assert [carry(put(f"x{number}", lane=f"x{number}")) for number in range(2)] == [State.WAITING, None]


def test_what_costs_no_call_opens_nothing_and_forgives_nothing(carrier: Carrier) -> None:
    fail_times(carrier, circuit.FAILURES_TO_OPEN - 1)
    carrier.behave = lambda delivery: None
    carry(put("idle", lane="idle"))

    assert Circuit.objects.values_list("failures", "open_until").get() == (circuit.FAILURES_TO_OPEN - 1, None)


def test_a_refusal_is_an_answer(carrier: Carrier) -> None:
    fail_times(carrier, circuit.FAILURES_TO_OPEN - 1)
    carrier.raises(ParameterInvalid("no"))
    carry(put("refused", lane="refused"))

    assert Circuit.objects.get().failures == 0


# --- the sweep ---------------------------------------------------------------------------------------


def test_without_a_broker_the_sweep_carries_by_itself(carrier: Carrier, no_broker: None) -> None:
    message = put()

    assert sweep_outbox() == 1

    assert state_of(message) == State.DONE
    assert Heartbeat.objects.filter(name="outbox.sweep").exists()


@pytest.fixture
def nudged() -> Iterator[Callable[[], list[int]]]:
    """Tells, once, which messages a worker was asked to look at."""

    def ids() -> list[int]:
        found = []
        with suppress(queue.Empty):
            while task := queue.get_nowait():
                task.ack()
                found.append(task.payload[1]["message_id"])
        return found

    with celery_app.connection_for_read() as broker, broker.SimpleQueue(celery_app.conf.task_default_queue) as queue:
        queue.clear()
        yield ids


def put_away(count: int) -> None:
    """Messages that have long been due to a platform that is away."""
    Circuit.objects.create(name=circuit.PLATFORM, failures=9, open_until=timezone.now() + timedelta(hours=1))
    long_ago = timezone.now() - timedelta(minutes=9)
    Message.objects.bulk_create(
        Message(topic="test.safe", key=f"p{number}", lane=f"p{number}", due_at=long_ago) for number in range(count)
    )


def test_what_is_due_to_a_neighbour_who_is_away_hides_nothing_from_the_others(
    carrier: Carrier, nudged: Callable[[], list[int]]
) -> None:
    put_away(600)
    file = Message.objects.create(topic="test.file", key="file", lane="file")

    sweep_outbox()

    assert file.pk in nudged()


def test_neighbours_take_turns_where_the_sweep_carries_by_itself(carrier: Carrier, no_broker: None) -> None:
    for number in range(3):
        put(f"p{number}", lane=f"p{number}")
    put("file", topic="test.file", lane="file")

    assert sweep_outbox() == 4

    assert carrier.calls == ["p0", "file", "p1", "p2"]


def test_a_neighbour_who_was_away_is_asked_again_by_the_sweep(carrier: Carrier, no_broker: None) -> None:
    put_away(3)
    sweep_outbox()
    assert carrier.calls == []

    Circuit.objects.update(open_until=Now() - timedelta(hours=1))
    carrier.behave = lambda delivery: heard()
    sweep_outbox()

    assert carrier.calls == ["p0", "p1", "p2"]
    assert Circuit.objects.get().failures == 0


def test_the_sweep_finds_what_a_worker_left_that_died(carrier: Carrier, no_broker: None) -> None:
    message = put()
    assert claim(message.pk)
    Message.objects.update(lease_until=Now() - timedelta(seconds=1))

    assert sweep_outbox() == 1

    assert state_of(message) == State.DONE


def test_the_sweep_finds_what_nobody_handles(no_broker: None) -> None:
    message = put(topic="test.unknown")

    assert sweep_outbox() == 1

    assert state_of(message) == State.DEAD


@pytest.mark.parametrize("attempts", range(1, 40))
def test_waits_grow_to_five_minutes_and_no_further(attempts: int) -> None:
    assert 1 <= wait_before(attempts) <= 300
    assert wait_before(attempts, at_least=900) == 900


def test_finishing_twice_is_refused(carrier: Carrier) -> None:
    message = put()
    claimed = claim(message.pk)
    assert claimed
    finish(claimed, State.DONE)

    with pytest.raises(Overtaken):
        finish(claimed, State.DONE)
