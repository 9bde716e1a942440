"""`manage.py report_month 2026-11 --out FILE`: a month's plays, in the shape of DDEX's Digital Sales Reporting."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from reports.dsr import Party
from reports.files import STANDARD_OUT, write
from reports.month import month_report

NOBODY: Final = ["", ""]


class Command(BaseCommand):
    help = "Writes what the platform took of a UTC month's plays as a flat file for rightsholders."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", type=month, help="such as 2026-11")
        parser.add_argument("--out", default=STANDARD_OUT, help="a file; standard output unless given")
        parser.add_argument("--sender", nargs=2, default=NOBODY, metavar=("ID", "NAME"), help="with DDEX's party id")
        parser.add_argument("--recipient", nargs=2, default=NOBODY, metavar=("ID", "NAME"))
        parser.add_argument("--service", default=settings.SERVICE_NAME, help="what listeners know the service by")

    def handle(self, *args: Any, out: str, sender: list[str], recipient: list[str], **options: Any) -> None:
        now = timezone.now()
        if options["month"] > now:
            raise CommandError("the month has not begun")
        if sender == NOBODY:
            self.stderr.write("The standard wants a sender: --sender ID NAME.")
        pieces = month_report(
            options["month"],
            created_at=now,
            service=options["service"],
            sender=Party(*sender),
            recipient=Party(*recipient),
        )
        write(pieces, out, stdout=self.stdout)


def month(text: str) -> datetime:
    """The beginning of a month of UTC. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", text, re.ASCII):
        raise ValueError("not a month")
    return datetime(int(text[:4]), int(text[5:]), 1, tzinfo=UTC)
