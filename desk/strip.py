"""A picture of spans of time in lanes, one below the other, on one scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

FURTHEST: Final = timedelta(days=400)  # into the past
MARGIN: Final = timedelta(days=3)
# What a span means → its colour, on light ground and on dark: the admin's own style sheet has no such classes.
COLOURS: Final = {
    "success": "#16a34a",
    "info": "#3b82f6",
    "warning": "#f97316",
    "danger": "#dc2626",
    "": "#9ca3af",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """From when to when, in UTC; `kind` as that of a label, `text` for whoever points at it."""

    starts_at: datetime
    ends_at: datetime
    kind: str
    text: str


Lane = tuple[str, Sequence[Span]]


def strip(lanes: Sequence[Lane], *, now: datetime) -> dict[str, Any] | None:
    """What the template draws: bars, months and now, placed in percent of the width; None without any span."""
    spans = [span for _, each in lanes for span in each if span.ends_at > now - FURTHEST]
    if not spans:
        return None
    begin = max(min(now, *(span.starts_at for span in spans)), now - FURTHEST) - MARGIN
    end = max(now, *(span.ends_at for span in spans)) + MARGIN

    def place(at: datetime) -> float:
        return round(100 * ((max(begin, min(at, end)) - begin) / (end - begin)), 2)

    def bar(span: Span) -> dict[str, Any]:
        left = place(span.starts_at)
        return {
            "left": left,
            "width": round(place(span.ends_at) - left, 2),
            "colour": COLOURS[span.kind],
            "text": span.text,
        }

    return {
        "lanes": [(title, [bar(span) for span in each if span.ends_at > begin]) for title, each in lanes if each],
        "months": [(place(month), month) for month in months(begin, end)],
        "now": place(now),
    }


def months(begin: datetime, end: datetime) -> Iterator[datetime]:
    """The first of every month between the two; of every third where there are many."""
    step = 3 if end - begin > FURTHEST else 1
    count = begin.year * 12 + begin.month
    while (month := datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)) < end:
        if (month.month - 1) % step == 0:
            yield month
        count += 1
