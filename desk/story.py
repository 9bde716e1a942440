"""What each package can tell support about one listener. Packages say so in their `story.py`; the page imports none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from desk.cells import Table
from desk.rows import may_view
from desk.strip import Lane, Span

LATEST: Final = 12  # rows of a chapter; its list has them all

Reader: TypeAlias = AbstractBaseUser | AnonymousUser
Tell = Callable[[Any], Table]
Draw = Callable[[Any], Sequence[Span]]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A table about one listener, for staff who may view `model`; the lowest `place` comes first."""

    title: str
    model: str
    place: int
    tell: Tell


_chapters: list[Chapter] = []
_lanes: list[tuple[str, str, Draw]] = []


def chapter(title: str, *, model: str, place: int) -> Callable[[Tell], Tell]:
    """Register the decorated function: it gets a listener and makes a table, the latest first."""

    def register(tell: Tell) -> Tell:
        _chapters.append(Chapter(title=title, model=model, place=place, tell=tell))
        return tell

    return register


def lane(title: str, *, model: str) -> Callable[[Draw], Draw]:
    """Register the decorated function: it gets a listener and makes spans of time for the picture."""

    def register(draw: Draw) -> Draw:
        _lanes.append((title, model, draw))
        return draw

    return register


def story_of(listener: Any, *, reader: Reader) -> Iterator[tuple[str, Table]]:
    """Every chapter that this member of staff may read, with its title."""
    for each in sorted(_chapters, key=lambda each: each.place):
        if may_view(reader, each.model):
            yield each.title, each.tell(listener)


def lanes_of(listener: Any, *, reader: Reader) -> list[Lane]:
    """Every lane of the picture that this member of staff may see."""
    return [(title, draw(listener)) for title, model, draw in _lanes if may_view(reader, model)]


def listed(model: str, text: object, **query: object) -> SafeString:
    """A link to a model's list, narrowed to what `query` asks for."""
    asked = QueryDict(mutable=True)
    asked.update({name: str(value) for name, value in query.items()})
    app, name = model.lower().split(".")
    address = f"{reverse(f'admin:{app}_{name}_changelist')}?{asked.urlencode()}"
    return format_html('<a class="text-link" href="{}">{}</a>', address, text)
