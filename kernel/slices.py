"""Work of which nobody knows how much there is, done a slice at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LONGEST_SECONDS: Final = 10.0  # a task may have several such works to do before it is ended by force


def in_slices(work: Callable[[], int], *, size: int, seconds: float = LONGEST_SECONDS) -> int:
    """Do `work` again and again until it finds less than a slice, or the time is over; how much was done in all.

    What is left waits for the next time. Every slice is to be a transaction of its own: what is done stays done.
    """
    end, total, done = time.monotonic() + seconds, 0, size
    while done >= size and time.monotonic() < end:
        total += (done := work())
    return total
