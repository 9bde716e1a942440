"""A large synthetic catalogue: loading it from raw events, and searching it. `python -m benchmarks.catalogue`."""

from __future__ import annotations

import gzip
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from benchmarks import load, stand
from benchmarks.report import table, target

RELEASES, TRACKS, MEMBERS = 100_000, 10, 5  # tracks on a release, releases in a body
WORDS, ASKED, CONNECTIONS, SECONDS = 20_000, 400, 8, 6.0


def main(releases: int) -> int:
    with stand.engines():
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        random.seed(7)
        words = vocabulary()
        held = [loading(releases, words), searching(words)]
    return 0 if all(held) else 1


def vocabulary() -> list[str]:
    """Words that look like words, the frequent ones first."""
    syllables = [
        start + vowel + end for start in "bcdfghjklmnprstvw" for vowel in "aeiou" for end in ("", "n", "r", "st")
    ]
    return list(dict.fromkeys("".join(random.choices(syllables, k=random.randint(1, 3))) for _ in range(3 * WORDS)))[
        :WORDS
    ]


def title(words: Sequence[str]) -> str:
    """One to four words, the first of the vocabulary much more often than the last."""
    return " ".join(words[int(len(words) * random.random() ** 4)] for _ in range(random.randint(1, 4)))


def loading(releases: int, words: Sequence[str]) -> bool:
    """Store raw events as the door does, and apply them as the worker does."""
    from catalogue.actions import apply_waiting
    from catalogue.models import CatalogueEvent

    rows, elapsed = [], {}
    for version, what in enumerate(("new", "changed"), 1):
        share = releases if what == "new" else releases // 10
        store(share, version, words)
        began = time.perf_counter()
        apply_waiting()
        elapsed[what] = time.perf_counter() - began
        rate = share * TRACKS / elapsed[what]
        rows.append([f"{share:,} releases of {TRACKS} tracks, {what}", f"{rate:,.0f}", f"{elapsed[what]:.0f}"])
    refused = CatalogueEvent.objects.exclude(state="APPLIED").count()
    assert not refused, f"{refused} bodies were not applied"
    table("applying raw events, one worker", ["", "tracks/s", "seconds"], rows)
    print(f"    database: {size_of_database()}")
    return target("tracks applied a second", releases * TRACKS / elapsed["new"], 5000)


def store(releases: int, version: int, words: Sequence[str]) -> None:
    from catalogue.models import CatalogueEvent
    from kernel.values import COUNTRIES
    from tests.helpers import offer

    offers = [[offer(sorted(COUNTRIES))], [offer()]]
    numbers = iter(range(1, releases + 1))
    while members := [
        release(number, version, words, offers) for number, _ in zip(numbers, range(MEMBERS), strict=False)
    ]:
        body = gzip.compress(msgspec.json.encode(members), 1)
        ids = [member["id"] for member in members]
        CatalogueEvent.objects.create(body=body, members=len(members), release_ids=ids)


def release(number: int, version: int, words: Sequence[str], offers: Sequence[Any]) -> dict[str, Any]:
    from tests.helpers import release_event, track_member

    artist = {"id": random.randint(1, 30_000), "name": ""}
    artist["name"] = f"{words[artist['id'] % len(words)]} {words[-artist['id'] % len(words)]}"
    mine = random.choice(offers)
    tracks = [
        track_member(number * TRACKS + each, title=title(words), number=each + 1, artist=artist, offers=mine)
        for each in range(TRACKS)
    ]
    return release_event(number, version=version, title=title(words), artist=artist, tracks=tracks)


def size_of_database() -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
        return str(cursor.fetchone()[0])


# --- searching ---------------------------------------------------------------------------------------------


def searching(words: Sequence[str]) -> bool:
    """Each kind of query in the database and over HTTP, as phones send them."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    queries = {name: [make(words) for _ in range(ASKED)] for name, make in KINDS.items()}
    alone = {name: timed(asked) for name, asked in queries.items()}
    over_http = served(queries)
    rows = [
        [name, *(f"{percentile(alone[name], share) * 1000:.1f}" for share in (0.5, 0.99)), f"{result.rate:,.0f}",
         *(f"{result.percentile(share) * 1000:.1f}" for share in (0.5, 0.99))]
        for name, result in over_http.items()
    ]  # fmt: skip
    head = ["", "db p50 ms", "db p99 ms", "HTTP/s", "p50 ms", "p99 ms"]
    table(f"searching, 20 hits, {CONNECTIONS} connections", head, rows)
    every = [each for times in alone.values() for each in times]
    worst = max(result.percentile(0.99) for result in over_http.values())
    return all(
        [
            target("p50 in the database", percentile(every, 0.5) * 1000, 2, at_most=True, unit=" ms"),
            target("p99 in the database", percentile(every, 0.99) * 1000, 25, at_most=True, unit=" ms"),
            target("p99 over HTTP of the slowest kind", worst * 1000, 60, at_most=True, unit=" ms"),
        ]
    )


def some_title() -> list[str]:
    """The words of a track that there is."""
    from catalogue.models import Track

    track = Track.objects.filter(pk__gte=random.randint(1, 10_000)).order_by("pk").select_related("artist").first()
    assert track is not None
    return f"{track.title} {track.artist.name}".split()


def typo(word: str) -> str:
    """The word with two neighbouring letters exchanged."""
    at = random.randrange(1, max(2, len(word) - 2))
    return word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


def two_words(_: Sequence[str]) -> str:
    return " ".join(random.sample(some_title(), 2))


def prefix(_: Sequence[str]) -> str:
    return random.choice(some_title())[:3]


def misspelt(_: Sequence[str]) -> str:
    first, second = random.sample(some_title(), 2)
    return f"{typo(first)} {second}"


KINDS: dict[str, Callable[[Sequence[str]], str]] = {
    "two words": two_words,
    "three letters": prefix,
    "one common word": lambda words: random.choice(words[:20]),
    "two words, one misspelt": misspelt,
}


def timed(queries: Sequence[str]) -> list[float]:
    """Seconds to the ids of the best 21, with whatever must be asked for that."""
    from catalogue.models import Track
    from catalogue.search import found

    times = []
    for text in queries:
        began = time.perf_counter()
        assert len(found(Track, text=text)[0:21]) <= 21
        times.append(time.perf_counter() - began)
    return times


def served(queries: dict[str, list[str]]) -> dict[str, load.Result]:
    from urllib.parse import quote

    token = stand.tokens()[0]
    results = {}
    with stand.server() as (port, _):
        for name, asked in queries.items():
            messages = [load.request("GET", f"/api/v1/catalogue/search?q={quote(text)}", token=token) for text in asked]
            load.warm(port, messages, connections=CONNECTIONS)
            results[name] = load.run(port, messages, connections=CONNECTIONS, seconds=SECONDS)
            assert set(results[name].statuses) == {200}, results[name].statuses
    return results


def percentile(times: Sequence[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RELEASES))
