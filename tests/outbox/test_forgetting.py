"""Messages that ended well are forgotten in slices, found by an index, and those that others need are not."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from kernel.slices import in_slices
from outbox import actions
from outbox.actions import forget_done
from outbox.models import Message
from tests.helpers import no_more_deletes
from tests.plans import rows_looked_at

pytestmark = pytest.mark.django_db
NOW = datetime(2031, 5, 20, tzinfo=UTC)
MANY = 5000
FILL = """
    INSERT INTO outbox_message (topic, key, lane, body, state, attempts, faults, generation, finished_at, last_error)
    SELECT %(topic)s, %(topic)s || n, 'lane', '{}', %(state)s, 1, 0, 1, %(at)s, '' FROM generate_series(1, %(many)s) n
"""


def fill(many: int, *, topic: str = "test.read", state: str = "DONE", at: datetime = NOW) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"many": many, "topic": topic, "state": state, "at": at})
        cursor.execute("ANALYZE outbox_message")


def test_nothing_reads_what_stays() -> None:
    fill(MANY, at=NOW)
    fill(MANY // 10, topic="test.kept", at=NOW - timedelta(days=9))  # so few that no plan would read all the rest
    fill(7, topic="test.old", at=NOW - timedelta(days=9))

    with CaptureQueriesContext(connection) as asked:
        assert forget_done(topics=["test.read", "test.old"], before=NOW - timedelta(days=1)) == 7

    for table, rows, statement in rows_looked_at(query["sql"] for query in asked):
        assert rows < 10, (table, rows, statement)


def test_what_is_forgotten_stays_forgotten_if_the_rest_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "FORGOTTEN_AT_ONCE", 3)
    fill(10, at=NOW - timedelta(days=9))

    with pytest.raises(OperationalError), no_more_deletes(after=2):
        forget_done(topics=["test.read"], before=NOW)
    assert Message.objects.count() == 4

    assert forget_done(topics=["test.read"], before=NOW) == 4
    assert not Message.objects.exists()


def test_what_the_time_does_not_suffice_for_waits_for_the_next() -> None:
    def work() -> int:
        time.sleep(0.02)
        return 3

    assert 0 < in_slices(work, size=3, seconds=0.1) < 30


@pytest.mark.parametrize("state", ["WAITING", "DEAD", "IN_DOUBT", "DISCARDED"])
def test_only_what_ended_well_is_forgotten(state: str) -> None:
    fill(1, state=state, at=NOW - timedelta(days=9))

    assert forget_done(topics=["test.read"], before=NOW) == 0


def test_any_number_of_topics_may_be_named() -> None:
    for topic in ("a", "b", "c"):
        fill(2, topic=topic, at=NOW - timedelta(days=9))

    assert forget_done(topics=iter(["a", "b"]), before=NOW) == 4
    assert set(Message.objects.values_list("topic", flat=True)) == {"c"}
