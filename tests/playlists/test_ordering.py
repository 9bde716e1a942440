"""Positions leave room, and say when there is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from playlists.ordering import GAP, places

positions = st.integers(-(2**60), 2**60)
counts = st.integers(1, 1000)


@given(one=positions, other=positions, count=counts)
def test_between_two_neighbours_they_rise_and_touch_neither(one: int, other: int, count: int) -> None:
    low, high = sorted((one, other))
    found = places(after=low, before=high, count=count)

    if high - low <= count:
        assert found is None
    else:
        assert found is not None
        assert len(found) == count
        assert [low, *found, high] == sorted({low, *found, high})


@given(end=st.none() | positions, count=counts)
def test_at_an_end_there_is_always_room(end: int | None, count: int) -> None:
    behind, ahead = places(after=end, before=None, count=count), places(after=None, before=end, count=count)

    assert behind is not None
    assert ahead is not None
    assert behind == sorted(set(behind))
    assert ahead == sorted(set(ahead))
    if end is not None:
        assert behind[0] >= end + GAP
        assert ahead[-1] <= end - GAP


def test_the_room_is_shared_evenly() -> None:
    assert places(after=0, before=100, count=3) == [25, 50, 75]
    assert places(after=0, before=4, count=3) == [1, 2, 3]
    assert places(after=0, before=3, count=3) is None
