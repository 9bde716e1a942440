"""One admitted call, and the reading of its parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from sandbox import instants
from sandbox.answers import AccessDenied, Refused
from sandbox.countries import WORLD
from sandbox.models import Nonce

INT32 = 2**31 - 1


class Parameters:
    """Named values; case does not matter in names, and the first of several values counts."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), value)

    def find(self, name: str) -> str:
        """The value as it was sent, empty when absent."""
        return self._values.get(name.lower(), "")

    def text(self, name: str, *, longest: int = 255) -> str:
        """A required text. Raises 1001 when absent or empty, 1002 when too long or not storable."""
        value = self.find(name)
        if not value:
            raise Refused(1001, f'Missing "{name}" parameter')
        if len(value) > longest or "\0" in value:
            raise invalid(name, value)
        return value

    def integer(self, name: str) -> int:
        """A required positive int32. Raises 1001, 1002."""
        value = self.text(name)
        if not (value.isascii() and value.isdecimal() and 0 < int(value) <= INT32):
            raise invalid(name, value)
        return int(value)

    def optional(self, name: str) -> int | None:
        """A positive int32, None where there is none. Raises 1002."""
        return self.integer(name) if self.find(name) else None

    def instant(self, name: str) -> datetime:
        """A required ISO 8601 date and time in UTC. Raises 1001, 1002."""
        value = self.text(name)
        try:
            instant = instants.parse(value)
        except ValueError:
            raise invalid(name, value) from None
        if not value.upper().endswith(("Z", "+00:00", "+0000")):
            raise Refused(1002, f'Invalid value for "{name}": must be UTC')
        return instant

    def country(self) -> str:
        """The required country. Raises 1001, 1002, and AccessDenied where the key holds no licence for it."""
        value = self.text("country")
        if value.upper() not in WORLD:
            raise Refused(1002, "country is not valid")
        if settings.COUNTRIES and value.upper() not in settings.COUNTRIES:
            raise AccessDenied("Access to resource denied")
        return value.upper()


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request whose signature holds.

    `query` are its query parameters. `form` are those of the call itself: on a GET the query, on
    a POST the form body with the few names that may stand in the query whatever the verb.
    `nonce` is set on media URLs.
    """

    query: Parameters
    form: Parameters
    nonce: Nonce | None = None


def invalid(name: str, value: str) -> Refused:
    return Refused(1002, f'Invalid value for "{name}": {value[:100]}')
