"""When a track is lost to a market, and how that is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.rules import Use, Window, judge
from playlists.losses import SOON, Kind, closing, in_words, losses, merged

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LAST_WEEK = NOON - 7 * DAY

days = st.integers(-20, 20)
windows = st.lists(
    st.tuples(days, days).map(
        lambda pair: Window(
            here=True,
            starts_at=NOON + min(pair) * DAY,
            ends_at=None if max(pair) == 20 else NOON + (max(pair) + 1) * DAY,
        )
    ),
    max_size=4,
)


def window(starts: int, ends: int | None = None) -> Window:
    return Window(here=True, starts_at=NOON + starts * DAY, ends_at=None if ends is None else NOON + ends * DAY)


def said(**markets: list[Window]) -> str:
    return in_words(losses(markets, markets, changed_at=LAST_WEEK, at=NOON))


@given(windows)
def test_a_track_closes_at_the_first_hour_at_which_it_may_not_be_played(offered: list[Window]) -> None:
    hours = (NOON + hour * timedelta(hours=1) for hour in range(14 * 24 + 1))
    closed = (hour for hour in hours if not judge(windows=offered, use=Use.STREAM, country="GB", at=hour).playable)

    assert closing(offered, at=NOON) == next(closed, None)


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        ([window(-9)], ""),
        ([window(-9, 15)], ""),
        ([window(-9, 3), window(3)], ""),
        ([], "not in GB"),
        ([window(-9, -2)], "not in GB"),
        ([window(4)], "not in GB before 2026-11-21 12:00"),
        ([window(-9, 14)], "leaves GB on 2026-12-01 12:00"),
        ([window(-9, 3), window(5)], "leaves GB on 2026-11-20 12:00"),
    ],
)
def test_what_has_happened_is_said_in_words(offered: list[Window], words: str) -> None:
    assert said(GB=offered) == words


def test_markets_that_lost_it_alike_are_said_together() -> None:
    lost = said(GB=[window(-9)], FR=[], DE=[], US=[window(-9, 3)], JP=[window(-9, 3)])

    assert lost == "not in DE, FR; leaves JP, US on 2026-11-20 12:00"


def test_a_loss_is_as_old_as_what_made_it() -> None:
    offered = {"DE": [], "FR": [window(-9, -2)], "GB": [window(-9, 13)], "US": [window(-9, 2)]}

    since = {loss.markets: loss.since for loss in losses(offered, offered, changed_at=LAST_WEEK, at=NOON)}

    assert since == {("DE", "FR"): NOON - 2 * DAY, ("GB",): NOON + 13 * DAY - SOON, ("US",): LAST_WEEK}


def test_losses_of_several_lists_are_told_once() -> None:
    here = losses({}, ["DE", "FR"], changed_at=LAST_WEEK, at=NOON)
    there = losses({}, ["FR", "GB"], changed_at=LAST_WEEK, at=NOON)

    [both] = merged([*here, *there])

    assert (both.kind, both.markets) == (Kind.CLOSED, ("DE", "FR", "GB"))
