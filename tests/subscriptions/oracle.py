"""What the platform would say to a subscription's dates, by no date library: days stand in a table, times are seconds.

    python -m tests.subscriptions.oracle 200000 7

compares our rules with it in so many cases from that seed, prints how many differ and a hash of all that was
said, and fails if any differ.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from kernel.values import rfc3339
from subscriptions.rules import Broken, Terms, broken, on_the_wire, window_at

LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
DAY = 86400


def is_leap(year: int) -> bool:
    return (year % 4 == 0 and year % 100 != 0) or year % 400 == 0


DAYS: list[tuple[int, int, int]] = [
    (year, month, day)
    for year in range(2019, 2103)
    for month in range(1, 13)
    for day in range(1, LENGTHS[month - 1] + 1 + (month == 2 and is_leap(year)))
]
NUMBER = {day: number for number, day in enumerate(DAYS)}


class Case(NamedTuple):
    """The dates of one window and the platform's clock, in seconds since the table's first midnight."""

    trial: bool
    activated: int
    start: int
    trial_end: int | None
    expiry: int
    now: int


def month_later(second: int, months: int = 1) -> int:
    """The same time on the same day so many months later, stepping back from days that do not exist."""
    year, month, day = DAYS[second // DAY]
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    while (year, month, day) not in NUMBER:
        day -= 1
    return NUMBER[(year, month, day)] * DAY + second % DAY


def verdict(case: Case) -> set[str]:
    """The names of the rules that are broken, straight from the guide's sentences."""
    trial, activated, start, trial_end, expiry, now = case
    month_end = month_later(start)
    found = {
        "activated_in_future": activated > now,
        "start_over_a_day_from_now": abs(start - now) > DAY,
        "start_before_activation": start < activated,
        "trial_end_missing": trial and trial_end is None,
        "trial_end_not_allowed": not trial and trial_end is not None,
        "trial_end_not_after_start": trial and trial_end is not None and trial_end <= start,
        "trial_over_100_days": trial and trial_end is not None and trial_end - start > 100 * DAY,
        "expiry_not_after_start": expiry <= start,
    }
    long_trial = trial and trial_end is not None and trial_end > month_end
    found["expiry_not_trial_end"] = long_trial and expiry != trial_end
    found["expiry_over_a_month"] = not long_trial and expiry > month_end
    found["expiry_before_trial_end"] = not long_trial and trial and trial_end is not None and expiry < trial_end
    return {name for name, holds in found.items() if holds}


def cases(seed: int, count: int) -> Iterator[Case]:
    """Month ends, leap days and the last second before or after an edge as often as anything else."""
    chance = Random(seed)
    for _ in range(count):
        yield drawn(chance)


def drawn(chance: Random) -> Case:
    def near(*edges: int) -> int:
        return chance.choice(edges) + chance.choice([-1, 0, 0, 1])

    start = NUMBER[a_day(chance)] * DAY + chance.choice([0, DAY - 1, chance.randrange(DAY)])
    somewhere = start + chance.randrange(-DAY, 110 * DAY)
    edges = (start, start + DAY, month_later(start), month_later(start, 2), start + 100 * DAY, somewhere)
    trial = chance.random() < 0.6
    trial_end = near(*edges) if chance.random() < (0.9 if trial else 0.1) else None
    return Case(
        trial=trial,
        activated=near(start, start - 40 * DAY, start - DAY, start + DAY),
        start=start,
        trial_end=trial_end,
        expiry=chance.choice([near(*edges), near(trial_end or start), trial_end or month_later(start)]),
        now=near(start, start + DAY, start - DAY, start + 3600),
    )


def a_day(chance: Random) -> tuple[int, int, int]:
    """Any day, or the last four of a month, or one around the end of February."""
    year, month, day = DAYS[chance.randrange(366, len(DAYS) - 366)]
    last = LENGTHS[month - 1] + (month == 2 and is_leap(year))
    leap = chance.choice([2024, 2028, 2027, 2096, 2100])
    return chance.choice(
        [(year, month, day), (year, month, last - chance.randrange(4)), (leap, *chance.choice([(2, 28), (1, 30)]))]
    )


def moment(second: int) -> datetime:
    clock = second % DAY
    return datetime(*DAYS[second // DAY], clock // 3600, clock // 60 % 60, clock % 60, tzinfo=UTC)


def second_of(moment: datetime) -> int:
    return (
        NUMBER[(moment.year, moment.month, moment.day)] * DAY + (moment.hour * 60 + moment.minute) * 60 + moment.second
    )


def terms_of(case: Case) -> Terms:
    return Terms(
        trial=case.trial,
        activated_at=moment(case.activated),
        starts_at=moment(case.start),
        trial_ends_at=None if case.trial_end is None else moment(case.trial_end),
        expires_at=moment(case.expiry),
    )


def said(case: Case) -> tuple[list[Broken], str]:
    """What our rules find, and a line with all of it, and with the window as it would be sent."""
    terms, now = terms_of(case), moment(case.now)
    faults = broken(terms, now=now)
    sent = on_the_wire(window_at(terms, terms.starts_at), now=now)
    dates = [sent.activated_at, sent.starts_at, sent.trial_ends_at, sent.expires_at, *(one.nearest for one in faults)]
    words = [*(fault.rule for fault in faults), *(rfc3339(date) if date else "-" for date in dates)]
    return faults, " ".join(words)


def compare(seed: int, count: int) -> tuple[int, str]:
    """How many cases differ, and the hash."""
    differences, digest = 0, hashlib.sha256()
    for case in cases(seed, count):
        faults, line = said(case)
        differences += {fault.rule for fault in faults} != verdict(case)
        digest.update(line.encode() + b"\n")
    return differences, digest.hexdigest()


if __name__ == "__main__":
    count, seed = map(int, sys.argv[1:])
    differences, digest = compare(seed, count)
    sys.stdout.write(f"{count} cases, {differences} differences, {digest}\n")
    sys.exit(1 if differences else 0)
