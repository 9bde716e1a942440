"""What curated playlists ask of packages above, which they do not import: who has which plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

Held: TypeAlias = Callable[[UUID, datetime], Iterable[str]]
"""Takes a listener and an instant, and gives the codes of the plans that then cover them."""
Sold: TypeAlias = Callable[[], Iterable[str]]
"""Gives the codes of all plans there are."""

_held: list[Held] = []
_sold: list[Sold] = []


def knows_plans_held(witness: Held) -> Held:
    _held.append(witness)
    return witness


def knows_plans_sold(witness: Sold) -> Sold:
    _sold.append(witness)
    return witness


def plans_held(listener_id: UUID, at: datetime) -> set[str]:
    """The codes of the plans that cover a listener at an instant; none, where nobody knows of any."""
    return {code for witness in _held for code in witness(listener_id, at)}


def plans_sold() -> list[str]:
    """The codes of all plans, in their order."""
    return sorted({code for witness in _sold for code in witness()})
