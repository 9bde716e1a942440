"""What a person decides about plays that are held."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db import connection

from usage.honesty import Flag
from usage.models import PlayState

# What stands in a usage report has been reported, however that came about, and is not reported again.
DECIDE: Final = """
    UPDATE usage_play p
       SET state = CASE WHEN EXISTS (SELECT 1 FROM usage_reportrow r WHERE r.play = p.id) THEN 'SENT'
                        ELSE %(state)s END,
           batch_id = NULL, flags = flags || ARRAY[%(flag)s]::varchar[]
     WHERE state = 'HELD' AND id = ANY (%(plays)s)
"""


def release_held(plays: Collection[int]) -> int:
    """Let held plays be reported after all, whatever they look like; how many of them were held."""
    return decide(plays, PlayState.WAITING, Flag.RELEASED)


def discard_held(plays: Collection[int]) -> int:
    """Keep held plays from being reported, for good; how many were held. They stay in the ledger, refused by us."""
    return decide(plays, PlayState.REJECTED, Flag.DISCARDED)


def decide(plays: Collection[int], state: PlayState, flag: Flag) -> int:
    with connection.cursor() as cursor:
        cursor.execute(DECIDE, {"state": state, "flag": flag, "plays": list(plays)})
        return int(cursor.rowcount)
