"""What each package holds about a listener, and how it forgets. Packages say so here; accounts imports none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

Rows: TypeAlias = Iterable[Mapping[str, Any]]
Tell = Callable[[UUID], Rows]
Forget = Callable[[Sequence[UUID]], None]

_tellers: dict[str, Tell] = {}
_forgetters: list[Forget] = []


def tells(name: str) -> Callable[[Tell], Tell]:
    """Register the decorated function as what stands in `name`.json of a listener's export.

    It gets the listener's id and yields rows of plain values: nobody else's, and nothing that opens a door.
    """

    def register(tell: Tell) -> Tell:
        _tellers[name] = tell
        return tell

    return register


def forgets(forget: Forget) -> Forget:
    """Register the decorated function for accounts that are closed.

    It gets listeners' ids and takes out whatever could lead back to the people. It runs in the transaction that
    closes an account, and every hour for two months after, since letters go on coming for a while.
    """
    _forgetters.append(forget)
    return forget


def tellers() -> Mapping[str, Tell]:
    """Every file of an export, by its name."""
    return _tellers


def forget_everywhere(listener_ids: Sequence[UUID]) -> None:
    """Let every package forget listeners whose accounts are closed."""
    for forget in _forgetters:
        forget(listener_ids)
