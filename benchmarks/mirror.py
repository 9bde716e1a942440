"""A synthetic catalogue, as the raw events it would come in."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

TRACKS: Final = 10  # on a release
MEMBERS: Final = 5  # releases in a body
WORDS, ARTISTS = 20_000, 30_000


def vocabulary() -> list[str]:
    """Words that look like words, the frequent ones first."""
    syllables = [
        start + vowel + end for start in "bcdfghjklmnprstvw" for vowel in "aeiou" for end in ("", "n", "r", "st")
    ]
    made = ("".join(random.choices(syllables, k=random.randint(1, 3))) for _ in range(3 * WORDS))
    return list(dict.fromkeys(made))[:WORDS]


def title(words: Sequence[str]) -> str:
    """One to four words, the first of the vocabulary much more often than the last."""
    return " ".join(words[int(len(words) * random.random() ** 4)] for _ in range(random.randint(1, 4)))


def releases(numbers: Iterable[int], *, version: int, words: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Members of catalogue events, half of them for the whole world."""
    from kernel.values import COUNTRIES
    from tests.helpers import offer

    offers = [[offer(sorted(COUNTRIES))], [offer()]]
    for number in numbers:
        yield release(number, version, words, random.choice(offers))


def release(number: int, version: int, words: Sequence[str], offers: Any, tracks: int = TRACKS) -> dict[str, Any]:
    from tests.helpers import release_event, track_member

    id_ = random.randint(1, ARTISTS)
    artist = {"id": id_, "name": f"{words[id_ % len(words)]} {words[-id_ % len(words)]}"}
    members = [
        track_member(number * TRACKS + each, title=title(words), number=each + 1, artist=artist, offers=offers)
        for each in range(tracks)
    ]
    return release_event(
        number, version=version, title=title(words), artist=artist, tracks=members, upc=f"{10**12 + number}"
    )


def store(members: Iterator[dict[str, Any]]) -> None:
    """Keep them as the door does, MEMBERS to a body."""
    from catalogue.models import CatalogueEvent

    while some := list(islice(members, MEMBERS)):
        body = gzip.compress(msgspec.json.encode(some), 1)
        CatalogueEvent.objects.create(body=body, members=len(some), release_ids=[each["id"] for each in some])


def popularity(tracks: int) -> Iterator[Any]:
    """A place for every track, as the platform's file would give them."""
    from massivemusic.popularity import Popularity

    places = random.sample(range(1, tracks + 1), tracks)
    for id_, place in enumerate(places, TRACKS):
        yield Popularity(kind="track", id=id_, rank=place, modifier=1.0)
