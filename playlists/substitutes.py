"""What may stand in for a track that cannot be heard: the same recording elsewhere, or what is called the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import connection

from catalogue.licensors import listed_licensors
from catalogue.models import WORDING
from catalogue.rules import Use
from playlists.losses import SOON

NEAR_SECONDS: Final = 5  # by which two masters of one recording may differ
MOST_ALIKE: Final = 50  # candidates that are looked at, of each kind
SHOWN: Final = 5

# Titles are the same when their words are, as search has them: without case, accents, and signs. What is off the
# shelves has kept its words for staff. Of a candidate's rights only those count that hold until soon.
ALIKE: Final = """
    WITH harmed AS MATERIALIZED (
        SELECT t.id, t.isrc, t.artist_id, t.release_id, t.duration_seconds,
               {kept} AS wording
          FROM catalogue_track t WHERE t.id = ANY (%(tracks)s)),
    alike AS MATERIALIZED (
        SELECT h.id AS instead_of, c.id, true AS same_isrc FROM harmed h, LATERAL (
               SELECT t.id FROM catalogue_track t JOIN catalogue_release r ON r.id = t.release_id
                WHERE t.isrc = h.isrc AND t.release_id <> h.release_id
                  AND t.gone_at IS NULL AND r.taken_down_at IS NULL
                ORDER BY t.popularity DESC, t.id LIMIT %(most)s) AS c
         WHERE h.isrc <> ''
         UNION ALL
        SELECT h.id, c.id, false FROM harmed h, LATERAL (
               SELECT t.id FROM catalogue_track t
                WHERE t.artist_id = h.artist_id AND {wording} = h.wording
                  AND t.search IS NOT NULL AND t.id <> h.id
                  AND abs(t.duration_seconds - h.duration_seconds) <= %(near)s
                ORDER BY t.popularity DESC, t.id LIMIT %(most)s) AS c
         WHERE h.wording <> {nothing}),
    open AS MATERIALIZED (
        SELECT o.track_id, array_agg(DISTINCT m.market ORDER BY m.market) AS markets
          FROM (SELECT DISTINCT id FROM alike) AS a
          JOIN catalogue_offer o ON o.track_id = a.id AND o.use = %(use)s
           AND o.starts_at <= %(at)s AND (o.ends_at IS NULL OR o.ends_at > %(soon)s)
          JOIN catalogue_region g ON g.id = o.region_id
          JOIN unnest(%(markets)s::text[]) AS m (market) ON m.market = ANY (g.territories)
         GROUP BY o.track_id)
    SELECT a.instead_of, t.id, t.title, t.subtitle, p.name, t.isrc, r.id, r.title, t.duration_seconds, t.explicit,
           t.popularity, a.same_isrc, o.markets, t.duration_seconds - h.duration_seconds, t.explicit = w.explicit
      FROM (SELECT instead_of, id, bool_or(same_isrc) AS same_isrc FROM alike GROUP BY instead_of, id) AS a
      JOIN open o ON o.track_id = a.id
      JOIN harmed h ON h.id = a.instead_of
      JOIN catalogue_track w ON w.id = a.instead_of
      JOIN catalogue_track t ON t.id = a.id
      JOIN catalogue_artist p ON p.id = t.artist_id
      JOIN catalogue_release r ON r.id = t.release_id
     WHERE %(licensors)s::int[] IS NULL OR r.licensor_id = ANY (%(licensors)s::int[])
"""
ASKED: Final = ALIKE.format(
    kept=WORDING.format(words="coalesce(t.search, t.former_search)"),
    wording=WORDING.format(words="t.search"),
    nothing=WORDING.format(words="''::tsvector"),
)


class Candidate(NamedTuple):
    """A track that might stand in for another; `open_in` are those of the markets where it plays, now and soon.

    `longer` is by how many seconds, and `same_explicit` whether both are, or neither.
    """

    instead_of: int
    track_id: int
    title: str
    version: str
    artist: str
    isrc: str
    release_id: int
    release: str
    seconds: int
    explicit: bool
    popularity: float
    same_isrc: bool
    open_in: list[str]
    longer: int
    same_explicit: bool


@dataclass(frozen=True, kw_only=True)
class Want:
    """A track that is to be stood in for: where its lists are meant to play, and what of that is lost."""

    track_id: int
    markets: Collection[str]
    lost: Collection[str]


def substitutes(wants: Sequence[Want], *, at: datetime) -> dict[int, list[Candidate]]:
    """For each track the best that may stand in for it, the best first; one statement, however many."""
    alike: defaultdict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates(wants, at=at):
        alike[candidate.instead_of].append(candidate)
    return {want.track_id: ranked(alike[want.track_id], want)[:SHOWN] for want in wants}


def candidates(wants: Sequence[Want], *, at: datetime) -> Iterable[Candidate]:
    values: dict[str, Any] = {
        "tracks": [want.track_id for want in wants],
        "markets": sorted({market for want in wants for market in want.markets}),
        "most": MOST_ALIKE,
        "near": NEAR_SECONDS,
        "at": at,
        "soon": at + SOON,
        "use": Use.STREAM.value,
        "licensors": listed_licensors(),
    }
    with connection.cursor() as cursor:
        cursor.execute(ASKED, values)
        return [Candidate(*row) for row in cursor.fetchall()]


# --- Which is the best. Pure -------------------------------------------------------------------------------


def ranked(found: Iterable[Candidate], want: Want) -> list[Candidate]:
    """Those that play where something is lost: the same recording first, then by what else speaks for them."""
    helpful = [candidate for candidate in found if set(want.lost) & set(candidate.open_in)]
    return sorted(helpful, key=lambda candidate: standing(candidate, want))


def standing(candidate: Candidate, want: Want) -> tuple[bool, bool, int, float, int, int]:
    """No two have the same: the id decides at last."""
    return (
        not candidate.same_isrc,
        not candidate.same_explicit,
        -len(set(want.markets) & set(candidate.open_in)),
        -candidate.popularity,
        abs(candidate.longer),
        candidate.track_id,
    )


def reasons(candidate: Candidate) -> list[str]:
    """What speaks for it, and what is other about it."""
    said = ["same recording (ISRC)" if candidate.same_isrc else "same title and artist"]
    if not candidate.same_explicit:
        said.append("explicit, the other is not" if candidate.explicit else "not explicit, the other is")
    if candidate.longer:
        said.append(f"{abs(candidate.longer)} s {'longer' if candidate.longer > 0 else 'shorter'}")
    return said


def missing_in(candidate: Candidate, markets: Collection[str]) -> list[str]:
    """Where it does not play either."""
    return sorted(set(markets) - set(candidate.open_in))
