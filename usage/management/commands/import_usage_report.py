"""`manage.py import_usage_report FILE --from 2026-11-01 --to 2026-12-01`: the platform's books against ours."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from kernel.errors import Refusal
from kernel.values import SANE_YEARS
from usage.models import UsageReport
from usage.reconcile import import_report

SUMMARY: Final = """\
  {0.plays:,} line(s): {0.matched:,} are plays of ours
  differences: {0.missing:,} missing · {0.extra:,} extra · {0.changed:,} changed · {0.unexpected:,} unexpected
  in doubt before: {0.arrived:,} had arrived · {0.returned:,} go out again · {0.expired:,} are too old to
  undecided, until the neighbouring report is there: {0.undecided:,}"""


class Command(BaseCommand):
    help = "Takes the platform's usage report (CSV or XLSX), compares it with the ledger, and settles plays in doubt."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--from", type=instant, required=True, dest="start", help="of the time of logging: 2026-11-01, UTC"
        )
        parser.add_argument("--to", type=instant, required=True, dest="end", help="not included")

    def handle(self, *args: Any, file: Path, start: datetime, end: datetime, **options: Any) -> None:
        try:
            with file.open("rb") as bytes_:
                report, new = import_report(
                    file=bytes_, name=file.name, starts_at=start, ends_at=end, by=None, now=timezone.now()
                )
        except Refusal as no:
            raise CommandError(f"{file}: {no.detail}; nothing of it was taken") from no
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        self.stdout.write(f"report {report}" + ("" if new else ": it was imported before, nothing was done"))
        self.tell(report)

    def tell(self, report: UsageReport) -> None:
        self.stdout.write(SUMMARY.format(report))


def instant(words: str) -> datetime:
    """A day, which begins at midnight UTC, or an instant."""
    found = datetime.fromisoformat(words)
    if found.year not in SANE_YEARS:
        raise ValueError("a time of other years")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
