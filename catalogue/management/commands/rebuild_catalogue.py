"""`manage.py rebuild_catalogue`: make the mirror again from the events that are kept."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalogue.history import EventsMissing, rebuild


class Command(BaseCommand):
    help = "Applies every kept catalogue event again, in one transaction; changes nothing when a release would be lost."

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        try:
            bodies = rebuild(now=timezone.now())
        except EventsMissing as error:
            raise CommandError(f"{error}; nothing was changed") from error
        self.stdout.write(f"{bodies} event(s) applied again in {time.monotonic() - began:.1f} s")
