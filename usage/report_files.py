"""The platform's usage report as a file: CSV or a workbook, line by line, in constant memory.

Which facts it holds is documented ("Client usage reports"), how its columns are headed is not. So
headings are looked up in a table of the words that we have met or can think of; others are passed over.
"""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError

from kernel.errors import Kind, Refusal
from kernel.values import SANE_YEARS
from massivemusic import instants
from usage.rules import Mode

# Our field → headings that mean it, the clearest first. Capitals, spaces, signs and what stands in brackets
# do not count.
HEADINGS: Final = {
    "stream_id": ("streamid", "playid", "logid", "id"),
    "logged_at": ("datetimelogged", "loggedat", "loggedtime", "timelogged", "datelogged", "logtime", "logged"),
    "user_id": ("userid", "partneruserid", "clientuserid", "enduserid", "user"),
    "track_id": ("trackid", "track"),
    "format_id": ("formatid", "format"),
    "country": ("country", "countrycode", "usercountry", "territory"),
    "mode": ("playmode", "mode"),
    "played_at": ("datetimeplayed", "playedat", "dateplayed", "playdate", "playdatetime", "timeofplay"),
    "seconds_played": (
        "totaltimeplayed", "playedduration", "durationplayed", "playduration", "secondsplayed", "playedseconds",
    ),
}  # fmt: skip
OPTIONAL: Final = {"stream_id"}
MODES: Final = {re.sub(r"[^a-z]", "", mode.value): mode.value for mode in Mode}

PREAMBLE: Final = 20  # lines above the headings, such as a title
WIDEST: Final = 64  # columns of a workbook that are looked at
DEEPEST: Final = 1_048_576  # rows that a workbook's sheet can have
LONGEST: Final = 64 * 1024  # bytes of a line
MOST_UNPACKED: Final = 1024**3  # bytes of a workbook
MOST_STRINGS: Final = 128 * 1024**2  # bytes of its table of texts, which must be held at once
# All that a workbook which is none makes its reader trip over.
UNREADABLE: Final = (
    zipfile.BadZipFile, zlib.error, ParseError, LookupError, ValueError, TypeError, AttributeError, EOFError, OSError,
    RuntimeError, ArithmeticError,
)  # fmt: skip

Cells = Sequence[Any]


class BadReport(Refusal):
    """The file is no usage report that we can read; nothing of it is taken."""

    code, kind = "bad_usage_report", Kind.INVALID


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedPlay:
    """A line of the report. Instants are UTC, `played_at` to the second."""

    line: int
    stream_id: str
    logged_at: datetime
    user_id: str
    track_id: int
    format_id: int
    country: str
    mode: str
    played_at: datetime
    seconds_played: int


def read_report(file: IO[bytes]) -> Iterator[ReportedPlay]:
    """Every line below the headings, blank ones left out. Raises BadReport with the number of the line."""
    rows = rows_of(file)
    columns = headings_in(rows)
    for line, cells in rows:
        yield play_in(line, cells, columns)


def rows_of(file: IO[bytes]) -> Iterator[tuple[int, Cells]]:
    """The file's lines that are not blank, each with its number."""
    file.seek(0)
    first = file.read(4)
    file.seek(0)
    if not first:
        raise BadReport("the file is empty")
    if first == b"\xd0\xcf\x11\xe0":
        raise BadReport("this is a workbook of the old kind (.xls): save it as .xlsx or as CSV")
    rows = rows_of_workbook(file) if first == b"PK\x03\x04" else rows_of_csv(file)
    return ((line, cells) for line, cells in rows if any(cell not in (None, "") for cell in cells))


# --- CSV -------------------------------------------------------------------------------------------------


