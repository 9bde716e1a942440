"""Search over the mirror: every word must be found, the last one may still be being typed."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db.models import F, QuerySet

from catalogue.words import tsquery_of


def found(rows: QuerySet[Any], *, text: str) -> QuerySet[Any]:
    """The rows whose `search` column holds every word of `text`, best first; none where there is no word."""
    wanted = tsquery_of(text)
    if not wanted:
        return rows.none()
    query = SearchQuery(wanted, search_type="raw", config="simple")
    rank = SearchRank(F("search"), query, normalization=1)
    best_first: QuerySet[Any] = rows.filter(search=query).annotate(rank=rank).order_by("-rank", "pk")
    return best_first
