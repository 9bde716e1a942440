"""What somebody typed into a search box: an id, a code, or words as a listener would type them."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, IntegerField, Model, QuerySet, Value

from catalogue.models import Artist, Release, Track
from catalogue.search import code_in, found
from kernel.values import INT32

FOUND: Final = 200  # rows that a search leads to
# By which column each kind of row carries a code, or stands on one that does.
CODES: Final[dict[type[Model], dict[str, str]]] = {
    Artist: {},
    Release: {"isrc": "tracks__isrc", "upc": "upc"},
    Track: {"isrc": "isrc", "upc": "release__upc"},
}


def looked_up(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """The rows with that id, those with that ISRC or UPC, those that hold the words; off the shelves last."""
    named = [*numbered(text), *coded(rows.model, text), *found(rows.model, text=text)[0:FOUND]]
    if rows.model is not Artist:
        named += found(rows.model, text=text, words="former_search")[0:FOUND]
    ids = list(dict.fromkeys(named))[:FOUND]
    if not ids:
        return rows.none()
    listed = Value(ids, output_field=ArrayField(IntegerField()))
    place = Func(listed, F("pk"), function="array_position", output_field=IntegerField())
    return rows.filter(pk__in=ids).order_by(place)


def numbered(text: str) -> list[int]:
    """The id that was typed, if it was one."""
    return [int(text)] if text.isascii() and text.isdigit() and int(text) <= INT32 else []


def coded(model: type[Model], text: str) -> list[int]:
    """The ids of the rows with the code that was typed, if it was one."""
    columns = CODES[model]
    wanted = {columns[name]: code for name, code in code_in(text).items() if name in columns}
    if not wanted:
        return []
    return sorted(set(model._default_manager.filter(**wanted).values_list("pk", flat=True)[:FOUND]))
