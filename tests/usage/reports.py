"""A ledger of plays that went out, and reports of them as the platform would write them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Any
from uuid import uuid4

from accounts.models import Listener
from usage.models import Difference, Play, PlayBatch, UsageReport
from usage.reconcile import import_report

START, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 10, tzinfo=UTC)
MIDDLE = datetime(2026, 10, 15, 12, tzinfo=UTC)
HEADINGS = [
    "Stream ID", "Date Time Logged", "Date Time Played", "User ID", "Track ID", "Format ID", "Country", "Play Mode",
    "Played Duration (s)", "Device",
]  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line of a report; its fields in the order of HEADINGS."""

    stream_id: str
    logged_at: str
    played_at: str
    user_id: str
    track_id: int
    format_id: int
    country: str
    mode: str
    seconds: int
    device: str = "Pixel 9; (KHTML, like Gecko)"


def went_out(
    listener: Listener, *times: datetime, at: datetime | None = None, state: str = "SENT", **facts: Any
) -> list[Play]:
    """Plays of these times in one batch, which was called at `at`, or a minute after the last of them."""
    batch = PlayBatch.objects.create(
        listener=listener, country="GB", size=len(times), state=state, called_at=at or max(times) + timedelta(minutes=1)
    )
    told = {"track_id": 70, "release_id": 7, "format_id": 26, "country": "GB", "seconds_played": 120} | facts
    told |= {"mode": facts.get("mode", "online"), "user_agent": "Pixel 9", "state": state, "batch": batch}
    return Play.objects.bulk_create(
        Play(listener=listener, play_id=uuid4(), played_at=played_at, **told) for played_at in times
    )


def lines_of(plays: Iterable[Play], *, logged_at: datetime | None = None) -> list[Line]:
    return [
        Line(
            stream_id=str(number),
            logged_at=f"{logged_at or (play.batch and play.batch.called_at):%Y-%m-%d %H:%M:%S}",
            played_at=f"{play.played_at:%Y-%m-%d %H:%M:%S}",
            user_id=play.listener.platform_id,
            track_id=play.track_id,
            format_id=play.format_id,
            country=play.country,
            mode=play.mode,
            seconds=play.seconds_played,
        )
        for number, play in enumerate(plays)
    ]


def another(line: Line, **changes: Any) -> Line:
    return replace(line, **changes)


def as_csv(lines: Iterable[Line], *, headings: Sequence[str] = HEADINGS, delimiter: str = ",") -> bytes:
    sheet = StringIO()
    writer = csv.writer(sheet, delimiter=delimiter)
    writer.writerow(headings)
    writer.writerows(astuple(line) for line in lines)
    return sheet.getvalue().encode()


def imported(
    lines: Iterable[Line] | bytes, *, start: datetime = START, end: datetime = END, now: datetime = NOW
) -> UsageReport:
    data = lines if isinstance(lines, bytes) else as_csv(lines)
    report, _ = import_report(file=BytesIO(data), name="report.csv", starts_at=start, ends_at=end, by=None, now=now)
    return report


def differences(report: UsageReport) -> list[tuple[str, int | None, int | None, list[str]]]:
    """Of each: its kind, our play, their line, and what differs."""
    found = Difference.objects.filter(report=report).order_by("pk")
    return [(each.kind, each.play, each.row and each.row.line, each.fields) for each in found.select_related("row")]
