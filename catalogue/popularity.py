"""How popular tracks, artists and releases are, from the platform's files: what search ranks by.

Popularity is kept as the number of doublings of interest, to a tenth: a move from rank 500,000 to
510,000 then rewrites no row, while every step near the top counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection, transaction

from massivemusic.popularity import OddItem, Popularity

ROWS_AT_ONCE: Final = 20_000
LEAST: Final = 1_000_000  # interest halves as the rank doubles; at this rank it counts as one
TABLES: Final = {"track": "catalogue_track", "artist": "catalogue_artist", "release": "catalogue_release"}

STAGE: Final = "CREATE TEMPORARY TABLE incoming_popularity (kind text, id int4, popularity float8)"
# An item that is named twice is as popular as the better of its places.
SORT: Final = """
    DROP TABLE IF EXISTS popular;
    CREATE TEMPORARY TABLE popular AS
        SELECT kind, id, max(popularity) AS popularity FROM incoming_popularity GROUP BY kind, id;
    ALTER TABLE popular ADD PRIMARY KEY (kind, id);
    ANALYZE popular;
    DROP TABLE incoming_popularity
"""
FORGET: Final = """
    INSERT INTO popular (kind, id, popularity)
    SELECT %(kind)s, t.id, 0 FROM {table} t
     WHERE t.popularity > 0 AND NOT EXISTS (SELECT 1 FROM popular p WHERE p.kind = %(kind)s AND p.id = t.id)
"""
# Rows are locked in the order of their ids, as whoever applies events does.
WRITE: Final = """
    WITH said AS (
        SELECT id, popularity FROM popular WHERE kind = %(kind)s AND id > %(after)s ORDER BY id LIMIT %(most)s
    ), known AS (
        SELECT t.id, said.popularity, t.popularity <> said.popularity AS moved
          FROM {table} t JOIN said USING (id) ORDER BY t.id FOR NO KEY UPDATE OF t
    ), changed AS (
        UPDATE {table} t SET popularity = known.popularity FROM known WHERE t.id = known.id AND moved RETURNING 1
    )
    SELECT (SELECT max(id) FROM said), (SELECT count(*) FROM known), (SELECT count(*) FROM changed)
"""
CLEAR: Final = "DROP TABLE popular"


@dataclass(kw_only=True)
class Imported:
    """What a file said: by kind, how many items it named, how many of these the mirror knows, how many rows changed;

    and by reason, how many items were passed over, and which was the first.
    """

    named: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    first_odd: dict[str, int] = field(default_factory=dict)


def import_popularity(items: Iterable[Popularity | OddItem], *, scores: bool = False, whole: bool = False) -> Imported:
    """Bring popularity up to a file's items. Read to its end before anything is written, then written in strides.

    A `searchRank` is a place, of which 1 is the best, or with `scores` a number that is higher for
    what is more popular. With `whole` the file speaks for everything of the kinds it names: what it
    does not name loses its popularity. Afterwards the tables are vacuumed, for a search would wade
    through all the rows that were written anew.
    """
    imported = Imported()
    with connection.unhurried(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        with transaction.atomic():
            cursor.execute(STAGE)
            with cursor.copy("COPY incoming_popularity FROM STDIN") as copy:
                for row in rows_of(items, imported, scores=scores):
                    copy.write_row(row)
            cursor.execute(SORT)
        for kind in imported.named:
            if whole:
                cursor.execute(FORGET.format(table=TABLES[kind]), {"kind": kind})
            write(cursor, kind, imported)
        cursor.execute(CLEAR)
        if not connection.in_atomic_block:  # where PostgreSQL would refuse it
            for kind in +imported.changed:
                cursor.execute(f"VACUUM (ANALYZE) {TABLES[kind]}")
    return imported


def rows_of(
    items: Iterable[Popularity | OddItem], imported: Imported, *, scores: bool
) -> Iterator[tuple[str, int, float]]:
    for item in items:
        if isinstance(item, OddItem):
            imported.odd[item.reason] += 1
            imported.first_odd.setdefault(item.reason, item.index)
        else:
            imported.named[item.kind] += 1
            yield item.kind, item.id, popularity_of(item, scores=scores)


def popularity_of(item: Popularity, *, scores: bool) -> float:
    """Doublings of interest, to a tenth."""
    interest = item.rank if scores else LEAST / max(item.rank, 1.0)
    return round(math.log2(1 + min(interest * item.modifier, 2.0**60)), 1)


def write(cursor: Any, kind: str, imported: Imported) -> None:
    statement = WRITE.format(table=TABLES[kind])
    after: int | None = 0
    while after is not None:
        cursor.execute(statement, {"kind": kind, "after": after, "most": ROWS_AT_ONCE})
        after, known, changed = cursor.fetchone()
        imported.known[kind] += known
        imported.changed[kind] += changed