def rows_of_csv(file: IO[bytes]) -> Iterator[tuple[int, Cells]]:
    lines = lines_of(file)
    head = list(islice(lines, PREAMBLE))
    delimiter = max(";,\t", key=lambda mark: max(len(fields_in(line.split(mark))) for line in head))
    reader = csv.reader(chained(head, lines), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise BadReport(f"line {reader.line_num}: {error}") from None


def lines_of(file: IO[bytes]) -> Iterator[str]:
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise BadReport(f"line {number}: is longer than {LONGEST} bytes")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise BadReport(f"line {number}: is no text in UTF-8") from None
        if "\x00" in text:
            raise BadReport(f"line {number}: holds NUL, so this is no text")
        yield text


def chained(head: list[str], rest: Iterator[str]) -> Iterator[str]:
    yield from head
    yield from rest


# --- Workbooks -------------------------------------------------------------------------------------------


def rows_of_workbook(file: IO[bytes]) -> Iterator[tuple[int, Cells]]:
    """The rows of a workbook's first sheet."""
    from openpyxl import load_workbook  # heavy, and the web has little use for it

    with told_as_bad():
        check_size(file)
        book = load_workbook(file, read_only=True, keep_links=False)
        # What a sheet says of its own size is often wrong, and would cut it off.
        rows = book.worksheets[0].iter_rows(values_only=True, max_col=WIDEST, max_row=DEEPEST)
        for line, cells in enumerate(rows, 1):
            if line == DEEPEST:
                raise BadReport("the sheet is full, so the rest may be lost: send the report as CSV")
            if cells.count(None) < WIDEST:
                yield line, [cell.strip() if isinstance(cell, str) else cell for cell in cells]


@contextmanager
def told_as_bad() -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise BadReport(f"the workbook cannot be read: {type(error).__name__}") from None


def check_size(file: IO[bytes]) -> None:
    """Refuse what would unpack to more than anybody's report."""
    with zipfile.ZipFile(file) as parts:
        sizes = {part.filename: part.file_size for part in parts.infolist()}
    if sum(sizes.values()) > MOST_UNPACKED or sizes.get("xl/sharedStrings.xml", 0) > MOST_STRINGS:
        raise BadReport("the workbook unpacks to more than a report can have: send it as CSV")


# --- Headings and cells ----------------------------------------------------------------------------------


def headings_in(rows: Iterator[tuple[int, Cells]]) -> dict[str, tuple[int, str]]:
    """Field → its column and how that is headed, from the first line with enough of our words."""
    best: dict[str, tuple[int, str]] = {}
    for line, cells in islice(rows, PREAMBLE):
        found = columns_in(line, cells)
        best = max(best, found, key=len)
        if not (HEADINGS.keys() - OPTIONAL - found.keys()):
            return found
        if len(found) > len(HEADINGS) // 2:
            break
    missing = [f"{name} (such as “{HEADINGS[name][0]}”)" for name in HEADINGS if name not in best.keys() | OPTIONAL]
    raise BadReport(f"no line of headings names {', '.join(missing)}")


def columns_in(line: int, cells: Cells) -> dict[str, tuple[int, str]]:
    words = words_of(cells)
    found = {}
    for field, word in fields_in(cells).items():
        column = words.index(word)
        if words.count(word) > 1:
            raise BadReport(f"line {line}: two columns are headed “{cells[column]}”")
        found[field] = (column, str(cells[column]))
    return found


def fields_in(cells: Cells) -> dict[str, str]:
    """Our fields that a line of headings names, each with the word it names it by."""
    words = set(words_of(cells))
    named = {field: next((word for word in meanings if word in words), None) for field, meanings in HEADINGS.items()}
    return {field: word for field, word in named.items() if word}


def words_of(cells: Cells) -> list[str]:
    return [re.sub(r"[^a-z0-9]", "", re.sub(r"[(\[].*?[)\]]", "", str(cell or "").lower())) for cell in cells]


def play_in(line: int, cells: Cells, columns: dict[str, tuple[int, str]]) -> ReportedPlay:
    """The line's cells by their fields. Raises BadReport naming the line, the column and what is wrong."""
    facts: dict[str, Any] = {"stream_id": ""}
    for field, (column, heading) in columns.items():
        try:
            facts[field] = READERS[field](cells[column] if column < len(cells) else None)
        except (ValueError, OverflowError) as error:
            raise BadReport(f"line {line}, {heading}: {error}") from None
    return ReportedPlay(line=line, **facts)


def text(cell: Any) -> str:
    """Up to 255 characters; a number is taken for its digits."""
    found = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell if cell is not None else "")
    if found.startswith("="):
        raise ValueError("is a formula")
    if len(found) > 255 or not found.isprintable():
        raise ValueError("is too long, or holds control characters")
    return found


def needed(cell: Any) -> str:
    if not (found := text(cell)):
        raise ValueError("is empty")
    return found


def whole(cell: Any) -> int:
    """A number from 0 on, also one that ends in `.0`."""
    found = re.fullmatch(r"(\d{1,18})(?:[.,]0{1,9})?", needed(cell), re.ASCII)
    if isinstance(cell, bool) or not found:
        raise ValueError(f"{str(cell)[:40]!r} is no whole number")
    return int(found[1])


def country(cell: Any) -> str:
    found = needed(cell).upper()
    if not re.fullmatch(r"[A-Z]{2}", found):
        raise ValueError(f"{found[:40]!r} is no country of two letters")
    return found


def mode(cell: Any) -> str:
    found = MODES.get(re.sub(r"[^a-z]", "", needed(cell).lower()))
    if not found:
        raise ValueError(f"{str(cell)[:40]!r} is none of {', '.join(MODES.values())}")
    return found


def instant(cell: Any) -> datetime:
    """An instant in UTC, of a sane year. Without an offset it is taken for UTC."""
    if isinstance(cell, datetime):
        found = cell.replace(tzinfo=UTC)  # a workbook knows no time zones
    else:
        words = needed(cell).removesuffix("UTC").strip()
        if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", words):
            raise ValueError(f"{words[:40]!r} is no time such as 2026-11-21T12:00:00Z")
        try:
            found = instants.read(words.upper())
        except ValueError:
            raise ValueError(f"{words[:40]!r} is no time such as 2026-11-21T12:00:00Z") from None
    if found.year not in SANE_YEARS:
        raise ValueError("lies outside of the years 2000 to 2100")
    return found


def second(cell: Any) -> datetime:
    return instant(cell).replace(microsecond=0)


def stream_id(cell: Any) -> str:
    return text(cell)[:128]


READERS: Final = {
    "stream_id": stream_id,
    "logged_at": instant,
    "user_id": needed,
    "track_id": whole,
    "format_id": whole,
    "country": country,
    "mode": mode,
    "played_at": second,
    "seconds_played": whole,
}
