"""Taking plays in, against a bare COPY of the same rows: all of them at once, and as many at a time as a request."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from benchmarks import load, stand
from benchmarks.report import table, target
from kernel.values import rfc3339

CONNECTIONS, SECONDS, BATCHES = 8, 6.0, (1, 20, 100, 500)
COPIED, REQUEST = 50_000, 100
COLUMNS = (
    "listener_id, country, play_id, track_id, release_id, format_id, played_at, seconds_played, mode, "
    "user_agent, source, source_id"
)
COPY = f"COPY bench_play ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
TYPES = "uuid text uuid int4 int4 int4 timestamptz int4 text text text text".split()


def measure(tokens: Sequence[str], tracks: Sequence[int]) -> bool:
    """Print the table; whether the target was met."""
    copied, pieces = (max(copy_rate(tracks, at_once=size) for _ in range(3)) for size in (COPIED, REQUEST))
    rows = [
        [f"bare COPY, {COPIED:,} rows at once, best of 3", f"{copied:,.0f}", "1.00", "", ""],
        [f"bare COPY, {REQUEST} rows a transaction, best of 3", f"{pieces:,.0f}", f"{pieces / copied:.2f}", "", ""],
    ]
    ratios = {}
    with stand.server() as (port, _):
        for size in BATCHES:
            result = taken(port, tokens, tracks, size)
            rate = result.rate * size
            ratios[size] = rate / copied
            milliseconds = [f"{result.percentile(share) * 1000:.1f}" for share in (0.5, 0.99)]
            rows.append([f"POST /plays, {size} a request", f"{rate:,.0f}", f"{ratios[size]:.2f}", *milliseconds])
    table(f"taking plays, {CONNECTIONS} connections", ["", "plays/s", "of COPY", "p50 ms", "p99 ms"], rows)
    met = target(f"POST /plays at {REQUEST} a request against the bare COPY", ratios[REQUEST], 0.15)
    print(f"      against the bare COPY of {REQUEST} rows a transaction: {ratios[REQUEST] * copied / pieces:.2f}")
    print()
    return met


def taken(port: int, tokens: Sequence[str], tracks: Sequence[int], size: int) -> load.Result:
    """Requests of `size` plays, every play a new one; so many are prepared that none comes twice."""
    endless = itertools.cycle(tokens)
    load.warm(port, [message(next(endless), tracks, size) for _ in range(50)][:1], connections=1)
    prepared = [message(next(endless), tracks, size) for _ in range(max(200, min(20_000, 600_000 // size)))]
    result = load.run(port, prepared, connections=CONNECTIONS, seconds=SECONDS)
    assert set(result.statuses) == {200}, result.statuses
    assert len(result.latencies) <= len(prepared), "plays were sent twice: prepare more"
    return result


def message(token: str, tracks: Sequence[int], size: int) -> bytes:
    body = json.dumps({"plays": [play(random.choice(tracks)) for _ in range(size)]}, separators=(",", ":"))
    return load.request("POST", "/api/v1/plays", token=token, body=body.encode())


def play(track_id: int) -> dict[str, Any]:
    moment = datetime.now(UTC) - timedelta(seconds=random.randrange(60, 86400 * 20))
    return {
        "play_id": str(uuid4()),
        "track_id": track_id,
        "release_id": track_id // 100,
        "format_id": 26,
        "played_at": rfc3339(moment.replace(microsecond=0)),
        "seconds_played": random.randrange(0, 300),
        "mode": "online",
        "user_agent": "Pixel 9; Tonearm 1.0",
        "source": "playlist",
        "source_id": "morning",
    }


def copy_rate(tracks: Sequence[int], *, at_once: int) -> float:
    """Plays per second that psycopg copies, in binary, into a bare table of the same columns and primary key.

    Each `at_once` rows are a transaction of their own, as durable as a request's.
    """
    from django.db import connection

    listener = uuid4()
    rows = [row(listener, play(random.choice(tracks))) for _ in range(COPIED)]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_play")
        cursor.execute("CREATE TABLE bench_play (LIKE usage_play INCLUDING DEFAULTS INCLUDING IDENTITY)")
        cursor.execute("ALTER TABLE bench_play ADD PRIMARY KEY (listener_id, play_id)")
    began = time.perf_counter()
    for start in range(0, COPIED, at_once):
        with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.set_types(TYPES)
            for each in rows[start : start + at_once]:
                copy.write_row(each)
    return COPIED / (time.perf_counter() - began)


def row(listener: UUID, sent: dict[str, Any]) -> tuple[Any, ...]:
    played_at = datetime.fromisoformat(sent["played_at"])
    facts = [sent[name] for name in ("track_id", "release_id", "format_id")]
    words = [sent[name] for name in ("mode", "user_agent", "source", "source_id")]
    return (listener, "GB", UUID(sent["play_id"]), *facts, played_at, sent["seconds_played"], *words)
