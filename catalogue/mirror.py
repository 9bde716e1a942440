"""Writing the mirror set by set: a batch of releases goes in by COPY and a handful of statements.

Every statement takes its rows in the order of their ids, and artists come before releases before
tracks, so that two writers can wait for each other but never in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import connection

from catalogue.events import ArtistFacts, OfferFacts, ReleaseFacts, TakedownFacts, TrackFacts
from catalogue.regions import region_id
from catalogue.words import words_of


class Claim(NamedTuple):
    """One snapshot or takedown of a release, with a digest of its content and the event it came in."""

    facts: ReleaseFacts | TakedownFacts
    fingerprint: int
    event_id: int | None


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of a batch, by release id. What is in neither was stale."""

    applied: frozenset[int]
    conflicts: frozenset[int]


class Stage(NamedTuple):
    """A temporary table of the connection, filled by COPY: name, columns and their types."""

    table: str
    columns: tuple[tuple[str, str], ...]

    @property
    def ddl(self) -> str:
        columns = ", ".join(f"{name} {type_}" for name, type_ in self.columns)
        return f"CREATE TEMPORARY TABLE IF NOT EXISTS {self.table} ({columns}) ON COMMIT DELETE ROWS"


def stage(table: str, columns: str) -> Stage:
    """`"id int4, name text"` as columns."""
    pairs = (column.strip().split(" ") for column in columns.split(","))
    return Stage(table, tuple((name, type_) for name, type_ in pairs))


RELEASES: Final = stage(
    "incoming_release",
    "id int4, version int8, fingerprint int8, event_id int8, takedown bool, title text, subtitle text, "
    "artist_id int4, label text, licensor_id int4, type text, upc text, genres text[], explicit bool, "
    "release_date timestamptz, duration_seconds int4, p_line text, c_line text, own text, others text",
)
ARTISTS: Final = stage("incoming_artist", "id int4, version int8, name text, words text")
TRACKS: Final = stage(
    "incoming_track",
    "id int4, release_id int4, artist_id int4, title text, subtitle text, isrc text, disc_number int4, "
    "track_number int4, duration_seconds int4, explicit bool, own text, others text",
)
REGIONS: Final = stage("incoming_region", "id int8, territories text[]")
OFFERS: Final = stage(
    "incoming_offer",
    "release_id int4, track_id int4, use text, region_id int8, starts_at timestamptz, ends_at timestamptz",
)
STAGES: Final = (RELEASES, ARTISTS, TRACKS, REGIONS, OFFERS)

