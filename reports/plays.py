"""Plays, counted by whatever one wants to know them by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reports.sheets import Column, Kind, Sheet
from usage.models import PlayState

HEARD_SECONDS: Final = 30  # from when on most contracts count a play


class Unanswerable(ValueError):
    """Nobody can be told so much: the question makes no sense."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dimension:
    """One thing that plays are counted by.

    `keys` are grouped by, each with how it is read off a play `p` and the rows that this `needs`. `brings` comes along
    with each group afterwards.
    """

    keys: Mapping[Column, str]
    needs: str = ""
    brings: Mapping[Column, str] = field(default_factory=dict)


# Where rights overlap, the play counts for the dearest, of which the platform is told too.
PLAN_THEN: Final = """
    LEFT JOIN LATERAL (
        SELECT plan_id FROM subscriptions_period
         WHERE listener_id = p.listener_id AND starts_at <= p.played_at AND ends_at > p.played_at
           AND withdrawn_at IS NULL
         ORDER BY recurring_fee DESC, ends_at DESC, id LIMIT 1
    ) AS held ON true"""
RELEASE_THEN: Final = "LEFT JOIN catalogue_release AS played ON played.id = p.release_id"
OF_RELEASE: Final = {
    Column("release_title", Kind.TEXT): "release.title",
    Column("upc", Kind.TEXT): "release.upc",
    Column("label", Kind.TEXT): "release.label",
    Column("licensor_id", Kind.ID): "release.licensor_id",
}
OF_TRACK: Final = {
    Column("title", Kind.TEXT): "track.title",
    Column("artist", Kind.TEXT): "artist.name",
    Column("isrc", Kind.TEXT): "track.isrc",
    Column("duration_seconds", Kind.COUNT): "track.duration_seconds",
}
TIMES: Final = {
    "day": Dimension(keys={Column("day", Kind.DAY): "(p.played_at AT TIME ZONE 'UTC')::date"}),
    "month": Dimension(keys={Column("month", Kind.TEXT): "to_char(p.played_at AT TIME ZONE 'UTC', 'YYYY-MM')"}),
}
THINGS: Final = {
    "track": Dimension(keys={Column("track_id", Kind.ID): "p.track_id"}, brings=OF_TRACK | OF_RELEASE),
    "release": Dimension(keys={Column("release_id", Kind.ID): "p.release_id"}, brings=OF_RELEASE),
    "label": Dimension(
        keys={
            Column("label", Kind.TEXT): "coalesce(played.label, '')",
            Column("licensor_id", Kind.ID): "played.licensor_id",
        },
        needs=RELEASE_THEN,
    ),
    "country": Dimension(keys={Column("country", Kind.TEXT): "p.country"}),
    "plan": Dimension(keys={Column("plan", Kind.TEXT): "coalesce(held.plan_id, '')"}, needs=PLAN_THEN),
    "mode": Dimension(keys={Column("mode", Kind.TEXT): "p.mode"}),
}
DIMENSIONS: Final = TIMES | THINGS
COUNTS: Final = {
    Column("plays", Kind.COUNT): "count(*)",
    Column("seconds", Kind.COUNT): "coalesce(sum(p.seconds_played), 0)",
    Column("listeners", Kind.COUNT): "count(DISTINCT p.listener_id)",
    Column("plays_heard", Kind.COUNT): f"count(*) FILTER (WHERE p.seconds_played >= {HEARD_SECONDS})",
}
MISSING: Final = {Kind.TEXT: "''", Kind.COUNT: "0", Kind.ID: "NULL"}  # where the mirror does not know a track any more
STATEMENT: Final = """
    SELECT {shown}
      FROM (SELECT {grouped}
              FROM usage_play AS p {needs}
             WHERE p.played_at >= %(start)s AND p.played_at < %(end)s AND p.state = ANY(%(states)s)
             GROUP BY {keys}) AS counted {described}
     ORDER BY {order}
"""


def plays(by: Sequence[str], *, start: datetime, end: datetime, states: Collection[str] = (PlayState.SENT,)) -> Sheet:
    """How many plays of `[start, end)` (UTC) there were in these states, for each of what they are counted by.

    `seconds` were listened to, `listeners` are different people, `plays_heard` lasted HEARD_SECONDS or more; one that
    was fetched ahead and never played is a play of 0 seconds. A plan is the one the listener had when they played, by
    what is known now, and empty where they had none. Raises Unanswerable.
    """
    check(by, start=start, end=end, states=states)
    chosen = [DIMENSIONS[name] for name in by]
    keys = {column: sql for dimension in chosen for column, sql in dimension.keys.items()}
    brought = {column: sql for dimension in chosen for column, sql in dimension.brings.items() if column not in keys}
    numbers = ", ".join(str(number) for number, _ in enumerate(keys, 1))
    return Sheet(
        columns=(*keys, *brought, *COUNTS),
        statement=STATEMENT.format(
            shown=", ".join(
                [
                    *(f"counted.{key.name}" for key in keys),
                    *(f"coalesce({sql}, {MISSING[column.kind]}) AS {column.name}" for column, sql in brought.items()),
                    *(count.name for count in COUNTS),
                ]
            ),
            grouped=", ".join(f"{sql} AS {column.name}" for column, sql in (keys | COUNTS).items()),
            needs=" ".join(dict.fromkeys(dimension.needs for dimension in chosen)),
            keys=numbers or "()",
            order=numbers or "1",
            described=describing(by),
        ),
        values={"start": start, "end": end, "states": list(states)},
    )


def describing(by: Collection[str]) -> str:
    """The mirror's rows of what was counted; a track alone has the release it is on."""
    joins = []
    if "track" in by:
        joins.append("LEFT JOIN catalogue_track AS track ON track.id = counted.track_id")
        joins.append("LEFT JOIN catalogue_artist AS artist ON artist.id = track.artist_id")
    if "track" in by or "release" in by:
        release = "counted.release_id" if "release" in by else "track.release_id"
        joins.append(f"LEFT JOIN catalogue_release AS release ON release.id = {release}")
    return " ".join(joins)


def check(by: Sequence[str], *, start: datetime, end: datetime, states: Collection[str]) -> None:
    """Raises Unanswerable for a question that makes no sense, and says why."""
    if unknown := sorted({*by} - {*DIMENSIONS}):
        raise Unanswerable(f"plays are not counted by {unknown[0]!r}, but by {', '.join(DIMENSIONS)}")
    if len({*by}) < len(by):
        raise Unanswerable("by the same thing twice")
    if {*TIMES} <= {*by}:
        raise Unanswerable("by day or by month, not both")
    if end <= start:
        raise Unanswerable("the time ends before it begins")
    if not states or not {*states} <= {*PlayState.values}:
        raise Unanswerable(f"a play's state is one of {', '.join(PlayState.values)}")
