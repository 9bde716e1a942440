"""Search over the mirror: every word must be found, the last one may still be being typed.

Of what matches, the most popular are looked at, and ranked by how well they match and how popular
they are. Only where nothing matches are the words taken for typing errors, and mended.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db import connection
from django.db.models import ExpressionWrapper, F, FloatField, QuerySet, Value
from django.db.models.functions import Ln

from catalogue.words import query_words, tsquery_of

CANDIDATES: Final = 1000  # how many of the most popular matches are ranked
ISRC: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
UPC: Final = re.compile(r"[0-9]{8,14}")

# For each word that is not known, the three likest ones. The last word is known when it begins a known one.
MEND: Final = """
    SELECT q.place, array_agg(likest.word ORDER BY likest.likeness DESC, likest.word)
      FROM unnest(%(words)s::text[]) WITH ORDINALITY AS q (word, place),
           LATERAL (SELECT w.word, similarity(w.word, q.word) AS likeness FROM catalogue_word w
                     WHERE w.word %% q.word ORDER BY likeness DESC, w.word LIMIT 3) AS likest
     WHERE length(q.word) >= 4
       AND NOT EXISTS (SELECT 1 FROM catalogue_word k WHERE k.word = q.word)
       AND NOT (q.place = cardinality(%(words)s::text[])
                AND EXISTS (SELECT 1 FROM catalogue_word k WHERE k.word LIKE q.word || '%%'))
     GROUP BY q.place
"""


def found(rows: QuerySet[Any], *, text: str, mended: bool = False) -> QuerySet[Any]:
    """The rows whose `search` column holds every word of `text`, best first; none where there is no word."""
    words: Sequence[str | Sequence[str]] = query_words(text)
    if mended:
        words = mend(query_words(text))
    wanted = tsquery_of(words)
    if not wanted:
        return rows.none()
    query = SearchQuery(wanted, search_type="raw", config="simple")
    likeliest = rows.filter(search=query).order_by("-popularity", "pk").values("pk")[:CANDIDATES]
    liked = ExpressionWrapper(Value(1.0) + Ln(Value(1.0) + F("popularity")), output_field=FloatField())
    rank = SearchRank(F("search"), query, normalization=1)
    best: QuerySet[Any] = rows.filter(pk__in=likeliest).annotate(score=rank * liked).order_by("-score", "pk")
    return best


def mend(words: Sequence[str]) -> Sequence[str | Sequence[str]]:
    """The words, and for those nobody knows the likest known ones. Without any unknown: nothing to look for."""
    with connection.cursor() as cursor:
        cursor.execute(MEND, {"words": list(words)})
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