# An artist's name comes from the highest version that mentions it, of whatever release and however late.
WRITE_ARTISTS: Final = """
    INSERT INTO catalogue_artist AS a (id, version, name, search)
    SELECT id, version, name, to_tsvector('simple', words) FROM incoming_artist ORDER BY id
    ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, name = EXCLUDED.name, search = EXCLUDED.search
     WHERE (a.version, a.name) < (EXCLUDED.version, EXCLUDED.name)
"""
# The version decides, here and nowhere else. The words of one's own title weigh more than artist's and release's.
# `change` numbers what happened, in the order it became visible.
WRITE_RELEASES: Final = """
    INSERT INTO catalogue_release AS r (
           id, version, fingerprint, event_id, title, subtitle, artist_id, label, licensor_id, type, upc, genres,
           explicit, release_date, duration_seconds, p_line, c_line, search, changed_at, change, arrival)
    SELECT id, version, fingerprint, event_id, title, subtitle, artist_id, label, licensor_id, type, upc, genres,
           explicit, release_date, duration_seconds, p_line, c_line,
           setweight(to_tsvector('simple', own), 'A') || setweight(to_tsvector('simple', others), 'C'), %(now)s,
           c.n, c.n
      FROM incoming_release, LATERAL (SELECT nextval('catalogue_change') AS n WHERE id IS NOT NULL) AS c
     WHERE NOT takedown ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
           version = EXCLUDED.version, fingerprint = EXCLUDED.fingerprint, event_id = EXCLUDED.event_id,
           title = EXCLUDED.title, subtitle = EXCLUDED.subtitle, artist_id = EXCLUDED.artist_id,
           label = EXCLUDED.label, licensor_id = EXCLUDED.licensor_id, type = EXCLUDED.type, upc = EXCLUDED.upc,
           genres = EXCLUDED.genres, explicit = EXCLUDED.explicit, release_date = EXCLUDED.release_date,
           duration_seconds = EXCLUDED.duration_seconds, p_line = EXCLUDED.p_line, c_line = EXCLUDED.c_line,
           search = EXCLUDED.search, former_search = NULL, changed_at = EXCLUDED.changed_at, change = EXCLUDED.change,
           arrival = CASE WHEN r.taken_down_at IS NULL THEN r.arrival ELSE EXCLUDED.change END,
           taken_down_at = NULL
     WHERE r.version < EXCLUDED.version
    RETURNING r.id
"""
WRITE_TAKEDOWNS: Final = """
    INSERT INTO catalogue_release AS r (
           id, version, fingerprint, event_id, taken_down_at, changed_at, change, arrival,
           title, subtitle, label, type, upc, genres, explicit, duration_seconds, p_line, c_line)
    SELECT id, version, fingerprint, event_id, %(now)s, %(now)s, c.n, c.n, '', '', '', '', '', '{}', false, 0, '', ''
      FROM incoming_release, LATERAL (SELECT nextval('catalogue_change') AS n WHERE id IS NOT NULL) AS c
     WHERE takedown ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
           version = EXCLUDED.version, fingerprint = EXCLUDED.fingerprint, event_id = EXCLUDED.event_id,
           taken_down_at = EXCLUDED.taken_down_at, changed_at = EXCLUDED.changed_at, change = EXCLUDED.change,
           search = NULL, former_search = coalesce(r.search, r.former_search)
     WHERE r.version < EXCLUDED.version
    RETURNING r.id
"""
WRITE_TRACKS: Final = """
    INSERT INTO catalogue_track AS t (
           id, release_id, artist_id, title, subtitle, isrc, disc_number, track_number, duration_seconds, explicit,
           search)
    SELECT id, release_id, artist_id, title, subtitle, isrc, disc_number, track_number, duration_seconds, explicit,
           setweight(to_tsvector('simple', own), 'A') || setweight(to_tsvector('simple', others), 'C')
      FROM incoming_track WHERE release_id = ANY (%(snapshots)s) ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
           release_id = EXCLUDED.release_id, artist_id = EXCLUDED.artist_id, title = EXCLUDED.title,
           subtitle = EXCLUDED.subtitle, isrc = EXCLUDED.isrc, disc_number = EXCLUDED.disc_number,
           track_number = EXCLUDED.track_number, duration_seconds = EXCLUDED.duration_seconds,
           explicit = EXCLUDED.explicit, search = EXCLUDED.search, former_search = NULL, gone_at = NULL
"""
# What is not on the shelves has no words but for staff: search then finds what stands by looking at one table.
DROP_TRACKS: Final = """
    UPDATE catalogue_track t SET gone_at = %(now)s, search = NULL, former_search = coalesce(search, former_search)
     WHERE t.release_id = ANY (%(snapshots)s) AND t.gone_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM incoming_track i WHERE i.id = t.id)
"""
HUSH_TRACKS: Final = """
    UPDATE catalogue_track SET search = NULL, former_search = search
     WHERE release_id = ANY (%(takedowns)s) AND search IS NOT NULL
"""
# Words too short to be taken for one another, and lone characters, are of no use here.
WRITE_WORDS: Final = """
    INSERT INTO catalogue_word (word)
    SELECT DISTINCT word
      FROM (SELECT regexp_split_to_table(own, ' ') FROM incoming_track WHERE release_id = ANY (%(snapshots)s)
            UNION ALL SELECT regexp_split_to_table(own, ' ') FROM incoming_release
            UNION ALL SELECT regexp_split_to_table(words, ' ') FROM incoming_artist) AS said (word)
     WHERE length(word) BETWEEN 3 AND 64 AND word !~ '^[0-9]+$'
     ORDER BY word ON CONFLICT DO NOTHING
"""
DROP_OFFERS: Final = "DELETE FROM catalogue_offer WHERE release_id = ANY (%(applied)s)"
WRITE_REGIONS: Final = """
    INSERT INTO catalogue_region (id, territories)
    SELECT id, territories FROM incoming_region ORDER BY id ON CONFLICT DO NOTHING
"""
WRITE_OFFERS: Final = """
    INSERT INTO catalogue_offer (release_id, track_id, use, region_id, starts_at, ends_at)
    SELECT release_id, track_id, use, region_id, starts_at, ends_at FROM incoming_offer
     WHERE release_id = ANY (%(snapshots)s)
"""
# What was not written because another snapshot of the very same version stands there.
CONFLICTS: Final = """
    SELECT i.id FROM incoming_release i JOIN catalogue_release r USING (id)
     WHERE i.version = r.version AND i.fingerprint <> r.fingerprint AND i.id <> ALL (%(applied)s)
"""


def prepare() -> None:
    """Lay out the stages. Call it before the transaction, which then has less to do."""
    for each in STAGES:
        connection.stage(each.table, each.ddl)  # type: ignore[attr-defined]


def write(claims: Sequence[Claim], *, now: datetime) -> Written:
    """Bring the mirror up to these snapshots and takedowns, one for each release, within the caller's transaction.

    Of each release only a version higher than the one that stands is written; it replaces
    everything below the release. Names of artists are taken from stale snapshots too, by version.
    """
    snapshots = [claim.facts for claim in claims if isinstance(claim.facts, ReleaseFacts)]
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        fill(cursor, ARTISTS, artist_rows(snapshots))
        fill(cursor, RELEASES, map(release_row, claims))
        cursor.execute(WRITE_ARTISTS)
        won = returned(cursor, WRITE_RELEASES, {"now": now})
        takedowns = returned(cursor, WRITE_TAKEDOWNS, {"now": now})
        cursor.execute(HUSH_TRACKS, {"takedowns": takedowns})
        applied = [*won, *takedowns]
        standing = {"now": now, "snapshots": won, "applied": applied}
        current = set(won)
        write_contents(cursor, [facts for facts in snapshots if facts.id in current], standing)
        conflicts = returned(cursor, CONFLICTS, {"applied": applied})
    return Written(applied=frozenset(applied), conflicts=frozenset(conflicts))


