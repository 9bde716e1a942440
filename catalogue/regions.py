"""Sets of territories, by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def region_id(territories: Iterable[str]) -> int:
    """The id of the region of exactly these territories, in whatever order they come: a digest of 60 bits.

    The first migration that knew regions computes it too, in SQL.
    """
    listed = ",".join(sorted(set(territories)))
    return int(hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()[:15], 16)
