"""Which line of a usage report is which play of ours: set by set, in PostgreSQL.

A line and a play are a pair when they are equal in everything, each line and each play once: two
equal plays need two equal lines. What is left over are pairs that differ, found from what they
share. All of it happens in temporary tables of the connection, within the import's transaction.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import connection

from massivemusic.parquet import row_id
from usage.models import UsageReport

# How far from the time of its call the platform may log a play. A file waits until it is read.
EDGES: Final = {"HTTP": timedelta(minutes=10), "BUCKET": timedelta(days=2)}
NEAR: Final = timedelta(minutes=2)  # a line and a play of one track may be so far apart and still be one listening

THEIRS: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS usage_theirs (
        row_id bigint, line int, listener uuid, stream_id text, track bigint, format bigint, country text, mode text,
        second timestamptz, seconds bigint, day date
    ) ON COMMIT DELETE ROWS
"""
# `near` are the plays that went out about the time that the report covers; `claimed` those that stand in some report.
OURS: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS usage_ours (
        play bigint, listener uuid, played_at timestamptz, stream_id text, track bigint, format bigint, country text,
        mode text, second timestamptz, seconds bigint, state text, batch bigint, called_at timestamptz,
        edge interval, near boolean, claimed boolean
    ) ON COMMIT DELETE ROWS
"""
PAIRS: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS usage_pairs (row_id bigint, play bigint) ON COMMIT DELETE ROWS
"""
NAMES: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS usage_names (play bigint, stream_id text) ON COMMIT DELETE ROWS
"""
TABLES: Final = {"usage_theirs": THEIRS, "usage_ours": OURS, "usage_pairs": PAIRS, "usage_names": NAMES}

TAKE_THEIRS: Final = """
    INSERT INTO usage_theirs
    SELECT r.id, r.line, l.id, r.stream_id, r.track_id, r.format_id, r.country, r.mode, r.played_at, r.seconds_played,
           (r.logged_at AT TIME ZONE 'UTC')::date
      FROM usage_reportrow r LEFT JOIN accounts_listener l ON l.platform_id = r.user_id
     WHERE r.report_id = %(report)s
"""
COLUMNS: Final = """
    p.id, p.listener_id, p.played_at, NULL, p.track_id, p.format_id, p.country, p.mode,
    date_trunc('second', p.played_at), p.seconds_played, p.state, p.batch_id, b.called_at,
    CASE WHEN b.channel = 'BUCKET' THEN %(bucket)s ELSE %(http)s END,
    coalesce(b.called_at >= %(first)s AND b.called_at < %(last)s, false),
    EXISTS (SELECT 1 FROM usage_reportrow r WHERE r.play = p.id)
"""
# What went out about then, and whatever else is in doubt: an earlier report may have spoken of it.
TAKE_OURS: Final = """
    INSERT INTO usage_ours
    SELECT {columns}
      FROM usage_playbatch b JOIN usage_play p ON p.batch_id = b.id
     WHERE b.called_at >= %(first)s AND b.called_at < %(last)s OR b.state = 'IN_DOUBT' AND b.called_at < %(last)s
"""
# Whatever else we know of listeners' plays at the very seconds of lines that are left over.
TAKE_OTHERS: Final = """
    INSERT INTO usage_ours
    SELECT DISTINCT ON (p.id) {columns}
      FROM usage_theirs t
      JOIN usage_play p ON p.listener_id = t.listener
                       AND p.played_at >= t.second AND p.played_at < t.second + interval '1 second'
      LEFT JOIN usage_playbatch b ON b.id = p.batch_id
     WHERE NOT EXISTS (SELECT 1 FROM usage_pairs x WHERE x.row_id = t.row_id)
       AND NOT EXISTS (SELECT 1 FROM usage_ours o WHERE o.play = p.id)
"""
# Plays that went out in files carry ids of ours, which nothing but a digest of what we hold can tell.
IN_FILES: Final = """
    SELECT o.play, l.platform_id, p.play_id
      FROM usage_ours o
      JOIN usage_playbatch b ON b.id = o.batch AND b.channel = 'BUCKET'
      JOIN usage_play p ON p.listener_id = o.listener AND p.played_at = o.played_at AND p.id = o.play
      JOIN accounts_listener l ON l.id = o.listener
