"""The append-only record of what was accepted: the judge in every test.

An entry is written inside the transaction of its effect, so there is never one without the
other. `seq` grows in the order in which transactions become visible: whoever reads `after` a
seq misses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from sandbox.instants import iso
from sandbox.models import Entry

KINDS: Final = ("users", "subscriptions", "devices", "plays", "sales", "refunds", "playlists", "streams")

LOCK: Final = 0x7D1617A1  # any number: the name of an advisory lock


def record(kind: str, *lines: Mapping[str, Any]) -> None:
    """Append one accepted request with its lines, fields in the platform's spelling.

    Call it last in a transaction: from here to the commit all other writers wait, which is what
    makes the order of `seq` the order of the commits.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    last = Entry.objects.filter(kind=kind).order_by("-seq").values_list("call", flat=True).first()
    now = timezone.now()
    call = (last or 0) + 1
    Entry.objects.bulk_create([Entry(kind=kind, call=call, at=now, fields=dict(line)) for line in lines])


def lines(*, kinds: Sequence[str], after: int = 0) -> Iterator[dict[str, Any]]:
    """The entries of `kinds` beyond seq `after`, oldest first."""
    for entry in Entry.objects.filter(kind__in=kinds, seq__gt=after).order_by("seq").iterator():
        head = {"seq": entry.seq, "kind": entry.kind, "at": iso(entry.at), "call": entry.call}
        yield head | entry.fields
