"""Whether anybody who was asked has answered, for whoever judges by that how the other side is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Answers:
    """How many came, whatever they said."""

    count: int = 0


_open: ContextVar[Answers | None] = ContextVar("hearing", default=None)


@contextmanager
def hearing() -> Iterator[Answers]:
    """Count the answers that come meanwhile to calls of this thread."""
    mine = Answers()
    before = _open.set(mine)
    try:
        yield mine
    finally:
        _open.reset(before)


def heard() -> None:
    """A whole answer has come."""
    if (listening := _open.get()) is not None:
        listening.count += 1
