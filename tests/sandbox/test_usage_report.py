"""The report of what was logged, as the platform would send it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from openpyxl import load_workbook

from tests.sandbox.platform import Partner, Platform, iso

NOW = datetime.now(UTC)
PERIOD = f"from={iso(NOW - timedelta(hours=1))}&to={iso(NOW + timedelta(hours=1))}".replace("+", "%2B")


@pytest.fixture
def played(partner: Partner, listener: str, track: int) -> list[dict]:
    """Twenty plays of one listener, as they stand in the journal."""
    times = [iso(NOW - timedelta(minutes=n)) for n in range(20)]
    release = partner.platform.release()
    items = [
        {
            "trackId": track, "releaseId": release["id"], "formatId": 26, "playMode": "offline", "dateTimePlayed": at,
            "totalTimePlayed": n, "userAgent": '=1+1; "Phone"',
        }
        for n, at in enumerate(times)
    ]  # fmt: skip
    assert partner.log(listener, {"playLogItem": items}).status_code == 200
    return partner.platform.journal("plays", userId=listener)


def report(platform: Platform, query: str = PERIOD) -> list[dict[str, str]]:
    answer = platform.control("GET", f"usage-report?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_has_a_line_for_each_play(platform: Platform, played: list[dict]):
    lines = {line["Stream ID"]: line for line in report(platform)}

    for entry in played:
        line = lines[str(entry["seq"])]
        assert line["User ID"] == entry["userId"]
        assert line["Date Time Logged"] == entry["at"][:19].replace("T", " ")
        assert line["Date Time Played"] == entry["dateTimePlayed"][:19].replace("T", " ")
        assert line["Played Duration (s)"] == str(entry["totalTimePlayed"])
        assert (line["Format ID"], line["Country"], line["Play Mode"]) == ("26", "GB", "offline")
        assert line["Device"] == '=1+1; "Phone"'
        assert int(line["Total Duration (s)"]) > 0
    assert list(lines) == sorted(lines, key=int)


def test_is_the_same_as_a_workbook(platform: Platform, played: list[dict]):
    answer = platform.control("GET", f"usage-report?{PERIOD}&as=xlsx")
    sheet = load_workbook(io.BytesIO(answer.content), read_only=True).worksheets[0]
    headings, *rows = sheet.iter_rows(values_only=True)

    cells = [["" if value is None else str(value) for value in row] for row in rows]
    lines = [dict(zip(headings, row, strict=True)) for row in cells]
    assert lines == report(platform)


def test_is_of_a_month_or_of_any_time(platform: Platform, played: list[dict]):
    assert len(report(platform, f"month={NOW:%Y-%m}")) >= 20
    assert report(platform, "month=2019-12") == []
    assert report(platform, "from=2019-01-01T00:00:00Z&to=2019-02-01T00:00:00Z") == []


def test_has_the_errors_that_were_ordered_and_tells_them(platform: Platform, played: list[dict]):
    query = f"{PERIOD}&errors=5&seed=3"
    right = {line["Stream ID"]: line for line in report(platform)}
    wrong = {line["Stream ID"]: line for line in report(platform, query)}
    told = platform.control("GET", f"usage-report/errors?{query}").json()

    assert {line["stream_id"] for line in told["missing"]} == right.keys() - wrong.keys()
    assert {line["stream_id"] for line in told["extra"]} == wrong.keys() - right.keys()
    changed = {name for name in right.keys() & wrong.keys() if right[name] != wrong[name]}
    assert {each["is"]["stream_id"] for each in told["changed"]} == changed
    assert [len(each) for each in told.values()] == [5, 5, 5]
    assert report(platform, query) == list(wrong.values())
    assert report(platform, f"{PERIOD}&errors=5&seed=4") != list(wrong.values())


@pytest.mark.parametrize(
    "query",
    [
        "", "month=November", "month=2026-13", "month=9999-12", "from=x&to=y", "from=2026-11-01T00:00:00Z",
        "from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", "month=2026-11&errors=-1", "month=2026-11&errors=x",
        "month=2026-11&errors=1000000", "month=2019-12&errors=1", "month=2019-12&errors=1&as=xlsx",
        "month=2026-11&as=pdf",
    ],
)  # fmt: skip
def test_says_what_it_does_not_understand(platform: Platform, query: str):
    answer = platform.control("GET", f"usage-report?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"]
    if "as=" not in query:
        assert platform.control("GET", f"usage-report/errors?{query}").status_code == 400
