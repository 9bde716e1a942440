"""What every report is made of: named columns, and one statement that reads its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from django.db import connection

AT_ONCE: Final = 2_000  # rows that are fetched together

Row = tuple[Any, ...]


class Kind(Enum):
    """What stands in a column. Only an id may be missing."""

    TEXT = "text"
    DAY = "a day of UTC"
    ID = "an id of the platform's"
    COUNT = "a count, or seconds"
    MONEY = "an amount in the row's currency"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """One report, not read yet. The statement's own order of rows is the report's."""

    columns: tuple[Column, ...]
    statement: str
    values: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def rows(self) -> Iterator[Row]:
        """All rows, in constant memory, however long PostgreSQL takes for them."""
        with connection.unhurried(), connection.chunked_cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute(self.statement, self.values)
            while rows := cursor.fetchmany(AT_ONCE):
                yield from rows

    def first(self, count: int) -> list[Row]:
        """The first rows, within the time that a statement may usually take."""
        with connection.cursor() as cursor:
            cursor.execute(f"{self.statement} LIMIT %(count)s", {**self.values, "count": count})
            found: list[Row] = cursor.fetchall()
        return found
