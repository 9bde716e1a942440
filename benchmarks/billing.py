"""The billing door while its events are handled. `python -m benchmarks.billing [seconds]`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from benchmarks import load, stand
from benchmarks.events import wait_until
from benchmarks.report import table, target
from kernel.values import rfc3339

RATE: Final = 50
SECONDS: Final = 120
CONNECTIONS: Final = 16
PATH: Final = "/webhooks/billing/standard"
HEAD: Final = ["", "/s", "p50 ms", "p99 ms", "handled after s"]


def main(seconds: int) -> int:
    with stand.engines():
        import django

        django.setup()
        from django.core.management import call_command

        from accounts.models import Listener

        call_command("migrate", verbosity=0)
        stand.tokens()
        listeners = list(Listener.objects.values_list("pk", flat=True))
        with stand.server() as (port, _), stand.worker():
            return 0 if measure(port, listeners, seconds) else 1


def measure(port: int, listeners: Sequence[UUID], seconds: int) -> bool:
    """Signed events at a steady rate while the worker folds them; the bare view, asked as often, is the ceiling."""
    from billing.models import BillingEvent

    bare_messages = [load.request("POST", "/bench/bare", body=b"{}")] * (RATE * min(seconds, 10))
    for first in (bare_messages[0], event(RATE * seconds, listeners[0])):
        load.warm(port, [first], connections=CONNECTIONS)
    bare = load.paced(port, bare_messages, connections=CONNECTIONS, rate=RATE)
    before = BillingEvent.objects.count()
    events = [event(number, listeners[number % len(listeners)]) for number in range(RATE * seconds)]
    result = load.paced(port, events, connections=CONNECTIONS, rate=RATE)
    ended, kept = time.perf_counter(), BillingEvent.objects.count() - before
    handled = wait_until(lambda: not BillingEvent.objects.filter(state="WAITING").exists(), seconds=300)
    rows = [
        ["bare Django view", *figures(bare), ""],
        [f"{len(events):,} signed events of {len(listeners):,} listeners", *figures(result), f"{handled - ended:.1f}"],
    ]
    table(f"the billing door, {RATE} a second for {seconds} s, with the worker running", HEAD, rows)
    taken = sum(count for status, count in result.statuses.items() if 200 <= status < 300)
    return all(
        [
            target("answered 2xx", taken, len(events)),
            target("stored when the last was answered", kept, taken),
            target("handled", BillingEvent.objects.filter(state="HANDLED").count() - before, kept),
            target("p50 against the bare view's", result.percentile(0.5) / bare.percentile(0.5), 20, at_most=True),
            target("p99", result.percentile(0.99) * 1000, 300, at_most=True, unit=" ms"),
        ]
    )


def figures(result: load.Result) -> list[str]:
    return [f"{result.rate:,.0f}", *(f"{result.percentile(share) * 1000:.1f}" for share in (0.5, 0.99))]


def event(number: int, listener: UUID) -> bytes:
    """News of one of the listeners' subscriptions, each time with another fee."""
    from tests.helpers import webhook_headers

    now = datetime.now(UTC).replace(microsecond=0)
    data = {
        "account_id": str(listener),
        "external_id": f"bench-{listener}",
        "plan_code": "premium-unlimited-streaming",
        "status": "active",
        "currency": "GBP",
        "recurring_fee": number,
        "country": "GB",
        "activated_at": rfc3339(now - timedelta(days=40)),
        "current_period_start": rfc3339(now - timedelta(days=1)),
        "expires_at": rfc3339(now + timedelta(days=27)),
    }
    body = json.dumps({"type": "subscription.updated", "timestamp": rfc3339(now), "data": data}).encode()
    headers = webhook_headers(body, event_id=f"bench-{number}")
    return load.request("POST", PATH, body=body, headers="\r\n".join(f"{name}: {headers[name]}" for name in headers))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
