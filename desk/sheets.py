"""CSV that people open in a spreadsheet."""

from __future__ import annotations

from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # some spreadsheets read wide ones as narrow
BLANK: Final = ("\t", "\r", "\n")  # a spreadsheet may begin a new cell behind it


def guarded(cell: object) -> object:
    """A text that a spreadsheet would run as a formula is made a text again; anything else stays as it is."""
    formula = isinstance(cell, str) and (cell.startswith(BLANK) or cell.lstrip().startswith(FORMULA))
    return f"'{cell}" if formula else cell
