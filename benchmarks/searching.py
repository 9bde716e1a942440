"""Searching the mirror as phones do: in the database, and over HTTP."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote

from benchmarks import load, stand
from benchmarks.report import table, target

ASKED, CONNECTIONS, SECONDS = 400, 8, 6.0
PAGE: Final = slice(0, 21)  # twenty, and whether there are more


class Searching:
    """Each kind of query, as the catalogue grows."""

    def __init__(self, words: Sequence[str], tokens: Sequence[str]) -> None:
        self.words, self.tokens = words, tokens
        self.rows: list[list[str]] = []
        self.met: list[bool] = []

    def measure(self, tracks: int) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        queries = {name: [make(self.words, tracks) for _ in range(ASKED)] for name, make in KINDS.items()}
        alone = {name: timed(asked) for name, asked in queries.items()}
        served = self.served(queries)
        for name, result in served.items():
            inside = [f"{percentile(alone[name], share) * 1000:.1f}" for share in (0.5, 0.99)]
            outside = [f"{result.percentile(share) * 1000:.1f}" for share in (0.5, 0.99)]
            self.rows.append([f"{tracks:,} tracks, {name}", *inside, f"{result.rate:,.0f}", *outside])
        self.alone, self.over_http = alone, served

    def served(self, queries: dict[str, list[str]]) -> dict[str, load.Result]:
        results = {}
        with stand.server() as (port, _):
            for name, asked in queries.items():
                paths = [f"/api/v1/catalogue/search?q={quote(text)}" for text in asked]
                messages = [load.request("GET", path, token=self.tokens[0]) for path in paths]
                load.warm(port, messages, connections=CONNECTIONS)
                results[name] = load.run(port, messages, connections=CONNECTIONS, seconds=SECONDS)
                assert set(results[name].statuses) == {200}, results[name].statuses
        return results

    def report(self) -> bool:
        """The table, and the targets on the last size measured."""
        head = ["", "db p50 ms", "db p99 ms", "HTTP/s", "p50 ms", "p99 ms"]
        table(f"searching, 20 hits, {CONNECTIONS} connections over HTTP", head, self.rows)
        every = [each for times in self.alone.values() for each in times]
        worst = max(self.over_http, key=lambda name: self.over_http[name].percentile(0.99))
        slowest = self.over_http[worst].percentile(0.99) * 1000
        return all(
            [
                target("p50 in the database, all kinds", percentile(every, 0.5) * 1000, 2, at_most=True, unit=" ms"),
                target("p99 in the database, all kinds", percentile(every, 0.99) * 1000, 25, at_most=True, unit=" ms"),
                target(f"p99 over HTTP, {worst}", slowest, 60, at_most=True, unit=" ms"),
            ]
        )


def some_title(tracks: int) -> list[str]:
    """The words of a track that there is."""
    from catalogue.models import Track

    known = Track.objects.filter(pk__gte=random.randint(1, tracks))
    track = known.order_by("pk").select_related("artist").first()
    assert track is not None
    return f"{track.title} {track.artist.name}".split()


def typo(word: str) -> str:
    """The word with two neighbouring letters exchanged."""
    at = random.randrange(1, max(2, len(word) - 2))
    return word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


def two_words(_: Sequence[str], tracks: int) -> str:
    return " ".join(random.sample(some_title(tracks), 2))


def prefix(_: Sequence[str], tracks: int) -> str:
    return random.choice(some_title(tracks))[:3]


def misspelt(_: Sequence[str], tracks: int) -> str:
    first, second = random.sample(some_title(tracks), 2)
    return f"{typo(first)} {second}"


KINDS: dict[str, Callable[[Sequence[str], int], str]] = {
    "two words": two_words,
    "three letters": prefix,
    "one common word": lambda words, _: random.choice(words[:20]),
    "two words, one misspelt": misspelt,
}


def timed(queries: Sequence[str]) -> list[float]:
    """Seconds to the ids of the best, with whatever must be asked for that."""
    from catalogue.models import Track
    from catalogue.search import found

    times = []
    for text in queries:
        began = time.perf_counter()
        assert len(found(Track, text=text)[PAGE]) <= PAGE.stop
        times.append(time.perf_counter() - began)
    return times


def percentile(times: Sequence[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]
