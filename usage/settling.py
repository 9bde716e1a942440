"""What becomes of lines and plays once they are paired: differences to look at, and doubts that are none any more.

Nothing that stands in a report is sent again. And nothing is sent again before there is every
report in which it could stand.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any, Final

from django.db import connection

from usage.actions import expire_the_late
from usage.matching import EDGES
from usage.models import Difference, PlayState, UsageReport
from usage.rules import REPORTABLE

OUTCOME: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS usage_outcome (
        kind text, line int, row_id bigint, play bigint, listener uuid, played_at timestamptz, called_at timestamptz,
        fields text[], detail text
    ) ON COMMIT DELETE ROWS
"""
# Of every line, and of every play that is in none: missing or returning only where the time about its call
# lies in reports that we have. What an earlier report missed is not missed again.
JUDGE: Final = """
    INSERT INTO usage_outcome
    WITH covered AS (SELECT range_agg(tstzrange(starts_at, ends_at)) AS times FROM usage_usagereport),
    pair AS (
        SELECT t.line, t.row_id, o.*,
               o.state IN ('REJECTED', 'EXPIRED', 'HELD') OR o.state = 'WAITING' AND o.batch IS NOT NULL AS unexpected,
               array_remove(ARRAY[
                   CASE WHEN t.listener IS DISTINCT FROM o.listener THEN 'user' END,
                   CASE WHEN t.track <> o.track THEN 'track' END,
                   CASE WHEN t.second <> o.second THEN 'played at' END,
                   CASE WHEN t.seconds <> o.seconds THEN 'seconds' END,
                   CASE WHEN t.format <> o.format THEN 'format' END,
                   CASE WHEN t.country <> o.country THEN 'country' END,
                   CASE WHEN t.mode <> o.mode THEN 'mode' END
               ], NULL) AS fields
          FROM usage_pairs JOIN usage_theirs t USING (row_id) JOIN usage_ours o USING (play)
    ), alone AS (
        SELECT o.*, covered.times @> tstzrange(o.called_at - o.edge, o.called_at + o.edge) AS over
          FROM usage_ours o, covered
         WHERE NOT o.claimed AND NOT EXISTS (SELECT 1 FROM usage_pairs x WHERE x.play = o.play)
           AND NOT EXISTS (SELECT 1 FROM usage_difference d WHERE d.play = o.play AND d.kind = 'MISSING')
    )
    SELECT CASE WHEN unexpected THEN 'UNEXPECTED' WHEN fields <> '{}' THEN 'CHANGED' ELSE 'MATCHED' END,
           line, row_id, play, listener, played_at, called_at, fields,
           CASE WHEN unexpected THEN 'by our ledger: ' || (%(labels)s::jsonb ->> state) ELSE '' END
      FROM pair
     UNION ALL
    SELECT 'EXTRA', t.line, t.row_id, NULL, NULL, NULL, NULL, '{}',
           CASE WHEN t.listener IS NULL THEN 'we know no such user'
                WHEN EXISTS (SELECT 1 FROM usage_ours o
                              WHERE (o.listener, o.track, o.second, o.format, o.country, o.mode, o.seconds)
                                  = (t.listener, t.track, t.second, t.format, t.country, t.mode, t.seconds))
                THEN 'it is there more often than it was played' ELSE '' END
      FROM usage_theirs t WHERE NOT EXISTS (SELECT 1 FROM usage_pairs x WHERE x.row_id = t.row_id)
     UNION ALL
    SELECT CASE WHEN state = 'IN_DOUBT' AND over THEN 'RETURNED' WHEN state = 'SENT' AND over THEN 'MISSING'
                ELSE 'UNDECIDED' END, NULL, NULL, play, listener, played_at, called_at, '{}', ''
      FROM alone WHERE state = 'IN_DOUBT' OR near AND state IN ('SENT', 'SENDING')
     UNION ALL
    SELECT 'CLAIMED', NULL, NULL, play, listener, played_at, called_at, '{}', ''
      FROM usage_ours WHERE claimed AND state = 'IN_DOUBT'
"""
NOTE: Final = """
    INSERT INTO usage_difference
           (report_id, kind, row_id, play, listener_id, played_at, fields, detail, resolution, note)
    SELECT %(report)s, kind, row_id, play, listener, played_at, fields, detail, 'OPEN', ''
      FROM usage_outcome WHERE kind = ANY (%(kinds)s) ORDER BY line, called_at, play
"""
COUNT: Final = """
    SELECT kind, count(*) FROM usage_outcome
     WHERE kind <> 'UNDECIDED' OR called_at >= %(start)s AND called_at < %(end)s GROUP BY kind
"""
# What an earlier report did not have, and this one has.
FOUND: Final = """
    UPDATE usage_difference d SET resolution = 'FOUND', resolved_at = %(now)s, note = 'in report ' || %(report)s::text
      FROM usage_pairs x, usage_usagereport r
     WHERE d.play = x.play AND d.kind = 'MISSING' AND d.resolution = 'OPEN' AND r.id = d.report_id AND r.state = 'OPEN'
"""
# By the time of the call, and by that of logging.
DAYS: Final = """
    SELECT day::text, coalesce(ours, 0), coalesce(theirs, 0)
      FROM (SELECT day, count(*) AS theirs FROM usage_theirs GROUP BY day) AS t
      FULL JOIN (
          SELECT (called_at AT TIME ZONE 'UTC')::date AS day, count(*) AS ours FROM usage_ours o
           WHERE called_at >= %(start)s AND called_at < %(end)s AND state IN ('SENT', 'SENDING', 'IN_DOUBT')
             AND NOT EXISTS (SELECT 1 FROM usage_outcome r WHERE r.play = o.play AND r.kind = 'RETURNED')
           GROUP BY 1
      ) AS o USING (day)
     ORDER BY day
"""
# Also what waits for a batch again, when a report came after it had been returned.
ARRIVE: Final = """
    UPDATE usage_play p SET state = 'SENT', platform_code = NULL FROM usage_outcome o
     WHERE p.listener_id = o.listener AND p.played_at = o.played_at AND p.id = o.play
       AND o.kind IN ('MATCHED', 'CHANGED', 'CLAIMED')
       AND (p.state = 'IN_DOUBT' OR p.state = 'WAITING' AND p.batch_id IS NULL)
"""
RETURN: Final = """
    UPDATE usage_play p SET state = 'WAITING', platform_code = NULL, batch_id = NULL FROM usage_outcome o
     WHERE p.listener_id = o.listener AND p.played_at = o.played_at AND p.id = o.play
       AND o.kind = 'RETURNED' AND p.state = 'IN_DOUBT'
 RETURNING p.played_at
"""
# Batches in doubt of which no play is any more. One whose plays had been released before is settled by the
# reports about its call.
END_BATCHES: Final = """
    WITH covered AS (SELECT range_agg(tstzrange(starts_at, ends_at)) AS times FROM usage_usagereport),
    doubtful AS (
        SELECT b.id, count(p.id) > 0 AS holds, count(p.id) FILTER (WHERE p.state = 'SENT') AS arrived,
               bool_or(p.state = 'IN_DOUBT') IS TRUE AS in_doubt
          FROM usage_playbatch b LEFT JOIN usage_play p ON p.batch_id = b.id
         WHERE b.state = 'IN_DOUBT' GROUP BY b.id
    )
    UPDATE usage_playbatch b
       SET state = CASE WHEN d.arrived > 0 THEN 'SENT' ELSE 'RETURNED' END, answered_at = %(now)s,
           detail = format('usage report %%s has %%s of its %%s play(s)', %(report)s::text, d.arrived, b.size)
      FROM doubtful d, covered c
     WHERE b.id = d.id AND NOT d.in_doubt
       AND (d.holds OR c.times @> tstzrange(b.called_at - %(http)s, b.called_at + %(http)s))
"""


