"""`manage.py export_plays 2026-11-01 2026-11-30`: every play that the platform has taken, as CSV."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from desk.sheets import guarded
from kernel.values import midnight
from usage.exports import COLUMNS, logged
from usage.models import PlayState


class Command(BaseCommand):
    help = "The plays of some UTC days as they were sent, in the columns of the platform's compliance test; CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("first", type=date.fromisoformat, help="such as 2026-11-01")
        parser.add_argument("last", type=date.fromisoformat, help="included")
        parser.add_argument("--state", nargs="+", choices=PlayState.values, default=[PlayState.SENT])

    def handle(self, *args: Any, first: date, last: date, state: list[str], **options: Any) -> None:
        if last < first:
            raise CommandError("the last day lies before the first")
        if last == date.max:
            raise CommandError("the last day lies beyond every calendar")
        out = csv.writer(self.stdout, lineterminator="\n")
        out.writerow(COLUMNS)
        with connection.unhurried():  # type: ignore[attr-defined]
            for play in logged(midnight(first), midnight(last + timedelta(days=1)), states=state):
                out.writerow(map(guarded, play))
