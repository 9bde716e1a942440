"""What batching costs grows with the plays that wait, whatever PostgreSQL believes about its tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from usage.actions import batch_waiting_plays
from usage.models import Play, PlayBatch

pytestmark = pytest.mark.django_db
BELIEVED = "UPDATE pg_class SET reltuples = %s, relpages = %s WHERE relkind = 'r' AND relname LIKE %s"


def believe(tables: str, *, rows: int, pages: int) -> None:
    """As after a vacuum of tables that were emptied, with or without their files cut."""
    with connection.cursor() as cursor:
        cursor.execute(BELIEVED, [rows, pages, tables])


def rows_touched(plan: dict[str, Any]) -> float:
    """By all steps of a plan that was run, with those that a step looked at and left."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Join Filter", 0)
    return float(own * plan["Actual Loops"]) + sum(rows_touched(each) for each in plan.get("Plans", []))


class Explained:
    """Runs the statement that gives plays their batch under EXPLAIN, and keeps its plan."""

    plan: dict[str, Any]

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "UPDATE usage_play p SET batch_id =" not in sql:
            return execute(sql, params, many, context)
        done = execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params, many, context)
        (plan,) = context["cursor"].fetchone()
        self.plan = plan[0]["Plan"]
        return done


@pytest.mark.parametrize(("plays", "batches"), [((0, 1), (20, 1)), ((0, 5000), (0, 0)), ((0, 5000), (20, 1))])
def test_plays_get_their_batch_without_looking_at_every_pair(
    played: Callable[..., list[Play]],
    listener: Listener,
    settings: Settings,
    plays: tuple[int, int],
    batches: tuple[int, int],
) -> None:
    settings.USAGE_BATCH_SIZE = 10
    there = PlayBatch.objects.bulk_create(PlayBatch(listener=listener, country="GB", size=10) for _ in range(300))
    played(2000, listener=listener, batch=there[0])
    played(200, listener=listener)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE usage_play, usage_playbatch")
    believe("usage\\_play\\_%", rows=plays[0], pages=plays[1])
    believe("usage\\_playbatch", rows=batches[0], pages=batches[1])

    explained = Explained()
    with connection.execute_wrapper(explained):
        assert batch_waiting_plays(now=timezone.now()) == 200

    assert rows_touched(explained.plan) < 10 * 2200  # each pair of a play and a batch would be hundreds of thousands
    assert not Play.objects.filter(batch=None).exists()