def settle(report: UsageReport, *, now: datetime) -> None:
    """Note every difference, end every doubt that can be ended, and count, once plays are paired."""
    connection.stage("usage_outcome", OUTCOME)  # type: ignore[attr-defined]
    facts: dict[str, Any] = {
        "report": report.pk, "start": report.starts_at, "end": report.ends_at, "now": now, "http": EDGES["HTTP"],
        "kinds": Difference.Kind.values, "labels": json.dumps(dict(PlayState.choices)),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(JUDGE, facts)
        cursor.execute("ANALYZE usage_outcome")
        cursor.execute(NOTE, facts)
        cursor.execute(FOUND, facts)
        cursor.execute(COUNT, facts)
        counts = Counter(dict(cursor.fetchall()))
        cursor.execute(DAYS, facts)
        report.days = cursor.fetchall()
        cursor.execute(ARRIVE)
        report.arrived = cursor.rowcount
        cursor.execute(RETURN)
        late = [played_at <= now - REPORTABLE for (played_at,) in cursor.fetchall()]
        cursor.execute(END_BATCHES, facts)
    report.returned, report.expired = late.count(False), late.count(True)
    for name in ("matched", "missing", "extra", "changed", "unexpected", "undecided"):
        setattr(report, name, counts[name.upper()])
    report.plays = report.matched + report.extra + report.changed + report.unexpected
    report.save()
    expire_the_late(now=now)
