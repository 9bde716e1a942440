"""What the pages on which staff ask for reports have in common: the first rows to look at, and all to download."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from django.db import OperationalError, transaction
from django.http import StreamingHttpResponse
from psycopg.errors import QueryCanceled

from desk.cells import Table
from reports.formats import FORMATS
from reports.sheets import Row, Sheet

SHOWN: Final = 50  # rows on the page; the download has them all
NO_SANE_YEAR: Final = "Enter a year between 2000 and 2100."
CODES: Final = {"isrc": "ISRC", "upc": "UPC"}

Seen = TypeVar("Seen")


def in_time(look: Callable[[], Seen]) -> Seen | None:
    """What was seen; None where PostgreSQL took too long over it."""
    try:
        with transaction.atomic():  # so that what takes too long spoils nothing
            return look()
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return None


def table_of(sheet: Sheet, rows: list[Row]) -> Table:
    headers = [CODES.get(name, name.replace("_", " ")) for name in sheet.names]
    return Table(headers=headers, rows=[["–" if cell is None else cell for cell in row] for row in rows])


def download(sheet: Sheet, form: str, *, named: str) -> StreamingHttpResponse:
    """All of it in a form of FORMATS, piece by piece; what fails, fails before anything is answered."""
    pieces = begun(FORMATS[form].write(sheet))
    response = StreamingHttpResponse(pieces, content_type=FORMATS[form].content_type)
    response["Content-Disposition"] = f'attachment; filename="{named}.{form}"'
    return response


def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, the first of which is there already."""
    first = next(pieces)

    def all_of_them() -> Iterator[bytes]:
        yield first
        yield from pieces

    return all_of_them()