def write_contents(cursor: Any, snapshots: Sequence[ReleaseFacts], standing: dict[str, Any]) -> None:
    """Tracks and offers of the releases that were written."""
    fill(cursor, TRACKS, track_rows(snapshots))
    fill(cursor, REGIONS, region_rows(snapshots))
    fill(cursor, OFFERS, offer_rows(snapshots))
    cursor.execute(WRITE_TRACKS, standing)
    cursor.execute(DROP_TRACKS, standing)
    cursor.execute(WRITE_WORDS, standing)
    cursor.execute(DROP_OFFERS, standing)
    cursor.execute(WRITE_REGIONS)
    cursor.execute(WRITE_OFFERS, standing)


def fill(cursor: Any, into: Stage, rows: Iterable[Sequence[Any]]) -> None:
    """COPY the rows, in binary."""
    with cursor.copy(f"COPY {into.table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([type_ for _, type_ in into.columns])
        for row in rows:
            copy.write_row(row)


def returned(cursor: Any, statement: str, values: dict[str, Any]) -> list[int]:
    cursor.execute(statement, values)
    return [id_ for (id_,) in cursor.fetchall()]


# --- rows, in the order of the stages' columns -------------------------------------------------


def release_row(claim: Claim) -> Sequence[Any]:
    facts = claim.facts
    head = (facts.id, facts.version, claim.fingerprint, claim.event_id)
    if isinstance(facts, TakedownFacts):
        return (*head, True, "", "", None, "", None, "", "", [], False, None, 0, "", "", "", "")
    return (
        *head, False, facts.title, facts.subtitle, facts.artist.id, facts.label, facts.licensor_id, facts.type,
        facts.upc, list(facts.genres), facts.explicit, facts.release_date, facts.duration_seconds, facts.p_line,
        facts.c_line, joined_words(facts.title, facts.subtitle), joined_words(facts.artist.name),
    )  # fmt: skip


def artist_rows(snapshots: Iterable[ReleaseFacts]) -> Iterable[Sequence[Any]]:
    """Every artist once, under the name of the highest version in the batch."""
    newest: dict[int, tuple[int, str]] = {}
    for facts in snapshots:
        for artist in artists_of(facts):
            newest[artist.id] = max(newest.get(artist.id, (-1, "")), (facts.version, artist.name))
    for id_, (version, name) in newest.items():
        yield id_, version, name, joined_words(name)


def joined_words(*texts: str) -> str:
    return " ".join(words_of(*texts))


def artists_of(facts: ReleaseFacts) -> set[ArtistFacts]:
    return {facts.artist, *(track.artist for track in facts.tracks)}


def track_rows(snapshots: Iterable[ReleaseFacts]) -> Iterable[Sequence[Any]]:
    """The snapshots' tracks; of two with one id the one of the higher version stands, and then the later."""
    newest: dict[int, tuple[ReleaseFacts, TrackFacts]] = {}
    for facts in sorted(snapshots, key=by_version):
        newest |= {track.id: (facts, track) for track in facts.tracks}
    for facts, track in newest.values():
        own, others = (track.title, track.subtitle), (track.artist.name, facts.artist.name, facts.title)
        yield (
            track.id, facts.id, track.artist.id, track.title, track.subtitle, track.isrc, track.disc_number,
            track.track_number, track.duration_seconds, track.explicit, joined_words(*own), joined_words(*others),
        )  # fmt: skip


def by_version(facts: ReleaseFacts) -> tuple[int, int]:
    return facts.version, facts.id


def offers_of(facts: ReleaseFacts) -> Iterable[tuple[int | None, OfferFacts]]:
    """The release's own offers, and each track's."""
    for offer in facts.offers:
        yield None, offer
    for track in {track.id: track for track in facts.tracks}.values():
        for offer in track.offers:
            yield track.id, offer


def region_rows(snapshots: Iterable[ReleaseFacts]) -> Iterable[Sequence[Any]]:
    lists = {offer.territories for facts in snapshots for _, offer in offers_of(facts)}
    regions = {region_id(listed): sorted(set(listed)) for listed in lists}
    return regions.items()


def offer_rows(snapshots: Iterable[ReleaseFacts]) -> Iterable[Sequence[Any]]:
    for facts in snapshots:
        for track_id, offer in offers_of(facts):
            region = region_id(offer.territories)
            yield facts.id, track_id, offer.use.value, region, offer.starts_at, offer.ends_at
