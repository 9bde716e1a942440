"""Reports over a month of plays. `python -m benchmarks.reports [plays]`."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks import stand
from benchmarks.report import table, target

PLAYS: Final = 1_000_000
MIB_MORE: Final = 48  # that a report may take beyond what stood before it, however many plays there are
NOVEMBER: Final = {"start": datetime(2026, 11, 1, tzinfo=UTC), "end": datetime(2026, 12, 1, tzinfo=UTC)}
LISTENERS: Final = """
    INSERT INTO accounts_listener (id, platform_id, country, explicit_filter)
    SELECT gen_random_uuid(), n::text, 'GB', false FROM generate_series(1, 10000) AS n;
    INSERT INTO subscriptions_subscription
           (id, listener_id, external_id, plan_id, status, recurring_fee, currency, country, postcode, activated_at,
            starts_at, expires_at, entitled_from, entitled_until, cancel_at_period_end, as_of)
    SELECT gen_random_uuid(), id, platform_id, 'premium-unlimited-streaming', 'ACTIVE', 999, 'GBP', 'GB', '', began,
           began, began + interval '1 year', began, began + interval '1 year', false, began
      FROM accounts_listener, (SELECT '2026-01-01Z'::timestamptz AS began) AS once;
    INSERT INTO subscriptions_period
           (subscription_id, listener_id, plan_id, status, recurring_fee, currency, country, starts_at, ends_at)
    SELECT id, listener_id, plan_id, status, recurring_fee, currency, country, starts_at + n * interval '30 days',
           starts_at + (n + 1) * interval '30 days'
      FROM subscriptions_subscription, generate_series(0, 11) AS n
"""
SHELVES: Final = """
    INSERT INTO catalogue_artist (id, version, name) SELECT n, 1, 'Artist ' || n FROM generate_series(1, 500) AS n;
    INSERT INTO catalogue_release (id, version, title, subtitle, artist_id, label, licensor_id, type, upc, genres,
                                   explicit, duration_seconds, p_line, c_line)
    SELECT n, 1, 'Release ' || n, '', 1 + n % 500, 'Label ' || n % 50, n % 10, 'Album', (5050000000000 + n)::text, '{}',
           false, 2000, '', '' FROM generate_series(1, 2000) AS n;
    INSERT INTO catalogue_track (id, release_id, artist_id, title, subtitle, isrc, disc_number, track_number,
                                 duration_seconds, explicit)
    SELECT n, 1 + n / 10, 1 + n % 500, 'Track ' || n, '', 'GBQQQ25' || lpad(n::text, 5, '0'), 1, 1, 204, false
      FROM generate_series(1, 19999) AS n
"""
PLAYED: Final = """
    INSERT INTO usage_play (play_id, track_id, release_id, format_id, country, played_at, seconds_played, mode,
                            user_agent, source, source_id, state, listener_id)
    SELECT gen_random_uuid(), track, 1 + track / 10, 26, (ARRAY['GB', 'DE', 'FR', 'ES', 'IT'])[1 + n %% 5],
           '2026-11-01Z'::timestamptz + n * interval '30 days' / %(plays)s, n %% 300, 'online', 'Pixel 9', '', '',
           'SENT', who.ids[1 + n %% 10000]
      FROM (SELECT array_agg(id) AS ids FROM accounts_listener) AS who, generate_series(0, %(plays)s - 1) AS n,
           LATERAL (SELECT 1 + (n::bigint * 7919 %% 19999)::int AS track) AS t
"""


def main(plays: int) -> int:
    with stand.engines():
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(LISTENERS)
            cursor.execute(SHELVES)
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(PLAYED, {"plays": plays})
            cursor.execute("ANALYZE")
        return 0 if measure(plays) else 1


def measure(plays: int) -> bool:
    """Print the table; whether the target was met. What pyarrow takes is there before."""
    import pyarrow.parquet  # noqa: F401

    runs = {name: run(pieces) for name, pieces in reports().items()}
    table(
        f"reports over {plays:,} plays of a month",
        ["", "MB", "seconds", "MiB more"],
        [[name, f"{size / 1e6:.1f}", f"{seconds:.1f}", f"{more:.0f}"] for name, (size, seconds, more) in runs.items()],
    )
    most = max(more for _, _, more in runs.values())
    return target("memory beyond what stood before", most, MIB_MORE, at_most=True, unit=" MiB")


def reports() -> dict[str, Iterator[bytes]]:
    """Each as it is written; none is begun."""
    from reports.dsr import Party
    from reports.formats import csv_of, parquet_of
    from reports.month import month_report
    from reports.plays import plays

    month: Any = NOVEMBER
    everything = plays(["day", "track", "release", "label", "country", "plan", "mode"], **month)
    return {
        "CSV by day": csv_of(plays(["day"], **month)),
        "CSV by track and country": csv_of(plays(["track", "country"], **month)),
        "CSV by everything": csv_of(everything),
        "Parquet by everything": parquet_of(everything),
        "the month in the shape of DSR": month_report(
            month["start"], created_at=month["end"], service="Tonearm", sender=Party(), recipient=Party()
        ),
    }


def run(pieces: Iterator[bytes]) -> tuple[int, float, float]:
    """Bytes, seconds, and MiB of memory at the highest beyond what stood before."""
    Path("/proc/self/clear_refs").write_text("5")  # the highest counts from here on
    before, began = memory("VmRSS"), time.monotonic()
    size = sum(map(len, pieces))
    return size, time.monotonic() - began, memory("VmHWM") - before


def memory(name: str) -> float:
    [kib] = re.findall(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kib) / 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else PLAYS))
