"""`manage.py report_subscribers 2026-11-01 2026-11-30`: subscribers by day, plan and country, as CSV."""

from __future__ import annotations

import csv
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from subscriptions.counts import Count, TooManyDays, subscribers
from web.params import moment


class Command(BaseCommand):
    help = "Listeners with a right to stream, by UTC day, plan and country, out of the ledger; CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("first", type=date.fromisoformat, help="such as 2026-11-01")
        parser.add_argument("last", type=date.fromisoformat)
        parser.add_argument("--known-at", type=moment, help="as the ledger stood then, such as 2026-12-01T00:00:00Z")

    def handle(self, *args: Any, first: date, last: date, known_at: datetime | None, **options: Any) -> None:
        out = csv.writer(self.stdout, lineterminator="\n")
        out.writerow(Count._fields)
        try:
            out.writerows(subscribers(first, last, known_at=known_at or timezone.now()))
        except TooManyDays as error:
            raise CommandError(str(error)) from error
