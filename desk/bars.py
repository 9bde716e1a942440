"""How many there were, day by day, as bars (templates/admin/parts/bars.html)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TypedDict


class Bar(TypedDict):
    """One day; `height` is percent of the highest one."""

    day: date
    count: int
    height: int


def bars(counts: Iterable[tuple[date, int]]) -> list[Bar]:
    """A bar for every day from the first that has a count to the last; several counts of a day are added up."""
    totals: Counter[date] = Counter()
    for day, count in counts:
        totals[day] += count
    if not totals:
        return []
    first, best = min(totals), max(*totals.values(), 1)
    days = [first + timedelta(days=number) for number in range((max(totals) - first).days + 1)]
    return [{"day": day, "count": totals[day], "height": round(100 * totals[day] / best)} for day in days]
