"""Limits are exact where they are small, cheap where they are large, and never far off."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.limits import LONGEST_STRIDE, Limit, Tally


def passed(tally: Tally, limit: Limit, times: int, key: str) -> int:
    return sum(tally.add(key, limit) <= limit.requests for _ in range(times))


@pytest.mark.parametrize("requests", [1, 3, 15, 16, 31, 100, 600])
def test_one_process_lets_exactly_the_limit_through(requests: int) -> None:
    assert passed(Tally(), Limit(requests=requests, seconds=60), requests + 50, f"one:{requests}") == requests


@pytest.mark.parametrize(("requests", "processes"), [(15, 2), (100, 2), (100, 4), (600, 3)])
def test_several_processes_let_through_a_stride_more_each_at_most(requests: int, processes: int) -> None:
    limit, tallies = Limit(requests=requests, seconds=60), [Tally() for _ in range(processes)]

    let = sum(passed(tallies[n % processes], limit, 1, f"several:{requests}:{processes}") for n in range(2 * requests))

    assert requests <= let <= requests + processes * (LONGEST_STRIDE - 1)


@given(st.lists(st.integers(0, 2), max_size=200))
def test_the_sum_never_runs_ahead_of_the_truth(order: list[int]) -> None:
    tallies, limit, key = [Tally() for _ in range(3)], Limit(requests=160, seconds=60), f"truth:{uuid4()}"

    for number, which in enumerate(order, 1):
        assert tallies[which].add(key, limit) <= number
