"""Old months go whole, but none in which anything is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from accounts.models import Listener
from outbox.models import Message
from usage.models import Play, PlayBatch, PlayState
from usage.partitions import ensure_partitions
from usage.retention import forget_old_plays

pytestmark = pytest.mark.django_db
NOW = datetime(2031, 5, 20, tzinfo=UTC)
OLD = datetime(2030, 3, 31, 23, 50, tzinfo=UTC)


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


@pytest.mark.parametrize("state", ["WAITING", "SENDING", "IN_DOUBT", "HELD"])
def test_a_month_in_which_anything_is_open_stays(heard: Callable[..., Play], state: str) -> None:
    settled, open_ = heard(OLD), heard(OLD, state)

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
