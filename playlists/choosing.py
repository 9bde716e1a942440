"""Which tracks a rule chooses: one statement over the mirror, in which PostgreSQL does all of the work.

Of each release the first ones in the rule's order are taken, as many as the rule lets in, then of what is left the
first of each artist. Both look only at what comes earlier in the order: so what the first tracks give is how the whole
choice begins, and the catalogue is read to its end only where that is not enough.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from catalogue.licensors import listed_licensors
from catalogue.rules import Use
from playlists.models import Rule
from playlists.rules import RuleTooWide

PATIENCE: Final = "4s"  # for one statement, of which there are two at the most
DEEP: Final = 20  # times as many tracks as are wanted are looked at first

CHOOSE: Final = """
    WITH playing AS MATERIALIZED (
        SELECT g.id, m.market FROM catalogue_region g, unnest(%(markets)s::text[]) AS m (market)
         WHERE m.market = ANY (g.territories)),
    likely AS (
        SELECT t.id, t.release_id, t.artist_id, row_number() OVER () AS place
          FROM (SELECT t.id, t.release_id, t.artist_id
                  FROM catalogue_track t JOIN catalogue_release r ON r.id = t.release_id
                 WHERE t.gone_at IS NULL AND r.taken_down_at IS NULL {which}
                 ORDER BY {order} LIMIT %(deep)s) t),
    of_release AS (
        SELECT *, row_number() OVER (PARTITION BY release_id ORDER BY place) AS number FROM likely),
    of_artist AS (
        SELECT id, place, row_number() OVER (PARTITION BY artist_id ORDER BY place) AS number FROM of_release
         WHERE %(most_of_release)s::int IS NULL OR number <= %(most_of_release)s)
    SELECT id FROM of_artist WHERE %(most_of_artist)s::int IS NULL OR number <= %(most_of_artist)s
     ORDER BY place LIMIT %(count)s
"""
# The hash is the one that PostgreSQL shares rows out to partitions by, so it stays what it is.
ORDERS: Final = {
    Rule.Order.POPULAR: "t.popularity DESC, t.id",
    Rule.Order.NEWEST: "r.shelf_date DESC, r.id DESC, t.disc_number, t.track_number, t.id",
    Rule.Order.RANDOM: "hashint8extended(t.id, %(seed)s), t.id",
}
# A market in which it does not play.
CLOSED: Final = """NOT EXISTS (
    SELECT 1 FROM unnest(%(markets)s::text[]) AS m (market) WHERE NOT EXISTS (
        SELECT 1 FROM catalogue_offer o JOIN playing p ON p.id = o.region_id AND p.market = m.market
         WHERE o.track_id = t.id AND o.use = %(use)s
           AND o.starts_at <= %(at)s AND (o.ends_at IS NULL OR o.ends_at > %(at)s)))
"""
TAGGED: Final = "EXISTS (SELECT 1 FROM catalogue_tracktags g WHERE g.track_id = t.id AND g.tags @> ANY ({said}))"


def chosen(rule: Rule, *, at: datetime) -> list[int]:
    """The ids of the tracks, in the rule's order, by the rights of an instant. Raises RuleTooWide."""
    if rule.most_of_artist is None and rule.most_of_release is None:
        return choose(rule, at=at, deep=rule.count)
    first = choose(rule, at=at, deep=rule.count * DEEP)
    return first if len(first) == rule.count else choose(rule, at=at, deep=None)


def choose(rule: Rule, *, at: datetime, deep: int | None) -> list[int]:
    """What the `deep` first tracks that the rule lets in give; all of them, for None."""
    values = values_of(rule, at) | {"deep": deep}
    which = "".join(f" AND {each}" for each in conditions(rule, values))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [PATIENCE])
            cursor.execute(CHOOSE.format(which=which, order=ORDERS[Rule.Order(rule.order)]), values)
            return [pk for (pk,) in cursor.fetchall()]
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise RuleTooWide("this takes too long: narrow the rule, by genres, labels or a release window") from error
        raise


def conditions(rule: Rule, values: dict[str, Any]) -> Iterator[str]:
    """What a track must meet, each where the rule asks for it: PostgreSQL plans by what it need not ask."""
    asked = {
        "r.licensor_id = ANY (%(licensors)s)": values["licensors"] is not None,
        "r.genres && %(genres)s::varchar[]": rule.genres,
        "r.label = ANY (%(labels)s)": rule.labels,
        "t.artist_id = ANY (%(artists)s)": rule.artists,
        "r.shelf_date >= %(since)s": values["since"],
        "r.shelf_date < %(until)s AND r.release_date IS NOT NULL": values["until"],
        "t.popularity >= %(least)s": rule.least_popularity,
        "t.explicit": rule.explicit == Rule.Explicit.YES,
        "NOT t.explicit": rule.explicit == Rule.Explicit.NO,
        TAGGED.format(said="%(moods)s::jsonb[]"): rule.moods,
        TAGGED.format(said="%(tempos)s::jsonb[]"): rule.tempos,
        CLOSED: rule.markets,
    }
    return (condition for condition, wanted in asked.items() if wanted)


def values_of(rule: Rule, at: datetime) -> dict[str, Any]:
    since, until = window_of(rule, at)
    return {
        "licensors": listed_licensors(),
        "genres": rule.genres,
        "labels": rule.labels,
        "artists": rule.artists,
        "markets": sorted(set(rule.markets)),
        "moods": sayings("mood", rule.moods),
        "tempos": sayings("tempo", rule.tempos),
        "since": since,
        "until": until,
        "least": rule.least_popularity,
        "at": at,
        "use": Use.STREAM.value,
        "seed": rule.seed,
        "count": rule.count,
        "most_of_artist": rule.most_of_artist,
        "most_of_release": rule.most_of_release,
    }


def window_of(rule: Rule, at: datetime) -> tuple[datetime | None, datetime | None]:
    """From when, and before when, a track's release is dated; None for no end."""
    if rule.within_days:
        return at - timedelta(days=rule.within_days), at
    return midnight(rule.released_from), midnight(rule.released_until, after=True)


def midnight(day: date | None, *, after: bool = False) -> datetime | None:
    """The instant at which a day begins in UTC, or ends."""
    return None if day is None else datetime.combine(day, time.min, UTC) + timedelta(days=after)


def sayings(field: str, classes: Collection[str]) -> list[str]:
    """What the enhanced stream may say for any of these ("Understanding Enhanced Metadata"): one label, or several.

    Its schema is not to be relied upon, so a bare word and a bare list will do as well.
    """
    ways = [
        way for word in classes for way in ({"label": word}, {"labels": [word]}, [word], word)
    ]  # fmt: skip
    return [json.dumps({field: way}) for way in ways]
