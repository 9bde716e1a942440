"""Postcodes, of the two countries whose charts count sales by them."""

from __future__ import annotations

import re
from typing import Final

POSTCODES: Final = {
    "US": re.compile(r"[0-9]{5}(?:-[0-9]{4})?", re.ASCII),
    "CA": re.compile(r"[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z] ?[0-9][ABCEGHJ-NPRSTV-Z][0-9]", re.ASCII),
}


def postcode_for(country: str, postcode: str) -> str:
    """What the platform may be told of a postcode: of the US and Canada alone, nothing of elsewhere.

    Raises ValueError for one that those countries do not have. (Download guide §3, `postCode`)
    """
    shape = POSTCODES.get(country)
    if shape is None or not postcode:
        return ""
    if not shape.fullmatch(postcode):
        raise ValueError(f"is no postcode of {country}")
    return postcode
