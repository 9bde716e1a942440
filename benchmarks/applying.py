"""Applying raw events: in batches as the worker does, row by row as anybody would, and a bare COPY of the same rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from benchmarks import mirror
from benchmarks.report import table, target

TABLES: Final = ("catalogue_artist", "catalogue_release", "catalogue_track", "catalogue_offer")
ONE_BY_ONE: Final = 500


class Applying:
    """Measures as the catalogue grows; `rates` are releases a second."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.rows: list[list[str]] = []
        self.rates: dict[str, float] = {}

    def apply(self, name: str, numbers: range, *, version: int) -> None:
        """Store raw events of these releases as the door does, then apply them as the worker does."""
        from catalogue.actions import apply_waiting
        from catalogue.models import CatalogueEvent

        mirror.store(mirror.releases(numbers, version=version, words=self.words))
        began = time.perf_counter()
        apply_waiting()
        self.note(
            f"raw events in batches: {len(numbers):,} releases, {name}", len(numbers), time.perf_counter() - began
        )
        refused = CatalogueEvent.objects.exclude(state="APPLIED").count()
        assert not refused, f"{refused} bodies were not applied"

    def apply_one_by_one(self, start: int) -> None:
        """The same content through the ORM, a transaction for each release and a statement for each row."""
        from catalogue.events import read_member

        members = mirror.releases(range(start, start + ONE_BY_ONE), version=1, words=self.words)
        facts = [read_member(member) for member in members]
        began = time.perf_counter()
        for each in facts:
            write_alone(each)
        self.note(f"row by row: {ONE_BY_ONE:,} releases, new", ONE_BY_ONE, time.perf_counter() - began)

    def copy(self, releases: int) -> None:
        """What stands in the mirror, once more into bare tables: no index, no key, no text to split into words."""
        seconds = sum(copied(name) for name in TABLES)
        self.note(f"bare COPY of {releases:,} releases", releases, seconds)

    def note(self, name: str, releases: int, seconds: float) -> None:
        rate = releases / seconds
        self.rates[name] = rate
        self.rows.append([name, f"{rate:,.0f}", f"{rate * mirror.TRACKS:,.0f}", f"{seconds:.1f}"])

    def report(self) -> bool:
        ceiling = list(self.rates.values())[-1]
        rows = [[*row[:3], f"{self.rates[row[0]] / ceiling:.3f}", row[3]] for row in self.rows]
        table("applying releases of ten tracks", ["", "releases/s", "tracks/s", "of COPY", "seconds"], rows)
        print(f"    {size_of_database()}")
        slowest = min(rate for name, rate in self.rates.items() if name.startswith("raw events"))
        return target("tracks applied a second, the slowest batch run", slowest * mirror.TRACKS, 5000)


def write_alone(facts: Any) -> None:
    """One release as a view without batches would write it."""
    from django.db import transaction

    from catalogue.models import Artist, Offer, Region, Release, Track
    from catalogue.regions import region_id

    with transaction.atomic():
        Artist.objects.update_or_create(id=facts.artist.id, defaults={"name": facts.artist.name})
        Release.objects.update_or_create(
            id=facts.id,
            defaults={"version": facts.version, "title": facts.title, "artist_id": facts.artist.id, "upc": facts.upc},
        )
        for track in facts.tracks:
            named = {"title": track.title, "isrc": track.isrc, "release_id": facts.id, "artist_id": track.artist.id}
            Track.objects.update_or_create(id=track.id, defaults=named)
            Offer.objects.filter(track_id=track.id).delete()
            for offer in track.offers:
                region, _ = Region.objects.get_or_create(
                    id=region_id(offer.territories), defaults={"territories": list(offer.territories)}
                )
                Offer.objects.create(
                    release_id=facts.id, track_id=track.id, use=offer.use, region=region, starts_at=offer.starts_at
                )


def copied(name: str) -> float:
    """Seconds to COPY a table's rows, binary as they lie in memory, into a bare table like it."""
    from django.db import connection

    with connection.unhurried(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(f"CREATE TABLE bench_copy (LIKE {name})")
        with cursor.copy(f"COPY (SELECT * FROM {name}) TO STDOUT (FORMAT BINARY)") as out:  # noqa: S608  constants
            blocks = list(out)
        began = time.perf_counter()
        with cursor.copy("COPY bench_copy FROM STDIN (FORMAT BINARY)") as into:
            for block in gathered(blocks):
                into.write(block)
        seconds = time.perf_counter() - began
        cursor.execute("DROP TABLE bench_copy")
    return seconds


def gathered(blocks: Sequence[Any], *, size: int = 2**17) -> Iterator[bytes]:
    """Small blocks as large ones."""
    pile = bytearray()
    for block in blocks:
        pile += block
        if len(pile) >= size:
            yield bytes(pile)
            pile.clear()
    yield bytes(pile)


def size_of_database() -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_size_pretty(pg_database_size(current_database())),"
            " pg_size_pretty(pg_total_relation_size('catalogue_track')),"
            " pg_size_pretty(pg_relation_size('track_search')),"
            " pg_size_pretty(pg_total_relation_size('catalogue_word'))"
        )
        whole, tracks, index, words = cursor.fetchone()
    return f"on disk: {whole}; tracks with their indexes {tracks}, the words' index {index}, the word list {words}"
