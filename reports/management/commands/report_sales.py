"""`manage.py report_sales --month 2026-11 --as csv`: a month's sales and refunds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from reports.dsr import Party
from reports.files import STANDARD_OUT, write
from reports.formats import FORMATS
from reports.management.commands.report_month import NOBODY, month
from reports.management.commands.report_plays import words
from reports.plays import Unanswerable
from reports.sales import DIMENSIONS, sales
from reports.sales_month import sales_report

DSR: Final = "dsr"


class Command(BaseCommand):
    help = "Counts a UTC month's sales, and what was taken back of them, by currency and what they are asked by."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", type=month, required=True, help="such as 2026-11")
        parser.add_argument("--by", type=words, help=f"some of {','.join(DIMENSIONS)}; country unless given")
        parser.add_argument("--as", choices=[*FORMATS, DSR], default="csv", dest="form")
        parser.add_argument("--out", default=STANDARD_OUT, help="a file; standard output unless given")
        parser.add_argument("--sender", nargs=2, default=NOBODY, metavar=("ID", "NAME"), help="with DDEX's party id")
        parser.add_argument("--recipient", nargs=2, default=NOBODY, metavar=("ID", "NAME"))
        parser.add_argument("--service", default=settings.SERVICE_NAME, help="what listeners know the service by")

    def handle(self, *args: Any, form: str, out: str, **options: Any) -> None:
        if options["month"] > timezone.now():
            raise CommandError("the month has not begun")
        pieces = self.for_rightsholders(options) if form == DSR else counted(options, form)
        write(pieces, out, stdout=self.stdout)

    def for_rightsholders(self, options: dict[str, Any]) -> Iterator[bytes]:
        if options["by"] is not None:
            raise CommandError("--by is for csv and parquet; dsr has lines of its own")
        if options["sender"] == NOBODY:
            self.stderr.write("The standard wants a sender: --sender ID NAME.")
        start: datetime = options["month"]
        sender, recipient = Party(*options["sender"]), Party(*options["recipient"])
        return sales_report(
            start, created_at=timezone.now(), service=options["service"], sender=sender, recipient=recipient
        )


def counted(options: dict[str, Any], form: str) -> Iterator[bytes]:
    try:
        sheet = sales(["country"] if options["by"] is None else options["by"], month=options["month"])
    except Unanswerable as error:
        raise CommandError(str(error)) from error
    return FORMATS[form].write(sheet)
