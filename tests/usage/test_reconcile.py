"""The platform's usage report against our ledger: what is equal, and what is not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Listener
from massivemusic.parquet import row_id
from tests.usage.reports import (
    END,
    MIDDLE,
    NOW,
    START,
    Line,
    another,
    as_csv,
    differences,
    imported,
    lines_of,
    went_out,
)  # fmt: skip
from usage.models import Difference, Play, PlayBatch, ReportRow, UsageReport
from usage.reconcile import TimeTaken

pytestmark = pytest.mark.django_db
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def test_equal_on_both_sides_is_no_difference(listener: Listener) -> None:
    plays = went_out(listener, MIDDLE, MIDDLE + 7 * MINUTE + timedelta(milliseconds=400))

    report = imported(lines_of(plays))

    assert (report.plays, report.matched, differences(report)) == (2, 2, [])
    assert set(ReportRow.objects.values_list("play", flat=True)) == {play.pk for play in plays}


def test_a_play_that_is_not_there_is_missing(listener: Listener) -> None:
    kept, lost = went_out(listener, MIDDLE, MIDDLE + 7 * MINUTE)

    report = imported(lines_of([kept]))

    assert differences(report) == [("MISSING", lost.pk, None, [])]


def test_a_line_of_nobodys_is_extra(listener: Listener) -> None:
    lines = lines_of(went_out(listener, MIDDLE))

    report = imported([*lines, another(lines[0], user_id="nobody"), another(lines[0], played_at="2026-10-02 03:00:00")])

    assert differences(report) == [("EXTRA", None, 3, []), ("EXTRA", None, 4, [])]
    assert Difference.objects.order_by("pk")[0].detail == "we know no such user"


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"track_id": 71}, ["track"]),
        ({"seconds": 119}, ["seconds"]),
        ({"format_id": 56}, ["format"]),
        ({"country": "IE"}, ["country"]),
        ({"mode": "offline"}, ["mode"]),
        ({"played_at": "2026-10-15 12:01:59"}, ["played at"]),
        ({"track_id": 71, "seconds": 0, "country": "IE"}, ["track", "seconds", "country"]),
    ],
)
def test_what_differs_is_named(listener: Listener, change: dict[str, Any], fields: list[str]) -> None:
    [play] = went_out(listener, MIDDLE)
    [line] = lines_of([play])

    report = imported([another(line, **change)])

    assert differences(report) == [("CHANGED", play.pk, 2, fields)]


def test_an_instant_too_far_off_is_another_play(listener: Listener) -> None:
    [play] = went_out(listener, MIDDLE)
    [line] = lines_of([play])

    report = imported([another(line, played_at="2026-10-15 12:02:01")])

    assert differences(report) == [("EXTRA", None, 2, []), ("MISSING", play.pk, None, [])]


def test_two_equal_plays_need_two_equal_lines(listener: Listener) -> None:
    plays = went_out(listener, MIDDLE, MIDDLE)
    line = lines_of(plays)[0]

    once = imported([line], end=MIDDLE + timedelta(days=1))
    assert [kind for kind, *_ in differences(once)] == ["MISSING"]


def test_a_line_too_many_is_said_to_be_one(listener: Listener) -> None:
    line = lines_of(went_out(listener, MIDDLE))[0]

    report = imported([line, line])

    assert differences(report) == [("EXTRA", None, 3, [])]
    assert Difference.objects.get().detail == "it is there more often than it was played"


def test_a_changed_line_goes_to_the_play_that_it_shares_most_with(listener: Listener) -> None:
    first, second = (went_out(listener, MIDDLE, track_id=track)[0] for track in (70, 71))
    line = lines_of([second])[0]

    report = imported([another(line, seconds=3)])

    assert differences(report) == [("CHANGED", second.pk, 2, ["seconds"]), ("MISSING", first.pk, None, [])]


def test_of_several_near_ones_the_nearest_are_pairs(listener: Listener) -> None:
    first, second = went_out(listener, MIDDLE, MIDDLE + 100 * SECOND)
    lines = lines_of([first, second])
    moved = [another(lines[0], played_at="2026-10-15 12:00:55"), another(lines[1], played_at="2026-10-15 12:02:00")]

    report = imported(moved)

    assert sorted(differences(report)) == [
        ("CHANGED", first.pk, 2, ["played at"]),
        ("CHANGED", second.pk, 3, ["played at"]),
    ]


@pytest.mark.parametrize("state", ["REJECTED", "HELD", "EXPIRED", "WAITING"])
def test_what_we_think_was_not_taken_is_unexpected(listener: Listener, state: str) -> None:
    [play] = went_out(listener, MIDDLE, state=state)

    report = imported(lines_of([play]))

    assert differences(report) == [("UNEXPECTED", play.pk, 2, [])]
    play.refresh_from_db()
    assert play.state == state
    assert Difference.objects.get().detail.startswith("by our ledger: ")


def test_what_we_think_was_not_taken_and_is_not_there_is_no_difference(listener: Listener) -> None:
    for state in ("REJECTED", "HELD", "EXPIRED", "WAITING", "SENDING"):
        went_out(listener, MIDDLE, state=state)

    assert differences(imported([])) == []


# --- the time that a report covers ------------------------------------------------------------------------


def test_what_went_out_at_other_times_is_not_missed(listener: Listener) -> None:
    went_out(listener, MIDDLE, at=START - timedelta(hours=1))
    went_out(listener, MIDDLE, at=END + timedelta(hours=1))

    report = imported([])

    assert (differences(report), report.undecided) == ([], 0)


@pytest.mark.parametrize("called_at", [START, START + 9 * MINUTE, END - 9 * MINUTE])
def test_near_the_edges_nothing_is_missed_before_the_neighbour_is_there(listener: Listener, called_at: Any) -> None:
    [play] = went_out(listener, MIDDLE, at=called_at)
    report = imported([])
    assert (differences(report), report.undecided) == ([], 1)

    time = (START - timedelta(days=30), START) if called_at < MIDDLE else (END, END + timedelta(days=5))
    neighbour = imported(as_csv([]) + b"\n", start=time[0], end=time[1])

    assert differences(neighbour) == [("MISSING", play.pk, None, [])]


def test_near_the_edges_the_neighbour_may_have_it(listener: Listener) -> None:
    [play] = went_out(listener, MIDDLE, at=END - SECOND)
    imported([])

    neighbour = imported(lines_of([play], logged_at=END), start=END, end=NOW)

    assert (neighbour.matched, Difference.objects.count()) == (1, 0)


def test_what_one_report_misses_its_neighbour_does_not_miss_again(listener: Listener) -> None:
    went_out(listener, MIDDLE, at=END - timedelta(hours=1))
    imported([])

    assert imported(as_csv([]) + b"\n", start=END, end=NOW).missing == 0


def test_what_a_later_report_has_is_missing_no_more(listener: Listener) -> None:
    [play] = went_out(listener, MIDDLE)
    imported([])

    imported(lines_of([play], logged_at=END + MINUTE), start=END, end=NOW)

    found = Difference.objects.get()
    assert (found.kind, found.resolution) == ("MISSING", "FOUND")


def test_a_play_stands_in_one_report(listener: Listener) -> None:
    lines = lines_of(went_out(listener, MIDDLE), logged_at=MIDDLE)
    first = imported(lines)
    second = imported([another(lines[0], logged_at="2026-11-02 00:00:00")], start=END, end=NOW)

    assert (first.matched, differences(second)) == (1, [("EXTRA", None, 2, [])])


@pytest.mark.parametrize(
    ("start", "end"),
    [(START, NOW + MINUTE), (END, START), (START, START), (MIDDLE, NOW), (START - MINUTE, START + MINUTE)],
)
def test_a_time_that_cannot_be_covered_is_refused(listener: Listener, start: Any, end: Any) -> None:
    if START <= start < end <= NOW or start < START:
        imported([])
    with pytest.raises(TimeTaken):
        imported(b"x", start=start, end=end)


def test_the_same_file_is_one_report(listener: Listener) -> None:
    lines = lines_of(went_out(listener, MIDDLE, MIDDLE + MINUTE)[:1])

    assert imported(lines) == imported(lines)
    assert (UsageReport.objects.count(), ReportRow.objects.count(), Difference.objects.count()) == (1, 1, 1)


def test_days_show_both_sides(listener: Listener) -> None:
    plays = went_out(listener, MIDDLE, MIDDLE + MINUTE)
    later = went_out(listener, MIDDLE + timedelta(days=2))

    report = imported(lines_of([*plays[:1], *later]))

    report.refresh_from_db()
    assert report.days == [["2026-10-15", 2, 1], ["2026-10-17", 1, 1]]


# --- errors by chance ------------------------------------------------------------------------------------


def test_ten_errors_of_each_kind_in_ten_thousand_are_named_and_no_other(make_listener: Callable[..., Listener]) -> None:
    chance = random.Random(22)
    lines, plays = a_month(make_listener, chance, count=10_000)
    wrong = chance.sample(range(len(lines)), 20)
    changes: list[dict[str, Any]] = [
        {"track_id": 1}, {"seconds": 9999}, {"country": "FR"}, {"format_id": 1}, {"mode": "online-cached"},
    ]  # fmt: skip
    told = list(lines)
    for number in wrong[:10]:
        told[number] = another(lines[number], **changes[number % 5])
    foreign = [another(lines[n], user_id=f"{n:032x}") for n in chance.sample(range(len(lines)), 10)]
    left_out = set(wrong[10:])

    report = imported([line for n, line in enumerate(told) if n not in left_out] + foreign)

    found = differences(report)
    assert {play for kind, play, *_ in found if kind == "CHANGED"} == {plays[n].pk for n in wrong[:10]}
    assert {play for kind, play, *_ in found if kind == "MISSING"} == {plays[n].pk for n in wrong[10:]}
    assert [line for kind, _, line, _ in found if kind == "EXTRA"] == list(range(9992, 10_002))
    assert Counter(kind for kind, *_ in found) == {"CHANGED": 10, "MISSING": 10, "EXTRA": 10}
    assert report.matched == 9980


def a_month(
    make_listener: Callable[..., Listener], chance: random.Random, *, count: int
) -> tuple[list[Line], list[Play]]:
    """A report without errors, and the plays it is of: some listeners' in batches of 20, all through the month."""
    listeners = [make_listener() for _ in range(20)]
    plays: list[Play] = []
    for number in range(count // 20):
        start = START + timedelta(hours=1) + number * timedelta(minutes=80)
        times = [start + n * timedelta(minutes=3, milliseconds=chance.randrange(1000)) for n in range(20)]
        track = {"track_id": chance.randrange(10, 10_000), "seconds_played": chance.randrange(300)}
        plays += went_out(listeners[number % 20], *times, **track)
    return lines_of(plays), plays


SMALL = st.tuples(
    st.integers(0, 1), st.sampled_from([0, 0, 1, 60, 61, 200]), st.integers(70, 71), st.sampled_from(["GB", "IE"]),
    st.sampled_from([30, 31]),
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ours=st.lists(SMALL, max_size=9), theirs=st.lists(SMALL, max_size=9), both=st.lists(SMALL, max_size=9))
def test_every_play_and_every_line_is_accounted_for(make_listener: Any, ours: Any, theirs: Any, both: Any) -> None:
    """By a plain count of what is equal; and nothing is left alone on both sides that could be a pair."""
    with transaction.atomic():
        people = [make_listener(), make_listener()]
        plays = [a_play(people, facts) for facts in ours + both]
        report = imported([a_line(people, facts) for facts in theirs + both])
        found = Difference.objects.filter(report=report).select_related("row")
        alone = {
            "MISSING": [(ours + both)[[play.pk for play in plays].index(each.play)] for each in found if not each.row],
            "EXTRA": [(theirs + both)[each.row.line - 2] for each in found if each.row and not each.play],
        }
        transaction.set_rollback(True)

    equal = sum((Counter(ours + both) & Counter(theirs + both)).values())
    assert report.matched == equal
    assert report.missing + report.changed == len(ours + both) - equal
    assert report.extra + report.changed == len(theirs + both) - equal
    for who, second, track, *_ in alone["MISSING"]:
        for other, instant, name, *_ in alone["EXTRA"]:
            assert who != other or (second != instant and (track != name or abs(second - instant) > 120))


def a_play(people: list[Listener], facts: Any) -> Play:
    who, second, track, country, seconds = facts
    told = {"track_id": track, "country": country, "seconds_played": seconds}
    return went_out(people[who], MIDDLE + second * SECOND, **told)[0]


def a_line(people: list[Listener], facts: Any) -> Line:
    who, second, track, country, seconds = facts
    played_at = f"{MIDDLE + second * SECOND:%Y-%m-%dT%H:%M:%SZ}"
    return Line("", "2026-10-15T13:00Z", played_at, people[who].platform_id, track, 26, country, "online", seconds)


# --- the command, and what cannot be ----------------------------------------------------------------------


def test_the_command_says_what_came_of_it(listener: Listener, tmp_path: Path) -> None:
    plays = went_out(listener, MIDDLE, MIDDLE + 7 * MINUTE)
    file = tmp_path / "october.csv"
    file.write_bytes(as_csv(lines_of(plays[:1])))
    words = (str(file), "--from", "2026-10-01", "--to", "2026-11-01")

    out = StringIO()
    for _ in range(2):
        call_command("import_usage_report", *words, stdout=out)

    assert "1 line(s): 1 are plays of ours" in out.getvalue()
    assert "1 missing · 0 extra" in out.getvalue()
    assert out.getvalue().count("nothing was done") == 1


@pytest.mark.parametrize(
    "words", [("--from", "2026-10-01"), ("--from", "x", "--to", "y"), ("--from", "2026-11-01", "--to", "2026-10-01")]
)
def test_the_command_refuses_what_makes_no_sense(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "empty.csv"
    file.touch()

    with pytest.raises(CommandError):
        call_command("import_usage_report", str(file), *words)
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_usage_report", str(tmp_path / "none"), "--from", "2026-10-01", "--to", "2026-11-01")


@pytest.mark.parametrize(
    "broken",
    [
        {"state": "SIGNED"},
        {"plays": 3},
        {"ends_at": START},
        {"sha256": "x"},
    ],
)
def test_the_database_keeps_reports_true(listener: Listener, broken: dict[str, Any]) -> None:
    imported([])
    imported(b"\n" + as_csv([]), start=END, end=NOW)
    UsageReport.objects.filter(starts_at=END).update(sha256="x")

    with pytest.raises(DatabaseError), transaction.atomic():
        UsageReport.objects.filter(starts_at=START).update(**broken)


def test_a_play_that_went_out_in_a_file_is_known_by_its_id_whatever_else_is_said_of_it(listener: Listener) -> None:
    one, twin = went_out(listener, MIDDLE, MIDDLE)
    PlayBatch.objects.update(channel="BUCKET", listener=None)
    [line, _] = lines_of([one, twin])
    named = another(line, stream_id=row_id(listener.platform_id, twin.play_id), seconds=7)

    report = imported([named])

    assert differences(report) == [("CHANGED", twin.pk, 2, ["seconds"]), ("MISSING", one.pk, None, [])]
