"""The usage report: what was logged, a line for each play, as the platform sends it after a month.

Which facts it holds is documented ("Client usage reports"), how its columns are headed is not:
HEADINGS are our choice. Instants are UTC, and `Stream ID` is the journal's seq.

For tests it can hold errors: some plays left out, some lines that are nobody's, some changed. The
same order on the same journal makes the same errors, so the control door can tell which they are.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import IO, Any, Final

from sandbox import instants
from sandbox.models import Entry, Track

HEADINGS: Final = (
    "Stream ID", "Date Time Logged", "Date Time Played", "User ID", "Service", "Track ID", "Release ID", "Format ID",
    "Country", "Play Mode", "Played Duration (s)", "Total Duration (s)", "Device", "Key Name",
)  # fmt: skip
MOST_ON_A_SHEET: Final = 1_048_575  # lines that a sheet of a workbook takes, without its headings
AT_ONCE: Final = 500


class TooFew(Exception):
    """There are not as many plays as errors were ordered."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the report; the fields in the order of its columns."""

    stream_id: str
    logged_at: datetime
    played_at: datetime
    user_id: str
    service: str
    track_id: int
    release_id: int
    format_id: int
    country: str
    mode: str
    seconds: int
    total_seconds: int
    device: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """Plays logged in `[start, end)`; of these `errors` are left out, as many changed, and as many added."""

    start: datetime
    end: datetime
    errors: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Told:
    """A line as it is told, and as it was logged: None where there is none."""

    line: Line | None
    logged: Line | None


def lines(order: Order) -> Iterator[Line]:
    """The report's lines, in the order in which they were logged."""
    return (told.line for told in telling(order) if told.line is not None)


def errors(order: Order) -> dict[str, list[dict[str, Any]]]:
    """What a report of this order says wrongly: `missing` and `extra` lines, `changed` ones as logged and as told."""
    wrong = [told for told in telling(order) if told.line != told.logged]
    return {
        "missing": [plain(told.logged) for told in wrong if told.logged and not told.line],
        "extra": [plain(told.line) for told in wrong if told.line and not told.logged],
        "changed": [{"was": plain(t.logged), "is": plain(t.line)} for t in wrong if t.line and t.logged],
    }


def telling(order: Order) -> Iterator[Told]:
    """Every logged play, and every line that is nobody's. Raises TooFew."""
    entries = Entry.objects.filter(kind="plays", at__gte=order.start, at__lt=order.end).order_by("seq")
    count = entries.count() if order.errors else 0
    if order.errors * 2 > count:
        raise TooFew(f"{count} play(s) are too few for {order.errors} errors of each kind")
    chance = random.Random(order.seed)  # noqa: S311  nothing secret
    chosen = chance.sample(range(count), 2 * order.errors)
    left_out, changed = set(chosen[: order.errors]), set(chosen[order.errors :])
    added = Counter(chance.choices(range(count), k=order.errors)) if order.errors else Counter()
    lengths = dict(Track.objects.values_list("pk", "seconds"))
    for number, entry in enumerate(entries.iterator()):
        line = line_of(entry, lengths)
        if number in left_out:
            yield Told(None, line)
        else:
            yield Told(chance.choice(CHANGES)(line) if number in changed else line, line)
        for _ in range(added[number]):
            yield Told(foreign(line, chance), None)


def line_of(entry: Entry, lengths: dict[int, float]) -> Line:
    play = entry.fields
    return Line(
        stream_id=str(entry.seq),
        logged_at=entry.at.replace(microsecond=0),
        played_at=instants.parse(play["dateTimePlayed"]).replace(microsecond=0),
        user_id=play["userId"],
        service="Subscription streaming",
        track_id=play["trackId"],
        release_id=play.get("releaseId", 0),
        format_id=play.get("formatId", 0),
        country=play["country"],
        mode=play.get("playMode", ""),
        seconds=play["totalTimePlayed"],
        total_seconds=round(lengths.get(play["trackId"], 0)),
        device=play.get("userAgent", ""),
        key="Tonearm",
    )


CHANGES: Final[tuple[Callable[[Line], Line], ...]] = (
    lambda line: replace(line, track_id=line.track_id + 1),
    lambda line: replace(line, seconds=line.seconds + 7),
    lambda line: replace(line, country="IE" if line.country != "IE" else "DE"),
    lambda line: replace(line, format_id=56 if line.format_id != 56 else 26),
    lambda line: replace(line, mode="offline" if line.mode != "offline" else "online"),
    lambda line: replace(line, played_at=line.played_at - timedelta(seconds=41)),
)


def foreign(near: Line, chance: random.Random) -> Line:
    """A play of a user of nobody's, logged together with another."""
    return replace(
        near,
        stream_id=f"{chance.getrandbits(48)}",
        user_id=f"{chance.getrandbits(128):032x}",
        played_at=near.played_at - timedelta(seconds=chance.randrange(86_400)),
        track_id=chance.randrange(1, 2**31),
        seconds=chance.randrange(600),
    )


def plain(line: Line) -> dict[str, Any]:
    """The line as JSON has it."""
    return {name: instants.iso(value) if isinstance(value, datetime) else value for name, value in asdict(line).items()}


def as_csv(order: Order) -> Iterator[str]:
    """The report as CSV, many lines at a time."""
    rows = lines(order)
    yield written([HEADINGS])
    while sheet := list(islice(rows, AT_ONCE)):
        yield written([map(as_text, vars(line).values()) for line in sheet])


def written(rows: Iterable[Iterable[object]]) -> str:
    sheet = io.StringIO()
    csv.writer(sheet).writerows(rows)
    return sheet.getvalue()


def as_text(value: object) -> object:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value


def write_xlsx(order: Order, file: IO[bytes]) -> None:
    """The report as a workbook, row by row. Raises TooFew."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Usage")

    def cell(value: object) -> Any:
        if isinstance(value, datetime):
            return value.replace(tzinfo=None)  # a workbook knows no time zones
        if isinstance(value, str):
            made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
            made.data_type = "s"  # a device may call itself "=1+1"
            return made
        return value

    sheet.append(HEADINGS)
    for line in islice(lines(order), MOST_ON_A_SHEET):
        sheet.append([cell(value) for value in vars(line).values()])
    book.save(file)
