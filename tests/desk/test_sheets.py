"""Cells of CSV that people open in a spreadsheet."""

from __future__ import annotations

import pytest

from desk.sheets import guarded

# What a title may begin with, and a spreadsheet would run.
DANGEROUS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1", "＋1+1", "－1+1", "＠SUM(A1)",
    " =1+1", "\u00a0=1+1", "=cmd|' /C calc'!A0",
]  # fmt: skip


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_is_a_formula(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["", "a=1", "Tide", "'=1", '"=1"', " Tide", "1-1", -1, 0, None])
def test_everything_else_stays_as_it_is(cell: object) -> None:
    assert guarded(cell) == cell
