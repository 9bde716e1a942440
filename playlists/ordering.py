"""Positions with room between them, so that a move touches only what is moved. Pure."""

from __future__ import annotations

from typing import Final

GAP: Final = 2**32  # between neighbours; ten thousand tracks and as many moves fit into 64 bits with ease


def places(*, after: int | None, before: int | None, count: int) -> list[int] | None:
    """`count` rising positions between two neighbours, as far apart as can be; None where there is no room.

    `after` is the position of the last item that stays in front, `before` of the first behind; None at an end.
    """
    if after is None:
        start = 0 if before is None else before - GAP * (count + 1)
        return [start + GAP * (number + 1) for number in range(count)]
    if before is None:
        return [after + GAP * (number + 1) for number in range(count)]
    room = before - after
    if room <= count:
        return None
    return [after + room * (number + 1) // (count + 1) for number in range(count)]
