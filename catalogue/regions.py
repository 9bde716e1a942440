"""Sets of territories, by what is in them."""

from __future__ import annotations

import hashlib
from functools import lru_cache


@lru_cache(maxsize=4096)
def region_id(territories: tuple[str, ...]) -> int:
    """The id of the region of exactly these territories, in whatever order they come: a digest of 60 bits.

    The migration that brought regions computes it too, in SQL.
    """
    listed = ",".join(sorted(set(territories)))
    return int(hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()[:15], 16)
