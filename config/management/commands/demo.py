"""`manage.py demo`: play the main job against a running service and say what was seen."""

from __future__ import annotations

import sys
import time
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand

from config.journey import Journey
from config.visitor import Failed


class Command(BaseCommand):
    help = "Plays one listener's first evening over HTTP, step by step; exits 1 at the first step that does not hold."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        journey = Journey(
            web=f"http://127.0.0.1:{settings.PORT}",
            sandbox=f"http://127.0.0.1:{settings.SANDBOX_PORT}",
            secret=settings.BILLING_STANDARD_SECRETS[0],
        )
        self.stdout.write("\n  Tonearm, one listener's first evening\n\n")
        began = time.monotonic()
        steps = list(journey.steps())
        for number, (name, step) in enumerate(steps, 1):
            try:
                seen = step()
            except (Failed, requests.RequestException) as error:
                self.line(self.style.ERROR("✗"), name, str(error) or type(error).__name__)
                self.stdout.write(f"\n  step {number} of {len(steps)} did not hold\n\n")
                sys.exit(1)
            self.line(self.style.SUCCESS("✓"), name, seen)
        took = time.monotonic() - began
        self.stdout.write(self.style.SUCCESS(f"\n  every step held, {len(steps)} of {len(steps)} in {took:.1f} s\n\n"))

    def line(self, mark: str, name: str, text: str) -> None:
        self.stdout.write(f"  {mark} {name:<14} {text}\n")
        self.stdout.flush()
