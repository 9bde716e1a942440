"""`manage.py reset_second_factor EMAIL`: for a member of staff whose phone and recovery codes are gone."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.factors import reset
from accounts.models import User


class Command(BaseCommand):
    help = "Resets the second factor of a member of staff; they set up another at their next sign-in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise CommandError("there is no such login")
        if not reset(user=user, by=None):
            raise CommandError("this login has no second factor")
        self.stdout.write("Reset. The next sign-in sets up another.")
