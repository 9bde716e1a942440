"""`manage.py report_plays --by track,country --per day --from 2026-11-01 --to 2026-12-01`: plays, counted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.values import midnight
from reports.files import STANDARD_OUT, write
from reports.formats import FORMATS
from reports.plays import THINGS, TIMES, Unanswerable, plays
from usage.models import PlayState


class Command(BaseCommand):
    help = "Counts plays by what they are asked by, from one UTC day until before another."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", type=words, default=[], help=f"some of {','.join(THINGS)}")
        parser.add_argument("--per", choices=[*TIMES])
        parser.add_argument("--from", type=day, required=True, dest="start", help="such as 2026-11-01")
        parser.add_argument("--to", type=day, required=True, dest="end", help="the first day that does not count")
        parser.add_argument("--state", nargs="+", choices=PlayState.values, default=[PlayState.SENT])
        parser.add_argument("--as", choices=[*FORMATS], default="csv", dest="form")
        parser.add_argument("--out", default=STANDARD_OUT, help="a file; standard output unless given")

    def handle(self, *args: Any, by: list[str], per: str | None, form: str, out: str, **options: Any) -> None:
        try:
            sheet = plays(
                [per, *by] if per else by, start=options["start"], end=options["end"], states=options["state"]
            )
        except Unanswerable as error:
            raise CommandError(str(error)) from error
        write(FORMATS[form].write(sheet), out, stdout=self.stdout)


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def day(text: str) -> datetime:
    """The beginning of a day of UTC. Raises ValueError."""
    return midnight(date.fromisoformat(text))
