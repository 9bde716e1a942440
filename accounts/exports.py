"""Everything we hold about a listener, as a ZIP of JSON files: asked for, made by a worker, kept for some days.

The ZIP lies in PostgreSQL, in parts, because web and workers may share nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Any, Final
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Export, ExportPart, Listener
from accounts.registry import tellers
from kernel.errors import Kind, Refusal
from outbox.wake import wake

PART_BYTES: Final = 512 * 1024
ATTEMPTS: Final = 3
REST: Final = timedelta(minutes=1)  # after an attempt that failed
LONGEST_SECONDS: Final = 30.0  # to go on making what waits

log = logging.getLogger(__name__)


class ExportFailed(Refusal):
    """The export could not be made; the fault is ours, and has been logged."""

    code, kind = "export_failed", Kind.CONFLICT


class ExportExpired(Refusal):
    """The export's days are over, or a newer one took its place."""

    code, kind = "export_expired", Kind.NOT_FOUND


@transaction.atomic
def request_export(*, listener: Listener) -> Export:
    """Queue an export; the one that waits, where one does."""
    Export.objects.bulk_create([Export(listener=listener)], ignore_conflicts=True)
    transaction.on_commit(lambda: wake("accounts.export"), robust=True)
    return Export.objects.filter(listener=listener).latest("requested_at")


def make_exports(*, seconds: float = LONGEST_SECONDS) -> int:
    """Make what waits, one after the other, until nothing does or the time is over; how many were tried."""
    end, tried = time.monotonic() + seconds, 0
    while time.monotonic() < end and make_next_export(now=timezone.now()):
        tried += 1
    return tried


@transaction.atomic
def make_next_export(*, now: datetime) -> bool:
    """Make the export that has waited longest; False when none is due.

    It stays locked meanwhile, so that workers share the work, and what a crash left simply waits on.
    """
    due = Export.objects.filter(state=Export.State.WAITING, due_at__lte=now).order_by("due_at")
    export = due.select_for_update(skip_locked=True).first()
    if export is None:
        return False
    try:
        with transaction.atomic():
            export.size = store_parts(export)
    except Exception:
        log.exception("export %s not made", export.pk)
        export.attempts += 1
        export.due_at = now + REST * export.attempts
        export.state = Export.State.FAILED if export.attempts >= ATTEMPTS else Export.State.WAITING
    else:
        expire(Export.objects.filter(listener_id=export.listener_id, state=Export.State.READY))
        export.state = Export.State.READY
        export.expires_at = now + timedelta(days=settings.EXPORT_DAYS)
    export.save()
    return True


def store_parts(export: Export) -> int:
    """Write the ZIP and keep it; its size in bytes."""
    with TemporaryFile() as file:
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for name, tell in tellers().items():
                with archive.open(f"{name}.json", "w") as entry:
                    write_rows(entry, tell(export.listener_id))
        size = file.tell()
        file.seek(0)
        for number, content in enumerate(iter(partial(file.read, PART_BYTES), b"")):
            ExportPart.objects.create(export=export, number=number, content=content)
    return size


def write_rows(entry: IO[bytes], rows: Iterable[Mapping[str, Any]]) -> None:
    """A JSON list, a row to a line, without holding more than a row."""
    before = b"["
    for row in rows:
        entry.write(before + b"\n" + msgspec.json.encode(row))
        before = b","
    entry.write(b"[]\n" if before == b"[" else b"\n]\n")


def check_ready(export: Export, *, now: datetime) -> None:
    """Raises ExportFailed or ExportExpired for an export that is made and cannot be fetched."""
    if export.state == Export.State.FAILED:
        raise ExportFailed("the export could not be made; ask for another")
    if export.expires_at is None or export.state == Export.State.EXPIRED or export.expires_at <= now:
        raise ExportExpired("the export has expired; ask for another")


def parts_of(export_id: UUID) -> Iterator[bytes]:
    """The ZIP's bytes, a part at a time."""
    parts, number = ExportPart.objects.filter(export_id=export_id), 0
    while (content := parts.filter(number=number).values_list("content", flat=True).first()) is not None:
        yield bytes(content)
        number += 1


def expire(exports: QuerySet[Export]) -> int:
    """Take the ZIPs away; the rows say that they were there. How many there were."""
    pks = list(exports.values_list("pk", flat=True))
    ExportPart.objects.filter(export__in=pks).delete()
    return Export.objects.filter(pk__in=pks).update(state=Export.State.EXPIRED)


def expire_exports(*, now: datetime) -> int:
    """Take away what has run out; how many there were."""
    with transaction.atomic():
        return expire(Export.objects.filter(state=Export.State.READY, expires_at__lte=now))
