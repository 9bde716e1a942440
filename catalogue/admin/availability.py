"""A track's rights at a glance: for each use, where they are open, where not yet, and where no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from catalogue.licensors import is_licensed
from catalogue.models import Offer, Track
from catalogue.rules import Reason, Use
from catalogue.territories import Group, Right, groups_of, is_counted, named, span
from kernel.values import COUNTRIES

USES: Final = {
    Use.STREAM: "Subscription streaming",
    Use.AD_STREAM: "Ad-supported streaming",
    Use.DOWNLOAD: "Download",
}
# How each verdict is called, and its colour.
WORDS: Final[Mapping[Reason | None, tuple[str, str]]] = {
    None: ("open", "success"),
    Reason.NOT_YET: ("not yet", "warning"),
    Reason.ENDED: ("ended", "danger"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A group of territories in words."""

    word: str
    colour: str
    where: str
    when: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One country of the grid; no colour where there was never an offer."""

    code: str
    colour: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UseShown:
    """One use of a track. The grid names the territories that the lines only count."""

    title: str
    lines: Sequence[Line]
    grid: Sequence[Cell]


def uses_of(track: Track, *, at: datetime) -> list[UseShown]:
    """Every use of the track at an instant, in one statement."""
    offers = list(Offer.objects.filter(track=track).select_related("region"))
    shown = []
    for use, title in USES.items():
        rights = [
            Right(territories=offer.region.territories, starts_at=offer.starts_at, ends_at=offer.ends_at)
            for offer in offers
            if offer.use == use
        ]
        groups = groups_of(rights, use=use, at=at)
        shown.append(UseShown(title=title, lines=[line(group) for group in groups], grid=grid(groups)))
    return shown


def line(group: Group) -> Line:
    word, colour = WORDS[group.reason]
    return Line(word=word, colour=colour, where=named(group.territories), when=span(group))


def grid(groups: Sequence[Group]) -> list[Cell]:
    """Every country in the order of the codes; none where all groups are named."""
    if not any(is_counted(group.territories) for group in groups):
        return []
    cells = {}
    for group in groups:
        word, colour = WORDS[group.reason]
        for code in group.territories:
            cells[code] = Cell(code=code, colour=colour, title=f"{code}: {word} {span(group)}")
    return [cells.get(code) or Cell(code=code, colour="", title=f"{code}: no offer") for code in sorted(COUNTRIES)]


def closed_because(track: Track) -> str | None:
    """Why none of its rights counts, whatever they say."""
    if track.release.taken_down_at is not None:
        return "the release has been taken down"
    if track.gone_at is not None:
        return "the release names it no more"
    if not is_licensed(track.release.licensor_id):
        return "we have no contract with its licensor"
    return None
