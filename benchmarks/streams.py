"""Issuing a stream, against a bare Django view and a DRF view that knows its caller."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from benchmarks import load, stand
from benchmarks.report import table, target

CONNECTIONS, SECONDS, MESSAGES = 32, 6.0, 4000


def measure(tokens: Sequence[str], tracks: Sequence[int]) -> bool:
    """Print the table; whether the targets were met."""
    chance = random.Random(7)
    wishes = [
        load.request("POST", "/api/v1/streams", token=chance.choice(tokens), body=wish(chance.choice(tracks)))
        for _ in range(MESSAGES)
    ]
    cases = {
        "bare Django view": [load.request("POST", "/bench/bare", body=b"{}")],
        "DRF view with JWT": [load.request("POST", "/bench/jwt", token=token, body=b"{}") for token in tokens],
        "the same, token remembered": [
            load.request("POST", "/bench/remembered", token=token, body=b"{}") for token in tokens
        ],
        "POST /streams": wishes,
    }
    results = {}
    rows = []
    with stand.server() as (port, pid):
        for name, messages in cases.items():
            load.warm(port, messages, connections=CONNECTIONS)
            result = results[name] = load.run(port, messages, connections=CONNECTIONS, seconds=SECONDS)
            assert set(result.statuses) <= {200, 201}, result.statuses
            milliseconds = [f"{result.percentile(share) * 1000:.1f}" for share in (0.5, 0.99)]
            rows.append([name, f"{result.rate:,.0f}", *milliseconds, f"{stand.memory_of(pid):.0f}"])
    table(f"issuing streams, {CONNECTIONS} connections", ["", "requests/s", "p50 ms", "p99 ms", "MiB"], rows)
    streams, ceiling = results["POST /streams"], results["DRF view with JWT"]
    met = [
        target("POST /streams against the DRF view with JWT", streams.rate / ceiling.rate, 0.65),
        target("its p99", streams.percentile(0.99) * 1000, 25, at_most=True, unit=" ms"),
    ]
    print()
    return all(met)


def wish(track_id: int) -> bytes:
    return json.dumps({"track_id": track_id, "format_id": 26, "client_id": "phone"}).encode()
