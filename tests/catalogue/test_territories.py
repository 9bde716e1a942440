"""Where a track is open, where not yet and where no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.rules import Reason, Use, Window, judge
from catalogue.territories import Group, Right, day, groups_of, is_counted, named, span
from kernel.values import COUNTRIES

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WORLD = sorted(COUNTRIES)


def right(territories: Any, start: datetime = NOON - DAY, end: datetime | None = None) -> Right:
    return Right(territories=territories, starts_at=start, ends_at=end)


def told(*rights: Right) -> list[tuple[str | None, str, str]]:
    return [
        (group.reason, named(group.territories), span(group)) for group in groups_of(rights, use=Use.STREAM, at=NOON)
    ]


def test_tells_each_window_once() -> None:
    assert told(
        right(WORLD[2:]),
        right(WORLD[:1], NOON + DAY),
        right(WORLD[1:2], NOON - 9 * DAY, NOON - 2 * DAY),
    ) == [
        (None, "everywhere but AD, AE", "since 2026-01-30 12:00"),
        ("NOT_YET", "AD", "from 2026-02-01 12:00"),
        ("ENDED", "AE", "on 2026-01-29 12:00"),
    ]


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ([], []),
        ([right([])], []),
        ([right(["GB"], NOON)], [(None, "GB", "since 2026-01-31 12:00")]),
        ([right(["GB"], NOON - DAY, NOON)], [("ENDED", "GB", "on 2026-01-31 12:00")]),
        ([right(["GB"], NOON - 9 * DAY, NOON - 8 * DAY), right(["GB"], NOON - 5 * DAY, NOON - 4 * DAY),
          right(["GB"], NOON - 7 * DAY, NOON - 6 * DAY)], [("ENDED", "GB", "on 2026-01-27 12:00")]),
        # Two that overlap are one.
        ([right(["GB"], NOON - 3 * DAY, NOON + DAY), right(["GB"])], [(None, "GB", "since 2026-01-28 12:00")]),
        # What is over matters where nothing else is, and what is to come where nothing is open.
        ([right(["GB"], NOON - 3 * DAY, NOON - DAY), right(["GB"], NOON + DAY), right(["GB"], NOON + 2 * DAY)],
         [("NOT_YET", "GB", "from 2026-02-01 12:00")]),
        ([right(["GB"], NOON - 3 * DAY, NOON + DAY), right(["GB"], NOON + 2 * DAY)],
         [(None, "GB", "since 2026-01-28 12:00 until 2026-02-01 12:00")]),
        ([right(["IE", "GB"]), right(["IE"], NOON - 9 * DAY, NOON - 8 * DAY)],
         [(None, "GB, IE", "since 2026-01-30 12:00")]),
        ([right(["IE"], NOON - DAY, NOON + DAY), right(["GB", "FR"])],
         [(None, "FR, GB", "since 2026-01-30 12:00"),
          (None, "IE", "since 2026-01-30 12:00 until 2026-02-01 12:00")]),
    ],
)  # fmt: skip
def test_tells_what_decides(rights: list[Right], expected: list[Any]) -> None:
    assert told(*rights) == expected


DAYS = st.integers(-3, 3).map(lambda days: NOON + days * DAY)
RIGHTS = st.lists(
    st.builds(
        lambda places, start, length: right(places, start, None if length is None else start + length * DAY),
        st.sets(st.sampled_from(["GB", "IE", "US"])),
        DAYS,
        st.one_of(st.none(), st.integers(1, 4)),
    ),
    max_size=6,
)


@given(RIGHTS)
def test_agrees_with_the_rules_everywhere(rights: list[Right]) -> None:
    groups = groups_of(rights, use=Use.STREAM, at=NOON)

    found = {territory: group.reason for group in groups for territory in group.territories}
    assert len(found) == sum(len(group.territories) for group in groups)
    for country in ("GB", "IE", "US"):
        windows = [
            Window(here=country in each.territories, starts_at=each.starts_at, ends_at=each.ends_at) for each in rights
        ]
        reason = judge(windows=windows, use=Use.STREAM, country=country, at=NOON).reason
        assert found.get(country, "nowhere") == ("nowhere" if reason in {Reason.USE, Reason.TERRITORY} else reason)


@given(RIGHTS)
def test_shows_a_window_that_bears_the_reason_out(rights: list[Right]) -> None:
    for group in groups_of(rights, use=Use.STREAM, at=NOON):
        assert judge(windows=[group.window], use=Use.STREAM, country="GB", at=NOON).reason == group.reason


@pytest.mark.parametrize(
    ("territories", "name"),
    [
        (WORLD, "everywhere"),
        (WORLD[8:], "everywhere but AD, AE, AF, AG, AI, AL, AM, AO"),
        (WORLD[9:], "240 territories"),
        (WORLD[:9], "9 territories"),
        (["IE", "GB"], "GB, IE"),
    ],
)
def test_names_few_and_counts_many(territories: list[str], name: str) -> None:
    assert named(territories) == name
    assert is_counted(territories) == name[0].isdigit()


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31"),
        (datetime.fromisoformat("2026-01-31T01:30:59+01:00"), "2026-01-31 00:30"),
    ],
)
def test_writes_an_instant_shortly(instant: datetime, text: str) -> None:
    assert day(instant) == text


def test_a_window_that_never_ends_outlasts_every_other() -> None:
    (group,) = groups_of([right(["GB"], end=NOON + DAY), right(["GB"])], use=Use.DOWNLOAD, at=NOON)

    assert group == Group(
        reason=None, window=Window(here=True, starts_at=NOON - DAY, ends_at=None), territories=("GB",)
    )
