"""How results are printed: a table, and each target with whether it was met."""

from __future__ import annotations

from collections.abc import Sequence


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, the first one to the left."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    print(f"  {title}")
    for row in [head, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("    " + "  ".join(cells))
    print()


def target(what: str, got: float, wanted: float, *, at_most: bool = False, unit: str = "") -> bool:
    """Print one target; whether it was met."""
    met = got <= wanted if at_most else got >= wanted
    sign = "≤" if at_most else "≥"
    print(f"    {'✓' if met else '✗'} {what}: {got:.2f}{unit} (target {sign} {wanted:g}{unit})")
    return met
