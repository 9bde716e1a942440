"""Reports as bytes, a piece at a time, of which none holds a whole table."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from itertools import islice
from typing import Any, Final

from desk.sheets import guarded
from reports.sheets import Kind, Sheet

PIECE: Final = 64 * 1024  # characters of CSV
GROUP_ROWS: Final = 10_000  # of Parquet, held in memory together


def csv_of(sheet: Sheet) -> Iterator[bytes]:
    """CSV in UTF-8 with a header, that no spreadsheet runs as formulas."""
    page = StringIO()
    out = csv.writer(page, lineterminator="\r\n")  # it quotes what its line ends are made of, and only that
    out.writerow(sheet.names)
    for row in sheet.rows():
        out.writerow(map(guarded, row))
        if page.tell() >= PIECE:
            yield taken(page).encode()
    yield taken(page).encode()


def parquet_of(sheet: Sheet) -> Iterator[bytes]:
    """Parquet with typed columns, a row group at a time."""
    import pyarrow  # heavy, and wanted here alone
    from pyarrow import parquet

    types = {Kind.TEXT: "string", Kind.DAY: "date32", Kind.ID: "int32", Kind.COUNT: "int64"}
    types[Kind.MONEY] = pyarrow.decimal128(18, 2)
    schema = pyarrow.schema([(column.name, types[column.kind]) for column in sheet.columns])
    file, rows = BytesIO(), sheet.rows()
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, GROUP_ROWS)):
            cells = zip(zip(*group, strict=True), schema.types, strict=True)
            writer.write_table(pyarrow.table([pyarrow.array(*column) for column in cells], schema=schema))
            yield taken(file)
    yield taken(file)


def taken(page: Any) -> Any:
    """What was written; the page is empty again."""
    content = page.getvalue()
    page.seek(0)
    page.truncate()
    return content


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    write: Callable[[Sheet], Iterator[bytes]]
    content_type: str


FORMATS: Final = {
    "csv": Format(write=csv_of, content_type="text/csv; charset=utf-8"),
    "parquet": Format(write=parquet_of, content_type="application/vnd.apache.parquet"),
}
