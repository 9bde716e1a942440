"""Search over the mirror: every word must be found, the last one may still be being typed.

Of what matches, the most popular are looked at, and ranked by how well they match and how popular
they are. Only where nothing matches are the words taken for typing errors, and mended.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from django.contrib.postgres.search import SearchQuery
from django.db import connection
from django.db.models import F, QuerySet

from catalogue.words import query_words, tsquery_of

LAST: Final = chr(0x10FFFF)  # the character behind all others
CANDIDATES: Final = 200  # how many of the most popular matches are ranked
ISRC: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
UPC: Final = re.compile(r"[0-9]{8,14}")

# Ranks what is likely without reading it a second time.
BEST: Final = """
    SELECT likely.pk FROM ({likely}) AS likely (pk, search, popularity)
     ORDER BY ts_rank(likely.search, to_tsquery('simple', %s), 1) * (1 + ln(1 + likely.popularity)) DESC, likely.pk
     LIMIT %s OFFSET %s
"""
# For each word that is not known, the three likest ones. The last word is known when it begins a known one.
MEND: Final = """
    SELECT q.place, array_agg(likest.word ORDER BY likest.likeness DESC, likest.word)
      FROM unnest(%(words)s::text[]) WITH ORDINALITY AS q (word, place),
           LATERAL (SELECT w.word, similarity(w.word, q.word) AS likeness FROM catalogue_word w
                     WHERE w.word %% q.word ORDER BY likeness DESC, w.word LIMIT 3) AS likest
     WHERE length(q.word) >= 4
       AND NOT EXISTS (SELECT 1 FROM catalogue_word k WHERE k.word = q.word)
       AND NOT (q.place = cardinality(%(words)s::text[]) AND EXISTS (
                SELECT 1 FROM catalogue_word k WHERE k.word ~>=~ q.word AND k.word ~<~ (q.word || %(last)s)))
     GROUP BY q.place
"""


class Hits:
    """What was found, best first; read a slice at a time, as a page does."""

    def __init__(self, rows: QuerySet[Any], wanted: str, *, common: bool) -> None:
        self.rows, self.wanted, self.common = rows, wanted, common

    def __getitem__(self, page: slice) -> list[Any]:
        best = self.best(page)
        found = self.rows.in_bulk(best)
        return [found[pk] for pk in best]

    def best(self, page: slice) -> list[int]:
        """The ids alone, in one statement."""
        if not self.wanted:
            return []
        query = SearchQuery(self.wanted, search_type="raw", config="simple")
        # A common word is found quickest along the index of popularity. PostgreSQL would walk along it for
        # several words, too, which it thinks more frequent together than they are: the sum keeps it from that.
        popular = F("popularity").desc() if self.common else (F("popularity") + 0.0).desc()
        likely = self.rows.filter(search=query).order_by(popular, "pk").values("pk", "search", "popularity")
        inner, params = likely[:CANDIDATES].query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(BEST.format(likely=inner), [*params, self.wanted, page.stop - page.start, page.start])
            return [pk for (pk,) in cursor.fetchall()]


def found(rows: QuerySet[Any], *, text: str, mended: bool = False) -> Hits:
    """The rows whose `search` column holds every word of `text`, best first; none where there is no word."""
    words = query_words(text)
    common = len(words) == 1 and not mended
    return Hits(rows, tsquery_of(mend(words) if mended else words), common=common)


def mend(words: Sequence[str]) -> Sequence[str | Sequence[str]]:
    """The words, and for those nobody knows the likest known ones. Without any unknown: nothing to look for."""
    with connection.cursor() as cursor:
        cursor.execute(MEND, {"words": list(words), "last": LAST})
        likest = dict(cursor.fetchall())
    if not likest:
        return []
    return [likest.get(place, word) for place, word in enumerate(words, 1)]


def code_in(text: str) -> dict[str, str]:
    """`{"isrc": …}` or `{"upc": …}` where that is what was typed; empty otherwise."""
    code = re.sub(r"[\s-]", "", text).upper()
    if ISRC.fullmatch(code):
        return {"isrc": code}
    return {"upc": code} if UPC.fullmatch(code) else {}
