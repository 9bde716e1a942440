"""What statements cost, by the plans that PostgreSQL carries out for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection


def rows_looked_at(statements: Iterable[str]) -> Iterator[tuple[str, float, str]]:
    """Every scan in the plans of these statements, which are carried out again: its table, how many rows it looked at,
    and whose scan it is."""
    for statement in statements:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
            plan = cursor.fetchone()[0][0]["Plan"]
        yield from ((table, rows, statement) for table, rows in scans_of(plan))


def scans_of(plan: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Every scan of a plan that was carried out: its table, and how many rows it looked at."""
    if "Relation Name" in plan:
        looked = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        yield plan["Relation Name"], looked * plan["Actual Loops"]
    for part in plan.get("Plans", []):
        yield from scans_of(part)
