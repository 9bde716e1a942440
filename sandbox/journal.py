"""The append-only record of what was accepted: the judge in every test.

An entry is written inside the transaction of its effect, so there is never one without the
other. `seq` grows in the order in which transactions become visible: whoever reads `after` a
seq misses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.db import connection

from sandbox.instants import iso
from sandbox.models import Entry

KINDS: Final = (
    "users", "subscriptions", "devices", "plays", "sales", "refunds", "playlists", "streams", "downloads", "clips",
    "previews",
)  # fmt: skip

LOCK: Final = 0x7D1617A1  # any number: the name of an advisory lock
# In one message to PostgreSQL, which makes it one transaction where the caller has none; the second statement sees
# what the transactions have written that the first has waited for.
APPEND: Final = """
    SELECT pg_advisory_xact_lock(%(lock)s);
    INSERT INTO sandbox_entry (kind, call, at, fields)
    SELECT %(kind)s,
           1 + coalesce((SELECT call FROM sandbox_entry WHERE kind = %(kind)s ORDER BY seq DESC LIMIT 1), 0),
           statement_timestamp(), line
      FROM jsonb_array_elements(%(lines)s) WITH ORDINALITY AS given (line, place)
     ORDER BY place
"""


def record(kind: str, *lines: Mapping[str, Any]) -> None:
    """Append one accepted request with its lines, fields in the platform's spelling.

    Call it last in a transaction, or in none: from here to the commit all other writers wait, which is what
    makes the order of `seq` the order of the commits.
    """
    with connection.cursor() as cursor:
        cursor.execute(APPEND, {"lock": LOCK, "kind": kind, "lines": json.dumps(lines)})


def lines(*, kinds: Sequence[str], after: int = 0) -> Iterator[dict[str, Any]]:
    """The entries of `kinds` beyond seq `after`, oldest first."""
    for entry in Entry.objects.filter(kind__in=kinds, seq__gt=after).order_by("seq").iterator():
        head = {"seq": entry.seq, "kind": entry.kind, "at": iso(entry.at), "call": entry.call}
        yield head | entry.fields
