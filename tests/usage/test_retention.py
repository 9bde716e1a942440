"""Old months go whole, but none in which anything is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Listener
from outbox.models import Message
from tests.helpers import no_more_deletes
from tests.plans import rows_looked_at
from usage import retention
from usage.models import Play, PlayBatch, PlayState
from usage.partitions import ensure_partitions
from usage.retention import forget_old_plays, is_open

pytestmark = pytest.mark.django_db
NOW = datetime(2031, 5, 20, tzinfo=UTC)
OLD = datetime(2030, 3, 31, 23, 50, tzinfo=UTC)
MANY = 5000
BATCHES = """
    INSERT INTO usage_playbatch (channel, object_name, listener_id, country, size, state, detail, created_at)
    SELECT 'HTTP', '', %(listener)s, 'GB', 1, %(state)s, '', %(at)s FROM generate_series(1, %(many)s)
"""
PLAYS = """
    INSERT INTO usage_play (listener_id, play_id, track_id, release_id, format_id, country, played_at, seconds_played,
                            mode, user_agent, source, source_id, state, batch_id)
    SELECT listener_id, gen_random_uuid(), 1, 1, 26, 'GB', %(at)s, 1, 'online', '', '', '', %(state)s, id
      FROM usage_playbatch WHERE created_at = %(at)s
"""


@pytest.fixture(autouse=True)
def months() -> Iterator[None]:
    """The partitions of those years; the rollback takes them away again."""
    for year in (2030, 2031):
        for month in (2, 5, 8, 11):
            ensure_partitions(now=datetime(year, month, 1, tzinfo=UTC))
    return


@pytest.fixture
def heard(listener: Listener) -> Callable[..., Play]:
    def put(played_at: datetime, state: str = PlayState.SENT, **facts: Any) -> Play:
        batch = PlayBatch.objects.create(
            listener=listener, country="GB", size=1, state=state, created_at=played_at + timedelta(minutes=1)
        )
        return Play.objects.create(
            listener=listener, play_id=uuid4(), track_id=1, release_id=1, format_id=26, country="GB",
            played_at=played_at, seconds_played=1, mode="online", user_agent="x", state=state, batch=batch, **facts,
        )  # fmt: skip

    return put


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relid::regclass::text FROM pg_partition_tree('usage_play') WHERE isleaf")
        return {name for (name,) in cursor.fetchall()}


def test_months_that_ended_long_enough_ago_go_with_their_batches(heard: Callable[..., Play]) -> None:
    heard(OLD)
    young = heard(OLD + timedelta(minutes=20))

    gone = forget_old_plays(now=NOW, months=13)

    assert gone[-1] == "usage_play_2030_03"
    assert "usage_play_2030_04" in partitions()
    assert list(Play.objects.all()) == [young]
    assert list(PlayBatch.objects.all()) == [young.batch]


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("state", ["WAITING", "SENDING", "IN_DOUBT", "HELD"])
def test_a_month_in_which_anything_is_open_stays(heard: Callable[..., Play], state: str, batched: bool) -> None:
    settled, open_ = heard(OLD), heard(OLD, state)
    if not batched and state != "SENDING":
        Play.objects.filter(pk=open_.pk).update(batch=None)

    assert "usage_play_2030_03" not in forget_old_plays(now=NOW, months=13)

    assert set(Play.objects.all()) == {settled, open_}
    assert PlayBatch.objects.count() == 2


def test_what_lies_outside_of_all_months_keeps_its_batch(heard: Callable[..., Play]) -> None:
    stray = heard(datetime(2001, 1, 1, tzinfo=UTC))

    forget_old_plays(now=NOW, months=13)

    assert list(Play.objects.all()) == [stray]
    assert PlayBatch.objects.count() == 1


def test_messages_of_batches_that_went_out_are_forgotten_after_a_month() -> None:
    for topic in ("plays.log", "listener.create"):
        for state in ("DONE", "DEAD", "IN_DOUBT"):
            for days in (29, 31):
                Message.objects.create(
                    topic=topic, key=f"{state}{days}", lane="a", state=state, finished_at=NOW - timedelta(days=days)
                )

    forget_old_plays(now=NOW, months=13)

    gone = {("plays.log", "DONE31")}
    left = set(Message.objects.values_list("topic", "key"))
    assert (
        left
        == {
            (topic, f"{state}{days}")
            for topic in ("plays.log", "listener.create")
            for state in ("DONE", "DEAD", "IN_DOUBT")
            for days in (29, 31)
        }
        - gone
    )


# --- what it costs ----------------------------------------------------------------------------


def fill(listener: Listener, many: int, *, at: datetime, state: str = "SENT", plays: bool = True) -> None:
    """So many batches of an instant, with a play each."""
    facts = {"listener": listener.pk, "state": state, "at": at, "many": many}
    with connection.cursor() as cursor:
        cursor.execute(BATCHES, facts)
        if plays:
            cursor.execute(PLAYS, facts)
        cursor.execute("ANALYZE usage_playbatch, usage_play")


def scans(*names: str) -> list[tuple[str, float, str]]:
    """Every scan of the statements about these tables that retention sends."""
    with CaptureQueriesContext(connection) as asked:
        forget_old_plays(now=NOW, months=13)
    statements = [query["sql"] for query in asked if any(name in query["sql"] for name in names)]
    assert statements
    return list(rows_looked_at(statements))


@pytest.mark.parametrize("state", ["WAITING", "SENDING", "IN_DOUBT", "HELD"])
def test_a_month_is_known_to_be_open_without_being_read(
    heard: Callable[..., Play], listener: Listener, state: str
) -> None:
    fill(listener, MANY, at=OLD)
    heard(OLD, state)
    fill(listener, 0, at=OLD)

    for table, rows, statement in scans("usage_play_2030_03"):
        assert rows < 10, (table, rows, statement)
    assert "usage_play_2030_03" in partitions()


def test_a_month_that_may_go_is_not_read_either_however_much_is_under_way(listener: Listener) -> None:
    fill(listener, MANY, at=OLD)
    fill(listener, MANY, at=NOW, state="WAITING")

    with CaptureQueriesContext(connection) as asked:
        assert not is_open("usage_play_2030_03")

    for table, rows, statement in rows_looked_at(query["sql"] for query in asked):
        assert rows < 10 or table == "usage_playbatch", (table, rows, statement)


def test_batches_that_stay_are_not_read(listener: Listener) -> None:
    forget_old_plays(now=NOW, months=13)  # the months themselves
    fill(listener, MANY, at=NOW)
    fill(listener, 7, at=OLD, plays=False)

    for table, rows, statement in scans("usage_playbatch"):
        assert rows < 10, (table, rows, statement)
    assert PlayBatch.objects.count() == MANY


def test_batches_go_without_being_loaded(listener: Listener) -> None:
    fill(listener, MANY, at=OLD)

    with CaptureQueriesContext(connection) as asked:
        forget_old_plays(now=NOW, months=13)

    assert not PlayBatch.objects.exists()
    assert max(len(query["sql"]) for query in asked) < 1000  # no list of ids, which would be as long as the month


def test_batches_that_are_forgotten_stay_forgotten_if_the_others_cannot_be(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCHES_AT_ONCE", 3)
    fill(listener, 10, at=OLD)

    with pytest.raises(OperationalError), no_more_deletes(after=2):
        forget_old_plays(now=NOW, months=13)
    assert PlayBatch.objects.count() == 4

    forget_old_plays(now=NOW, months=13)
    assert not PlayBatch.objects.exists()
