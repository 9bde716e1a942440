"""Search over the mirror: every word must be found, the last one may still be being typed.

What matches is taken in blocks, the most popular first, and within a block ranked by how well it
matches and how popular it is. A word that nobody knows is taken for a typing error, and mended.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from django.db import connection
from django.db.models import Model

from catalogue.words import query_words, tsquery_of

LAST: Final = chr(0x10FFFF)  # the character behind all others
ISRC: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
UPC: Final = re.compile(r"[0-9]{8,14}")

ONE_WORD, SEVERAL = 50, 100  # how many make a block
# What is off the shelves has no words, so one table is all there is to read, and no row of it twice.
BEST: Final = """
    SELECT id FROM (
        SELECT id, words, popularity, (row_number() OVER (ORDER BY popularity DESC, id) - 1) / {size} AS block
          FROM (SELECT id, {words} AS words, popularity FROM {table} WHERE {words} @@ to_tsquery('simple', %(wanted)s)
                 ORDER BY popularity DESC, id LIMIT %(deep)s) AS likely) AS numbered
     ORDER BY block, ts_rank(words, to_tsquery('simple', %(wanted)s), 1) * (1 + popularity) DESC, id
     LIMIT %(limit)s OFFSET %(offset)s
"""
# For each word that is not known, the three likest ones. The last word is known when it begins a known one.
# Words of less than three letters and numbers are not kept, and none is mended that is shorter than four.
MEND: Final = """
    SELECT q.place, array_agg(likest.word ORDER BY likest.likeness DESC, likest.word)
      FROM unnest(%(words)s::text[]) WITH ORDINALITY AS q (word, place),
           LATERAL (SELECT w.word, similarity(w.word, q.word) AS likeness FROM catalogue_word w
                     WHERE w.word %% q.word ORDER BY likeness DESC, w.word LIMIT 3) AS likest
     WHERE length(q.word) BETWEEN 4 AND 64 AND q.word !~ '^[0-9]+$'
       AND NOT EXISTS (SELECT 1 FROM catalogue_word k WHERE k.word = q.word)
       AND NOT (q.place = cardinality(%(words)s::text[]) AND EXISTS (
                SELECT 1 FROM catalogue_word k WHERE k.word ~>=~ q.word AND k.word ~<~ (q.word || %(last)s)))
     GROUP BY q.place
"""


class Hits:
    """The ids of what was found, best first; asked for a slice at a time, as a page does, in one statement."""

    def __init__(self, model: type[Model], wanted: str, *, one_word: bool, words: str) -> None:
        self.table, self.wanted, self.words = model._meta.db_table, wanted, words
        self.size = ONE_WORD if one_word else SEVERAL

    def __getitem__(self, page: slice) -> list[int]:
        if not self.wanted:
            return []
        statement = BEST.format(table=self.table, words=self.words, size=self.size)
        window = {"deep": -(-page.stop // self.size) * self.size, "limit": page.stop - page.start, "offset": page.start}
        with connection.cursor() as cursor:
            cursor.execute(statement, {"wanted": self.wanted, **window})
            return [pk for (pk,) in cursor.fetchall()]


def found(model: type[Model], *, text: str, words: str = "search") -> Hits:
    """Tracks, releases or artists that hold every word of `text`, best first; none where there is no word.

    With `words="former_search"`, instead of what is on the shelves, tracks or releases that are not.
    """
    typed = mended(query_words(text))
    one_word = len(typed) == 1 and isinstance(typed[0], str)
    return Hits(model, tsquery_of(typed), one_word=one_word, words=words)


def mended(words: Sequence[str]) -> Sequence[str | Sequence[str]]:
    """The words, and instead of those nobody knows the likest known ones."""
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(MEND, {"words": list(words), "last": LAST})
        likest = dict(cursor.fetchall())
    return [likest.get(place, word) for place, word in enumerate(words, 1)]


def code_in(text: str) -> dict[str, str]:
    """`{"isrc": …}` or `{"upc": …}` where that is what was typed; empty otherwise."""
    code = re.sub(r"[\s-]", "", text).upper()
    if ISRC.fullmatch(code):
        return {"isrc": code}
    return {"upc": code} if UPC.fullmatch(code) else {}
