"""What the enhanced stream adds to tracks we know. It decides nothing about who may hear them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Final

from django.db import connection

from catalogue.events import TagFacts

# A track we do not know, or know on another release, is not enriched.
WRITE: Final = """
    WITH said AS (
        SELECT * FROM jsonb_to_recordset(%(said)s::jsonb)
                   AS s (track_id int, release_id int, version bigint, tags jsonb)
    ), known AS (
        SELECT s.* FROM said s JOIN catalogue_track t ON t.id = s.track_id AND t.release_id = s.release_id
    ), written AS (
        INSERT INTO catalogue_tracktags AS g (track_id, version, tags)
        SELECT track_id, version, tags FROM known ORDER BY track_id
        ON CONFLICT (track_id) DO UPDATE SET version = EXCLUDED.version, tags = EXCLUDED.tags
         WHERE g.version < EXCLUDED.version
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM known), (SELECT count(*) FROM written)
"""


def write_tags(said: Iterable[TagFacts]) -> Counter[str]:
    """Keep the newest tags of each known track; how many were applied, stale, or of tracks we do not know."""
    newest: dict[int, TagFacts] = {}
    total = 0
    for facts in said:
        total += 1
        if (standing := newest.get(facts.track_id)) is None or facts.version > standing.version:
            newest[facts.track_id] = facts
    rows = [
        {"track_id": one.track_id, "release_id": one.release_id, "version": one.version, "tags": one.tags}
        for one in newest.values()
    ]
    with connection.cursor() as cursor:
        cursor.execute(WRITE, {"said": json.dumps(rows)})
        known, written = cursor.fetchone()
    outdone = total - len(newest)
    return +Counter({"applied": written, "stale": known - written + outdone, "unknown": len(newest) - known})
