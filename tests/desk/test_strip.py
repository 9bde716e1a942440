"""A picture of spans of time: what stands where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from desk.strip import Span, strip

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def span(first: float, last: float, kind: str = "success") -> Span:
    return Span(starts_at=NOON + first * DAY, ends_at=NOON + last * DAY, kind=kind, text="")


def test_nothing_is_no_picture() -> None:
    assert strip([("a", [])], now=NOON) is None
    assert strip([("a", [span(-500, -450)])], now=NOON) is None


def test_spans_and_now_stand_on_one_scale() -> None:
    drawn = strip([("a", [span(-10, 0)]), ("b", [span(0, 10, "danger")]), ("empty", [])], now=NOON)

    assert drawn is not None
    [(_, [first]), (_, [second])] = drawn["lanes"]
    assert drawn["now"] == second["left"] == 50
    assert round(first["left"] + first["width"], 1) == 50
    assert first["left"] == round(100 - second["left"] - second["width"], 2) > 0
    assert first["colour"] != second["colour"]


def test_what_began_long_ago_is_cut_and_what_is_over_long_ago_left_out() -> None:
    drawn = strip([("a", [span(-2000, 10), span(-3000, -2000)])], now=NOON)

    assert drawn is not None
    [(_, [bar])] = drawn["lanes"]
    assert bar["left"] == 0
    assert bar["width"] > 95


def test_months_are_named_and_where_there_are_many_quarters() -> None:
    near, far = strip([("a", [span(-40, 5)])], now=NOON), strip([("a", [span(-300, 300)])], now=NOON)

    assert near is not None
    assert far is not None
    assert [month.month for _, month in near["months"]] == [2, 3]
    assert {month.month for _, month in far["months"]} <= {1, 4, 7, 10}
