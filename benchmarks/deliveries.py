"""Plays on their way to the platform, by files and by calls. `python -m benchmarks.deliveries [plays]`.

Files are read from PostgreSQL, written as Parquet and put into a bucket on this machine, against a bare COPY of the
same rows out of PostgreSQL and the bare writing of the same columns. Calls go to the sandbox.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from benchmarks import stand
from benchmarks.report import table, target

PLAYS, BEST_OF = 100_000, 5
THREADS: Final = 4  # of a worker
LISTENERS: Final = 200
# Over the last thirty days; nothing of it is settled later than an hour ago.
FILL: Final = """
    INSERT INTO usage_play (listener_id, play_id, track_id, release_id, format_id, country, played_at, seconds_played,
                            mode, user_agent, source, source_id)
    SELECT (%(listeners)s::uuid[])[1 + n %% %(many)s], gen_random_uuid(), %(track)s, %(release)s, 26, 'GB',
           now() - interval '1 hour' - n * interval '1 second', 30 + n %% 200, 'online', 'Pixel 9; Tonearm 1.0', '', ''
      FROM generate_series(1, %(plays)s) n
"""
COPY: Final = """
    COPY (SELECT p.play_id, l.platform_id, p.country, p.track_id, p.release_id, p.format_id, p.played_at,
                 p.seconds_played, p.mode, p.user_agent
            FROM usage_play p JOIN accounts_listener l ON l.id = p.listener_id
           WHERE p.batch_id = %s ORDER BY p.played_at, p.id) TO STDOUT
"""


def main(plays: int) -> int:
    with stand.engines():
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        held = [by_files(plays), by_calls(plays // 5)]
        return 0 if all(held) else 1


def listeners() -> list[Any]:
    from django.utils import timezone

    from accounts.models import Listener, User

    users = User.objects.bulk_create(User(email=f"bench{uuid4()}@example.org") for _ in range(LISTENERS))
    return Listener.objects.bulk_create(
        Listener(user=user, country="GB", subscribed_since=timezone.now()) for user in users
    )


def fill(who: list[Any], plays: int, *, track: int = 101, release: int = 1) -> None:
    from django.db import connection

    wish = {"listeners": [listener.pk for listener in who], "many": len(who), "plays": plays}
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE usage_play")
        cursor.execute(FILL, wish | {"track": track, "release": release})
        cursor.execute("ANALYZE usage_play")


# --- by files ---------------------------------------------------------------------------------


def by_files(plays: int) -> bool:
    """Print the table; whether the targets were met."""
    from django.conf import settings

    from tests.usage.store import PREFIX, Store, open_door, running_store
    from usage.actions import batch_all_waiting_plays
    from usage.models import PlayBatch

    with running_store() as url, open_door(url) as door:
        place = Store(url, door).settings(through_door=False)
        settings.USAGE_CHANNEL, settings.USAGE_BUCKET, settings.USAGE_BUCKET_PREFIX = "bucket", place, PREFIX
        fill(listeners(), plays)
        cutting = timed(lambda: batch_all_waiting_plays(seconds=600))
        batches = list(PlayBatch.objects.order_by("pk"))
        copying = min(timed(lambda: [copied(batch) for batch in batches]) for _ in range(BEST_OF))
        writing = min(bare_writing(batches) for _ in range(BEST_OF))
        before = peak()
        processor = time.process_time()
        sending = min(timed(lambda: [put(batch) for batch in batches]) for _ in range(BEST_OF))
        processor, grown = time.process_time() - processor, peak() - before
        settling = timed(deliver_files)
    rows = [
        ["bare COPY out of PostgreSQL", copying],
        ["bare writing of Parquet", writing],
        ["read, written and put", sending],
        ["the same, and each play marked as sent", settling],
        ["before that: judged, fixed as files and named", cutting],
    ]
    table(
        f"{plays:,} plays in {len(batches)} files, best of {BEST_OF}",
        ["", "plays/s", "seconds"],
        [[name, f"{plays / seconds:,.0f}", f"{seconds:.2f}"] for name, seconds in rows],
    )
    print(f"    processor for that in the worker, µs a play: {processor / plays / BEST_OF * 1e6:.1f}")
    return all(
        [
            target("read, written and put, plays/s", plays / sending, 100_000),
            target("memory that grew with it", grown, 64, at_most=True, unit=" MiB"),
        ]
    )


def copied(batch: Any) -> int:
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(COPY, [batch.pk]) as copy:
        return sum(len(piece) for piece in copy)


def bare_writing(batches: list[Any]) -> float:
    """Seconds for columns that are there already."""
    import io

    from pyarrow import parquet

    from usage.files import file_of

    tables = [parquet.read_table(io.BytesIO(file_of(batch))) for batch in batches]
    return timed(lambda: [parquet.write_table(each, io.BytesIO()) for each in tables])


def put(batch: Any) -> None:
    """Under a name of this run's own, so that it is not there yet."""
    from usage.bucket import bucket
    from usage.files import file_of

    assert bucket().put(f"{uuid4()}.parquet", file_of(batch))


