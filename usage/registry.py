"""What the ledger asks of packages above it, which it does not import. They say so in their `witness.py`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

from usage.honesty import Claim

Grants: TypeAlias = Callable[[Sequence[Claim]], Collection[int]]
"""Takes claims and gives the ids of those whose track was handed out to their listener."""
Places: TypeAlias = Callable[[Collection[UUID]], Mapping[UUID, int]]
"""Takes listeners and says on how many devices at a time each may listen, online and offline together."""

_grants: list[Grants] = []
_places: list[Places] = []


def knows_grants(witness: Grants) -> Grants:
    _grants.append(witness)
    return witness


def knows_places(witness: Places) -> Places:
    _places.append(witness)
    return witness


def granted(claims: Sequence[Claim]) -> set[int]:
    """The ids of claims for which anybody vouches."""
    return {claim_id for witness in _grants for claim_id in witness(claims)}


def places(listeners: Collection[UUID]) -> dict[UUID, int]:
    """On how many devices at a time each may listen; one, where nobody knows better."""
    told = dict.fromkeys(listeners, 1)
    for witness in _places:
        told |= witness(listeners)
    return told
