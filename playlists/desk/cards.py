"""What the page of takedowns shows: each harmed track with where it stands and what may stand in for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from desk.cells import ago, minutes
from playlists.curation import called
from playlists.harms import Harm, Place
from playlists.models import Item, Revision, Swap
from playlists.sheet import Line, lines_for
from playlists.substitutes import Candidate, Want, missing_in, reasons, substitutes
from playlists.swapping import lately

SWAPS: Final = 60  # that are offered to be undone


@dataclass(frozen=True, kw_only=True)
class Way:
    """One button: places to swap in, as the form names them; whether listeners have one of them, or will."""

    places: Sequence[Place]
    missing: Sequence[str] = ()

    @property
    def named(self) -> str:
        return named(self.places)

    @property
    def lists(self) -> list[str]:
        return list(dict.fromkeys(place.playlist for place in self.places))

    @property
    def given(self) -> bool:
        return any(place.given for place in self.places)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A substitute: why, where it does not play, on which of the lists it is already, and the ways to swap it in."""

    track: Candidate
    reasons: Sequence[str]
    missing: Sequence[str]
    already_on: Sequence[str]
    everywhere: Way | None
    one_by_one: Sequence[Way]

    @property
    def word(self) -> str:
        """What the button for all of them says."""
        if not self.everywhere or not self.one_by_one:
            return "Swap"
        some, every = len(self.everywhere.places), len(self.one_by_one)
        return "Swap everywhere" if some == every else f"Swap in {some} of {every}"

    @property
    def length(self) -> str:
        return minutes(self.track.seconds)


@dataclass(frozen=True, kw_only=True)
class Left:
    """A place in which listeners have the track, and the draft has it no more: another instead, or nothing."""

    place: Place
    instead: Line | None

    @property
    def named(self) -> str:
        return named([self.place])


@dataclass(frozen=True, kw_only=True)
class Card:
    """A harmed track with all there is to know and to do about it."""

    harm: Harm
    track: Line
    choices: Sequence[Choice]
    swappable: bool
    left: Sequence[Left]
    age: str


@dataclass(frozen=True, kw_only=True)
class Undoable:
    """Swaps that were one act; whether listeners have what they brought."""

    ids: str
    was: Line
    became: Line
    lists: Sequence[str]
    by: str
    age: str
    given: bool


def named(places: Iterable[Place]) -> str:
    """Places as the form names them: `<list>:<item>`, with blanks between."""
    return " ".join(f"{place.playlist_id}:{place.item_id}" for place in places)


def want_of(harm: Harm) -> Want:
    return Want(track_id=harm.track_id, markets=harm.markets, lost=harm.lost)


def cards(shown: Sequence[Harm], *, at: datetime) -> list[Card]:
    """The harms with everything about them; as many statements for one as for a hundred."""
    found = substitutes([want_of(harm) for harm in shown], at=at)
    instead = drafted({place.item_id for harm in shown for place in harm.places if not place.in_draft})
    lines = by_id({harm.track_id for harm in shown} | set(instead.values()), at=at)
    there = listed(
        {place.playlist_id for harm in shown for place in harm.places},
        {candidate.track_id for each in found.values() for candidate in each},
    )
    return [
        Card(
            harm=harm,
            track=lines[harm.track_id],
            choices=[choice(candidate, harm, there) for candidate in found[harm.track_id]],
            swappable=any(place.in_draft for place in harm.places),
            left=[
                Left(place=place, instead=lines.get(instead.get(place.item_id, 0)))
                for place in harm.places
                if not place.in_draft
            ],
            age=ago(at - harm.since),
        )
        for harm in shown
    ]


def choice(candidate: Candidate, harm: Harm, there: set[tuple[UUID, int]]) -> Choice:
    """It may stand in everywhere at once where it plays in all that a list is meant for, and one by one anywhere."""
    places = [place for place in harm.places if place.in_draft]
    ways = [Way(places=[place], missing=missing_in(candidate, place.markets)) for place in places]
    whole = [place for way in ways if not way.missing for place in way.places]
    together = whole if len(places) > 1 else places
    return Choice(
        track=candidate,
        reasons=reasons(candidate),
        missing=missing_in(candidate, harm.markets),
        already_on=[
            place.playlist for place in harm.places if (place.playlist_id, candidate.track_id) in there
        ],
        everywhere=Way(places=together) if together else None,
        one_by_one=ways if len(places) > 1 else [],
    )  # fmt: skip


def undoable(*, at: datetime) -> list[Undoable]:
    """What was swapped lately, the latest first."""
    swaps = list(lately(now=at, limit=SWAPS))
    held = given_to_listeners({each.playlist_id for each in swaps}, at=at)
    lines = by_id({pk for each in swaps for pk in (each.was_id, each.became_id)}, at=at)
    acts = groupby(swaps, key=lambda each: (each.swapped_at, each.was_id, each.became_id))
    return [act([*alike], lines, held, at=at) for _, alike in acts]


def act(swaps: Sequence[Swap], lines: Mapping[int, Line], held: set[tuple[UUID, int]], *, at: datetime) -> Undoable:
    first = swaps[0]
    return Undoable(
        ids=" ".join(f"{each.playlist_id}:{each.pk}" for each in swaps),
        was=lines[first.was_id],
        became=lines[first.became_id],
        lists=list(dict.fromkeys(each.playlist.name for each in swaps)),
        by=called(first.swapped_by),
        age=ago(at - first.swapped_at),
        given=any((each.item_id, each.became_id) in held for each in swaps),
    )


# --- What these ask for ------------------------------------------------------------------------------------


def by_id(track_ids: Iterable[int], *, at: datetime) -> dict[int, Line]:
    return {line.track_id: line for line in lines_for(sorted(track_ids), markets=[], at=at)}


def drafted(item_ids: Iterable[UUID]) -> dict[UUID, int]:
    """What the drafts have in these places now."""
    return dict(Item.objects.filter(pk__in=item_ids).values_list("pk", "track_id"))


def listed(playlist_ids: Iterable[UUID], track_ids: Iterable[int]) -> set[tuple[UUID, int]]:
    """Which of the lists have which of the tracks already."""
    return set(
        Item.objects.filter(playlist__in=playlist_ids, track__in=track_ids).values_list("playlist_id", "track_id")
    )


def given_to_listeners(playlist_ids: Iterable[UUID], *, at: datetime) -> set[tuple[UUID, int]]:
    """The items with their tracks that listeners have of these lists, or will have."""
    own = Revision.objects.filter(playlist__in=playlist_ids)
    lists = [*own.live(at).values_list("item_ids", "track_ids"), *own.waiting(at).values_list("item_ids", "track_ids")]
    return {pair for item_ids, track_ids in lists for pair in zip(item_ids, track_ids, strict=True)}