"""
NAME: Final = "UPDATE usage_ours o SET stream_id = n.stream_id FROM usage_names n WHERE n.play = o.play"
AT_ONCE: Final = 10_000
EVERYTHING: Final = "listener, track, second, format, country, mode, seconds"
WENT_OUT: Final = "o.near AND o.state IN ('SENT', 'SENDING', 'IN_DOUBT')"
LEFT_LINES: Final = "NOT EXISTS (SELECT 1 FROM usage_pairs x WHERE x.row_id = t.row_id)"
LEFT_PLAYS: Final = "NOT o.claimed AND NOT EXISTS (SELECT 1 FROM usage_pairs x WHERE x.play = o.play)"
# The first line with the first play, the second with the second. What the platform certainly has goes first.
PAIR: Final = """
    INSERT INTO usage_pairs
    SELECT t.row_id, o.play
      FROM (SELECT t.*, row_number() OVER (PARTITION BY {keys} ORDER BY line) AS turn
              FROM usage_theirs t WHERE {lines}) AS t
      JOIN (SELECT o.*, row_number() OVER (PARTITION BY {keys} ORDER BY
                   array_position('{{SENT,SENDING,IN_DOUBT,WAITING}}', o.state) NULLS LAST, called_at, play) AS turn
              FROM usage_ours o WHERE {plays}) AS o USING ({keys}, turn)
"""
# The nearest for each, where that is mutual; asked again until nobody finds anybody.
PAIR_NEAR: Final = """
    INSERT INTO usage_pairs
    SELECT row_id, play FROM (
        SELECT row_id, play, row_number() OVER (PARTITION BY row_id ORDER BY apart, play) AS of_line,
               row_number() OVER (PARTITION BY play ORDER BY apart, row_id) AS of_play
          FROM (SELECT t.row_id, o.play, greatest(t.second - o.second, o.second - t.second) AS apart
                  FROM usage_theirs t JOIN usage_ours o USING (listener, track)
                 WHERE o.second BETWEEN t.second - %(near)s AND t.second + %(near)s
                   AND {lines} AND {plays}) AS within
    ) AS ranked WHERE of_line = 1 AND of_play = 1
"""
CLAIM: Final = "UPDATE usage_reportrow r SET play = x.play FROM usage_pairs x WHERE r.id = x.row_id"


def pair_plays(report: UsageReport) -> None:
    """Fill `usage_theirs`, `usage_ours` and `usage_pairs` for a report whose lines are stored, and mark the lines."""
    for table, ddl in TABLES.items():
        connection.stage(table, ddl)  # type: ignore[attr-defined]
    widest = max(EDGES.values())
    facts: dict[str, Any] = {
        "report": report.pk, "first": report.starts_at - widest, "last": report.ends_at + widest, "near": NEAR,
        "http": EDGES["HTTP"], "bucket": EDGES["BUCKET"],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE usage_reportrow")
        cursor.execute(TAKE_THEIRS, facts)
        cursor.execute(TAKE_OURS.format(columns=COLUMNS), facts)
        name_plays(cursor)
        cursor.execute("ANALYZE usage_theirs, usage_ours")
        pair(cursor, "stream_id", lines="t.stream_id <> ''")
        pair(cursor, EVERYTHING)
        cursor.execute("ANALYZE usage_pairs")
        cursor.execute(TAKE_OTHERS.format(columns=COLUMNS), facts)
        pair(cursor, EVERYTHING)
        pair(cursor, "listener, second, track", plays=WENT_OUT)
        pair(cursor, "listener, second", plays=WENT_OUT)
        nearest = PAIR_NEAR.format(lines=LEFT_LINES, plays=f"{LEFT_PLAYS} AND {WENT_OUT}")
        cursor.execute(nearest, facts)
        while cursor.rowcount:
            cursor.execute(nearest, facts)
        cursor.execute(CLAIM)


def name_plays(cursor: Any) -> None:
    """Say of every play that went out in a file under which id."""
    cursor.execute("SELECT EXISTS (SELECT 1 FROM usage_theirs WHERE stream_id <> '')")
    if not cursor.fetchone()[0]:
        return
    with connection.chunked_cursor() as plays:
        plays.execute(IN_FILES)
        while rows := plays.fetchmany(AT_ONCE):
            with cursor.copy("COPY usage_names FROM STDIN") as copy:
                for play, user_id, play_id in rows:
                    copy.write_row((play, row_id(user_id, play_id)))
    cursor.execute(NAME)


def pair(cursor: Any, keys: str, *, lines: str = "true", plays: str = "true") -> None:
    """Pair what is left of lines and plays that are equal in `keys`."""
    cursor.execute(PAIR.format(keys=keys, lines=f"{lines} AND {LEFT_LINES}", plays=f"{plays} AND {LEFT_PLAYS}"))
