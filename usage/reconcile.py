"""The platform's usage report against our ledger: what both have, what only one has, and what was in doubt."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import IO, Any, Final

from django.db import connection, transaction

from accounts.models import User
from desk.cells import moment
from kernel.errors import Kind, Refusal
from usage.matching import pair_plays
from usage.models import UsageReport
from usage.report_files import BadReport, ReportedPlay, read_report
from usage.settling import settle

# One import at a time; and no batch is cut while we look at what waits.
LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtext('usage.reconcile'))"
LOCK_BATCHER: Final = "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(hashtext('usage.batch'))"
COPY: Final = """
    COPY usage_reportrow (report_id, line, stream_id, logged_at, user_id, track_id, format_id, country, mode,
                          played_at, seconds_played) FROM STDIN
"""


class ImportRunning(Refusal):
    """Another report is being imported right now."""

    code, kind = "import_running", Kind.CONFLICT


class TimeTaken(Refusal):
    """The report's time is not over yet, has no length, or overlaps that of another report."""

    code, kind = "report_time", Kind.CONFLICT


def import_report(
    *, file: IO[bytes], name: str, starts_at: datetime, ends_at: datetime, by: User | None, now: datetime
) -> tuple[UsageReport, bool]:
    """Take the report of what was logged in `[starts_at, ends_at)` (UTC), compare it, and settle what was in doubt.

    All of it or nothing, in constant memory. The same file is imported once: a second time gives back the first
    report, and False. `file` can be sought in. Raises BadReport, TimeTaken or ImportRunning.
    """
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    with connection.unhurried(), transaction.atomic(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(LOCK)
        if not cursor.fetchone()[0]:
            raise ImportRunning("another report is being imported; try again when it is done")
        if known := UsageReport.objects.filter(sha256=sha256).first():
            return known, False
        check_time(starts_at, ends_at, now=now)
        report = UsageReport.objects.create(
            file_name=name[:255], sha256=sha256, starts_at=starts_at, ends_at=ends_at, imported_by=by, imported_at=now
        )
        with cursor.copy(COPY) as copy:
            for play in read_report(file):
                copy.write_row(row_of(report, play))
        cursor.execute(LOCK_BATCHER)
        pair_plays(report)
        settle(report, now=now)
    return report, True


def check_time(starts_at: datetime, ends_at: datetime, *, now: datetime) -> None:
    if not starts_at < ends_at <= now:
        raise TimeTaken("a report covers a time that begins before it ends, and is over")
    if other := UsageReport.objects.filter(starts_at__lt=ends_at, ends_at__gt=starts_at).first():
        raise TimeTaken(f"report {other} covers some of that time: withdraw it first")


def row_of(report: UsageReport, play: ReportedPlay) -> tuple[Any, ...]:
    if not report.starts_at <= play.logged_at < report.ends_at:
        raise BadReport(f"line {play.line}: was logged at {moment(play.logged_at)}, which the report does not cover")
    return (
        report.pk, play.line, play.stream_id, play.logged_at, play.user_id, play.track_id, play.format_id,
        play.country, play.mode, play.played_at, play.seconds_played,
    )  # fmt: skip
