"""What is different between two states of a curated playlist. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The items that came, went, and stand elsewhere, each in the order of the state they are in."""

    added: list[UUID]
    removed: list[UUID]
    moved: list[UUID]


def difference(one: Sequence[UUID], other: Sequence[UUID]) -> Difference:
    """From one order to another. As few as can be are said to have moved: those that came by others' moves have not."""
    place = {item_id: number for number, item_id in enumerate(one)}
    both = [item_id for item_id in other if item_id in place]
    stayed = rising([place[item_id] for item_id in both])
    there = set(other)
    return Difference(
        added=[item_id for item_id in other if item_id not in place],
        removed=[item_id for item_id in one if item_id not in there],
        moved=[item_id for item_id in both if place[item_id] not in stayed],
    )


def rising(numbers: Sequence[int]) -> set[int]:
    """The members of a longest rising subsequence of distinct numbers."""
    ends: list[int] = []  # the lowest number on which a rising sequence of each length can end
    before: dict[int, int | None] = {}
    for number in numbers:
        length = bisect_left(ends, number)
        before[number] = ends[length - 1] if length else None
        ends[length : length + 1] = [number]
    kept: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        kept.add(last)
        last = before[last]
    return kept
