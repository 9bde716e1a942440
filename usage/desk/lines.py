"""A difference as people read it: our play beside the platform's line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from desk.cells import Table, label, moment
from usage.models import Difference, Play

SHOWN: Final = 50  # rows of a table; the list has them all
COLOURS: Final = {"MISSING": "danger", "EXTRA": "warning", "CHANGED": "info", "UNEXPECTED": "warning"}
HEADERS: Final = ["what", "user", "our ledger", "the report", "found out"]
# What may differ → its column, on both sides, and how it is written.
PARTS: Final = {
    "played at": ("played_at", "{}"),
    "track": ("track_id", "track {}"),
    "seconds": ("seconds_played", "{} s"),
    "format": ("format_id", "format {}"),
    "country": ("country", "{}"),
    "mode": ("mode", "{}"),
}
COLUMNS: Final = {column: column for column, _ in PARTS.values()}


def with_plays(differences: QuerySet[Difference]) -> QuerySet[Difference]:
    """Each with our play as `ours`, a plain object; None where there is none, or its month is no longer kept."""
    own = Play.objects.filter(listener=OuterRef("listener"), played_at=OuterRef("played_at"), pk=OuterRef("play"))
    plain = Subquery(own.values(facts=JSONObject(**COLUMNS)))
    return differences.select_related("row", "listener", "resolved_by").annotate(ours=plain)


def differences_table(differences: Iterable[Difference]) -> Table:
    return Table(
        headers=HEADERS,
        rows=[[kind(each), user(each), ours(each), theirs(each), found_out(each)] for each in differences],
    )


def kind(difference: Difference) -> SafeString:
    return label(difference.kind, COLOURS[difference.kind])


def user(difference: Difference) -> str:
    """The beginning of the platform's id of the user."""
    if difference.listener is not None:
        return f"{difference.listener.platform_id[:12]}…"
    return f"{difference.row.user_id[:12]}…" if difference.row else "–"


def ours(difference: Difference) -> SafeString | str:
    plain: dict[str, Any] | None = getattr(difference, "ours", None)
    if plain is None:
        return "–" if difference.play is None else "no longer kept"
    return told(plain | {"played_at": moment(datetime.fromisoformat(plain["played_at"]))}, difference.fields)


def theirs(difference: Difference) -> SafeString | str:
    if (row := difference.row) is None:
        return "–"
    facts = {column: getattr(row, column) for column in COLUMNS}
    line = told(facts | {"played_at": moment(row.played_at)}, difference.fields)
    return format_html("{}<br><span class='text-subtle'>line {}{}</span>", line, row.line, aside(difference.detail))


def aside(detail: str) -> str:
    return f": {detail}" if detail else ""


def told(facts: Mapping[str, object], differing: Iterable[str]) -> SafeString:
    """The facts in a line, what differs in bold."""
    cells = [(part in differing, shape.format(facts[column])) for part, (column, shape) in PARTS.items()]
    written = [format_html("<strong>{}</strong>" if bold else "{}", text) for bold, text in cells]
    return format_html_join(" · ", "{}", ((text,) for text in written))


def found_out(difference: Difference) -> SafeString | str:
    if difference.resolution == Difference.Resolution.OPEN:
        return label("OPEN", "warning")
    by = f" ({difference.resolved_by})" if difference.resolved_by else ""
    return format_html("{}: {}{}", difference.get_resolution_display(), difference.note, by)