def deliver_files() -> None:
    from outbox.delivery import deliver_message
    from outbox.models import Message

    for pk in Message.objects.filter(topic="plays.deposit").values_list("pk", flat=True):
        message = deliver_message(message_id=pk)
        assert message is not None
        assert message.state == "DONE", message.last_error


# --- by calls ---------------------------------------------------------------------------------


def by_calls(plays: int) -> bool:
    """Print the line; whether the target was met."""
    from django.conf import settings

    from outbox.models import Message
    from outbox.platform import platform
    from tests.sandbox.platform import KEY, SECRET, Database, Partner, Platform
    from usage.actions import batch_all_waiting_plays

    database = Database(server=os.environ["DATABASE_URL"], name="bench_platform")
    database.create()
    folder = Path(os.environ["VAR_DIR"]) / "platform"
    folder.mkdir()
    sandbox = Platform(database=database, var_dir=folder)
    sandbox.prepare()
    sandbox.start()
    try:
        settings.USAGE_CHANNEL, settings.USAGE_BATCH_SIZE = "http", 20
        there = {"api_url": f"{sandbox.url}/1.2", "consumer_key": KEY, "consumer_secret": SECRET}
        settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | there
        platform.cache_clear()
        who, partner, release = listeners(), Partner(sandbox), sandbox.release()
        for listener in who:
            partner.request("GET", "/1.2/user/create", userId=listener.platform_id, country="GB").raise_for_status()
            partner.subscribe(listener.platform_id).raise_for_status()
        fill(who, plays, track=release["tracks"][0]["id"], release=release["id"])
        batch_all_waiting_plays(seconds=600)
        calls = Message.objects.filter(topic="plays.log").count()
        before = time.process_time()
        seconds = timed(carry_calls)
        processor = time.process_time() - before
        assert Message.objects.filter(topic="plays.log", state="DONE").count() == calls
    finally:
        sandbox.stop()
    print(f"  {calls:,} calls of up to 20 plays in {seconds:.1f} s, {THREADS} threads: {plays / seconds:,.0f} plays/s,")
    print(f"  {processor / calls * 1000:.1f} ms of processor a call\n")
    return target("calls to the sandbox by one worker, calls/s", calls / seconds, 150)


def carry_calls() -> None:
    """As a worker does: each thread a lane."""
    from django.db import connections

    from outbox.delivery import deliver_lane
    from outbox.models import Message

    def carry(pk: int) -> None:
        try:
            deliver_lane(message_id=pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as threads:
        while first := list(Message.objects.filter(topic="plays.log").claimable().values_list("pk", flat=True)):
            list(threads.map(carry, first))


# --- how it is measured -----------------------------------------------------------------------


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else PLAYS))
