"""`manage.py check_dates`: which of the platform's date rules a subscription's dates break now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from kernel.values import rfc3339
from subscriptions.models import Plan
from subscriptions.rules import broken, terms_in
from web.params import moment


class Command(BaseCommand):
    help = "Name every date rule the dates break, with the nearest value that would pass; ends with 1 if there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", help="a plan's code")
        parser.add_argument("--activated-at", type=moment, required=True, help="such as 2026-01-31T12:00:00Z")
        parser.add_argument("--current-period-start", type=moment, required=True)
        parser.add_argument("--trial-ends-at", type=moment)
        parser.add_argument("--expires-at", type=moment, required=True)

    def handle(self, *args: Any, plan: str, **options: Any) -> None:
        known = Plan.objects.filter(code=plan).first()
        if known is None:
            codes = ", ".join(Plan.objects.order_by("code").values_list("code", flat=True))
            raise CommandError(f"there is no plan {plan}; there are {codes}")
        faults = broken(terms_in(options, trial=known.trial), now=timezone.now())
        for fault in faults:
            passes = f" (nearest: {rfc3339(fault.nearest)})" if fault.nearest else ""
            self.stdout.write(f"{fault.rule}: {fault.field}: {fault.detail}{passes}")
        if faults:
            raise CommandError(f"{len(faults)} rule(s) broken", returncode=1)
        self.stdout.write("the platform would take these dates")
