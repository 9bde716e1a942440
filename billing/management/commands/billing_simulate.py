"""`manage.py billing_simulate`: play a billing provider, so that its door can be tried without an account there."""

from __future__ import annotations

import pkgutil
from argparse import ArgumentParser
from datetime import datetime
from importlib import import_module
from typing import Any
from uuid import UUID

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing import simulators
from web.params import instant_of


class Command(BaseCommand):
    help = "Posts what a billing provider would send, signed with this machine's own keys; in development only."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("provider", choices=[module.name for module in pkgutil.iter_modules(simulators.__path__)])
        parser.add_argument("scenario", choices=simulators.SCENARIOS)
        parser.add_argument("--account", type=UUID, required=True, help="the listener's id, as GET /me tells it")
        parser.add_argument("--url", default=f"http://127.0.0.1:{settings.PORT}", help="where the service runs")
        parser.add_argument("--at", help="when the story ends, RFC 3339; the same time makes the same events again")

    def handle(self, *args: Any, provider: str, scenario: str, account: UUID, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("there is nothing to simulate in production")
        simulator = import_module(f"{simulators.__name__}.{provider}")
        try:
            for signed in simulator.events(scenario, str(account), end_of_story(options["at"])):
                self.post(f"{options['url']}/webhooks/billing/{provider}", signed)
        except LookupError as error:
            raise CommandError(f"{provider} has no {scenario}") from error
        except TimeoutError as error:
            raise CommandError(str(error)) from error

    def post(self, url: str, signed: simulators.Signed) -> None:
        """Send one event and say what the door answered. Raises CommandError unless it was taken."""
        try:
            answer = requests.post(url, data=signed.body, headers=signed.headers, timeout=15)
        except requests.RequestException as error:
            raise CommandError(f"{url} cannot be reached: {type(error).__name__}") from error
        self.stdout.write(f"  {answer.status_code} {answer.text.strip()}")
        if not answer.ok:
            raise CommandError("the door did not take it")


def end_of_story(text: str | None) -> datetime:
    if text is None:
        return timezone.now()
    moment = instant_of(text)
    if moment is None:
        raise CommandError("--at must be an RFC 3339 time with its offset")
    return moment
