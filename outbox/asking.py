"""Calls to the platform that somebody waits for: no message, but the same breaker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kernel.errors import Kind, Refusal
from massivemusic.client import Client
from massivemusic.errors import PlatformError
from outbox import circuit
from outbox.delivery import note_health
from outbox.platform import platform

AGAIN_SECONDS: Final = 2


class PlatformUnavailable(Refusal):
    """The platform cannot be reached, is in trouble, or rests behind its breaker."""

    code, kind = "platform_unavailable", Kind.UNAVAILABLE

    def __init__(self, error: PlatformError | None = None) -> None:
        wait = AGAIN_SECONDS if error is None else error.retry_after or AGAIN_SECONDS
        super().__init__("the music platform does not answer, try again shortly", retry_after=wait)
        if error is not None and error.code is not None:
            self.platform_code = error.code  # type: ignore[misc]  # theirs, of this very answer


@contextmanager
def asking() -> Iterator[Client]:
    """The platform's client, outside of any transaction. Raises PlatformUnavailable while the breaker is open."""
    if not circuit.allows(circuit.PLATFORM):
        raise PlatformUnavailable
    try:
        yield platform()
    except PlatformError as error:
        note_health(error)
        raise
    circuit.succeeded(circuit.PLATFORM)
