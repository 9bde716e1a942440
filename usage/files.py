"""Plays as files for the platform's bucket: which go into one, and what it is called.

A file's name says what is in it, and the bucket keeps the first of a name. So a file that was cut
is put there as often as need be, by whomever, even once more after a backup was restored, and is
there once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.db import connection

from massivemusic.parquet import FACTS, Group, play_file
from outbox.actions import Draft, send
from usage.judging import JUDGED, Judged
from usage.models import PlayBatch
from usage.rules import REPORTABLE

ROWS: Final = 10_000  # a row group, and all that is held in memory beside the file itself
# A play is a line. What would break one is as good as any other character that no report can hold.
READ: Final = r"""
    COPY (SELECT p.play_id, l.platform_id, p.country, p.track_id, p.release_id, p.format_id,
                 floor(date_part('epoch', p.played_at))::bigint, p.seconds_played, p.mode,
                 translate(p.user_agent, E'\t\r\n\x01\x02', repeat(E'\x03', 5))
            FROM usage_play p JOIN accounts_listener l ON l.id = p.listener_id
           WHERE p.batch_id = %s ORDER BY p.played_at, p.id)
      TO STDOUT (FORMAT CSV, DELIMITER E'\t', QUOTE E'\x01', NULL E'\x02')
"""
# Whoever's they are.
TAKE: Final = f"""
    WITH taken AS (UPDATE usage_play SET batch_id = %(batch)s WHERE {JUDGED} RETURNING played_at)
    SELECT count(*), min(played_at) FROM taken
"""  # noqa: S608


def cut_file(judged: Judged) -> int:
    """Fix these plays as one file and queue it; how many are in it.

    In the caller's transaction, under its lock. The file's deadline is its oldest play's 61st day.
    """
    if not judged.plays:
        return 0
    batch = PlayBatch.objects.create(channel=PlayBatch.Channel.BUCKET, size=0)
    with connection.cursor() as cursor:
        cursor.execute(TAKE, judged._asdict() | {"batch": batch.pk})
        batch.size, oldest = cursor.fetchone()
    if not batch.size:  # a person has kept back all of them in this very moment
        batch.delete()
        return 0
    batch.object_name = name_of(digest_of(batch), oldest)
    batch.save(update_fields=["size", "object_name"])
    send(
        Draft(
            topic="plays.deposit",
            key=str(batch.pk),
            lane=batch.object_name,  # its own: no file waits for another
            body={"batch_id": batch.pk},
            deadline=oldest + REPORTABLE,
        )
    )
    return int(batch.size)


def name_of(digest: str, oldest: datetime) -> str:
    """By what is inside and nothing else: not by the batch's number, which a restored backup gives out again."""
    return f"{settings.USAGE_BUCKET_PREFIX}/{oldest.astimezone(UTC):%Y/%m/%d}/plays-{digest}.parquet"


def file_of(batch: PlayBatch) -> bytes:
    """The file's bytes. Raises ValueError when its plays are not those it was named for."""
    digest = new_digest()
    content = play_file(columns_of(lines) for lines in lines_of(batch.pk, digest))
    if digest.hexdigest() not in batch.object_name:
        raise ValueError(f"the plays of batch {batch.pk} have changed since it was cut")
    return content


def digest_of(batch: PlayBatch) -> str:
    """Of a batch's plays in their order: 40 hex digits."""
    digest = new_digest()
    for _ in lines_of(batch.pk, digest):
        pass
    return str(digest.hexdigest())


def new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=20)


def lines_of(batch_id: int, digest: hashlib.blake2b) -> Iterator[bytes]:
    """A batch's plays in the order they were played, ROWS at a time; the digest takes each in."""
    with connection.cursor() as cursor, cursor.copy(READ, [batch_id]) as copy:
        while lines := b"".join(islice(copy, ROWS)):
            digest.update(lines)
            yield lines


def columns_of(lines: bytes) -> Group:
    """The lines as Arrow's columns."""
    import pyarrow
    from pyarrow import csv

    table = csv.read_csv(
        pyarrow.BufferReader(lines),
        csv.ReadOptions(column_names=list(FACTS), use_threads=False, block_size=len(lines) + 1),
        csv.ParseOptions(delimiter="\t", quote_char=False),
        csv.ConvertOptions(column_types={name: pyarrow.type_for_alias(kind) for name, kind in FACTS.items()}),
    )
    return table.to_batches()[0]


def send_file(batch_id: int, *, at: datetime) -> bool:
    """Write down that a file is about to go out; False when it is not to (any more).

    Its plays wait until the bucket has them: nothing is in doubt meanwhile, and they are many.
    """
    unsent = PlayBatch.objects.filter(pk=batch_id, state__in=[PlayBatch.State.WAITING, PlayBatch.State.SENDING])
    return bool(unsent.update(state=PlayBatch.State.SENDING, called_at=at))


def unsend_file(batch: PlayBatch, *, at: datetime) -> None:
    """What went out at `at` surely did not arrive: say of the file what was said before."""
    PlayBatch.objects.filter(pk=batch.pk, called_at=at).update(called_at=batch.called_at)


def wait_with_file(body: Mapping[str, Any]) -> None:
    """The file could not be put there, or nobody knows: it waits for its next try, which does no harm."""
    PlayBatch.objects.filter(pk=body["batch_id"]).update(state=PlayBatch.State.WAITING)
