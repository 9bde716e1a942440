"""What is measured is true, and measuring costs little whatever lies in the tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from catalogue.models import Track
from config import vitals
from downloads.models import Purchase, Refund
from kernel.values import rfc3339
from outbox.models import Circuit, Heartbeat, Message
from tests.config.conftest import Make, ago
from tests.helpers import Api, play
from tests.plans import rows_looked_at
from usage.actions import batch_all_waiting_plays, settle_batch
from usage.models import PlayBatch, PlayState

pytestmark = pytest.mark.django_db
QUEUES = pytest.mark.parametrize("queue", ["billing", "catalogue"])
DAY = 86400
MEASURES = [
    vitals.billing, vitals.catalogue, vitals.partly_applied, vitals.silence, vitals.outbox, vitals.ledger,
    vitals.shop, vitals.breaker, vitals.sweep_age,
]  # fmt: skip


def about(seconds: float) -> Any:
    return pytest.approx(seconds, abs=5)


def test_of_nothing_there_is_nothing() -> None:
    nothing = vitals.Queue(waiting=0, dead=0, oldest_seconds=0, overdue_seconds=0)

    assert vitals.billing() == vitals.catalogue() == nothing
    assert vitals.outbox() == vitals.Outbox(waiting=0, sending=0, dead=0, oldest_seconds=0)
    assert vitals.ledger() == vitals.Ledger(
        unbatched=0, batches={"WAITING": 0, "SENDING": 0, "IN_DOUBT": 0}, oldest_seconds=0
    )
    assert vitals.breaker() == vitals.Breaker(is_open=False, failures=0)
    assert vitals.shop() == vitals.Shop(unknown=0, waiting=0, refused=0, closing=0)
    assert vitals.sweep_age() is None


# --- the queues -------------------------------------------------------------------------------


@QUEUES
def test_waiting_events_are_counted_and_aged(request: pytest.FixtureRequest, queue: str) -> None:
    event: Make = request.getfixturevalue(f"{queue}_event")
    event(900)
    event(5000, due=-300)  # put off
    event(7000, state="DEAD")
    event(8000, state="HANDLED" if queue == "billing" else "APPLIED")

    seen = getattr(vitals, queue)()

    assert (seen.waiting, seen.dead) == (2, 1)
    assert seen.oldest_seconds == about(5000)
    assert seen.overdue_seconds == about(900)


@QUEUES
def test_an_event_that_is_put_off_is_not_overdue(request: pytest.FixtureRequest, queue: str) -> None:
    request.getfixturevalue(f"{queue}_event")(5000, due=-300)

    assert getattr(vitals, queue)().overdue_seconds == 0


def test_a_message_is_unsent_until_it_is_over(message: Make) -> None:
    message(100)
    message(500, state="SENDING", lease_until=ago(-60))
    for state in ("DEAD", "DONE", "IN_DOUBT", "DISCARDED"):
        message(900, state=state)

    seen = vitals.outbox()

    assert (seen.waiting, seen.sending, seen.dead) == (1, 1, 1)
    assert seen.oldest_seconds == about(500)


def test_the_breaker_and_the_sweep_are_read() -> None:
    Circuit.objects.create(name="platform", failures=5, open_until=timezone.now())
    Heartbeat.objects.create(name="outbox.sweep", at=ago(42))

    assert vitals.breaker() == vitals.Breaker(is_open=True, failures=5)
    assert vitals.sweep_age() == about(42)


# --- silence ----------------------------------------------------------------------------------


def test_silence_is_since_the_last_event_of_a_kind(catalogue_event: Make) -> None:
    catalogue_event(9000, state="APPLIED")
    catalogue_event(300, state="DEAD")

    assert vitals.silence() == {"standard": about(300), "enhanced": None}


# --- plays ------------------------------------------------------------------------------------


@pytest.fixture
def played(api: Callable[[Listener], Api], subscriber: Listener, track: Track) -> Callable[[int], None]:
    """Report a play of so many days ago."""

    def report(days: int) -> None:
        at = rfc3339(timezone.now() - timedelta(days=days))
        answer = api(subscriber).post("plays", {"plays": [play(track.pk, played_at=at, release_id=track.release_id)]})
        assert json.loads(answer.content)["accepted"] == 1

    return report


@pytest.mark.parametrize("channel", ["http", "bucket"])
def test_a_play_is_unsent_before_and_after_it_is_batched(
    played: Callable[[int], None], settings: Settings, channel: str
) -> None:
    settings.USAGE_CHANNEL = channel
    played(40)
    assert vitals.ledger().unbatched == 1
    assert vitals.ledger().oldest_seconds == about(40 * DAY)

    batch_all_waiting_plays()
    assert (vitals.ledger().unbatched, vitals.ledger().batches["WAITING"]) == (0, 1)
    assert vitals.ledger().oldest_seconds == about(40 * DAY)

    played(50)
    assert vitals.ledger().oldest_seconds == about(50 * DAY)


def test_a_batch_that_was_sent_is_no_longer_old_and_one_in_doubt_is_counted(played: Callable[[int], None]) -> None:
    played(40)
    batch_all_waiting_plays()
    settle_batch(PlayBatch.objects.get().pk, PlayBatch.State.IN_DOUBT, PlayState.IN_DOUBT)
    Message.objects.filter(topic="plays.log").update(state="IN_DOUBT")

    assert vitals.ledger() == vitals.Ledger(
        unbatched=0, batches={"WAITING": 0, "SENDING": 0, "IN_DOUBT": 1}, oldest_seconds=0
    )


# --- the shop ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "closing"),
    [("2026-11-30 12:00", 0), ("2026-12-02 23:59", 0), ("2026-12-03 00:00", 2), ("2026-12-03 23:59", 2),
     ("2026-12-04 00:00", 0)],
)  # fmt: skip
def test_refunds_that_close_within_a_day_are_counted(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, now: str, closing: int
) -> None:
    """Two of November are not done; one is, one is of December, and one was refused too late in October."""
    monkeypatch.setattr(timezone, "now", lambda: datetime.fromisoformat(f"{now}Z"))
    for number, (state, sold, asked) in enumerate(
        [("WAITING", "11-10", "11-20"), ("REFUSED", "11-10", "11-20"), ("DONE", "11-10", "11-20"),
         ("WAITING", "12-01", "12-02"), ("REFUSED", "09-10", "10-20")]
    ):  # fmt: skip
        days = [datetime.fromisoformat(f"2026-{day}T12:00Z") for day in (sold, asked)]
        purchase = Purchase.objects.create(
            listener=listener, transaction_id=f"T-{number}", release_id=1, retail_price=1, currency="GBP", country="GB",
            paid_at=days[0], sold_at=days[0], platform_id=number, state="UNKNOWN",
        )  # fmt: skip
        Refund.objects.create(purchase=purchase, state=state, reason="sorry", asked_at=days[1])

    assert vitals.shop() == vitals.Shop(unknown=5, waiting=2, refused=1 if now < "2026-12-04" else 0, closing=closing)


# --- what it costs ----------------------------------------------------------------------------


MASSES = {
    "finished": {"billing": "HANDLED", "catalogue": "APPLIED", "outbox": "DONE", "batch": "SENT", "play": "SENT",
                 "purchase": "REFUNDED", "refund": "DONE"},
    "waiting": {"billing": "WAITING", "catalogue": "WAITING", "outbox": "WAITING", "batch": "WAITING",
                "play": "WAITING", "purchase": "PENDING", "refund": "WAITING"},
    "dead": {"billing": "DEAD", "catalogue": "DEAD", "outbox": "DEAD", "batch": "IN_DOUBT", "play": "IN_DOUBT",
             "purchase": "UNKNOWN", "refund": "REFUSED"},
}  # fmt: skip
MANY = 2 * vitals.CAP
FILL = {
    "billing": """
        INSERT INTO billing_billingevent (provider, event_id, type, subject, body, data, state, attempts, last_error)
        SELECT 'standard', n, '', '', '', '{}', %(state)s, 0, '' FROM generate_series(1, %(many)s) n""",
    "catalogue": """
        INSERT INTO catalogue_catalogueevent
               (kind, body, members, release_ids, state, attempts, outcome, last_error)
        SELECT 'standard', '', 1, '{}', %(state)s, 0, '{}', '' FROM generate_series(1, %(many)s) n""",
    "outbox": """
        INSERT INTO outbox_message (topic, key, lane, body, state, attempts, faults, generation, last_error)
        SELECT 'plays.log', n, 'lane', '{}', %(state)s, 0, 0, 0, '' FROM generate_series(1, %(many)s) n""",
    "batch": """
        INSERT INTO usage_playbatch (channel, object_name, listener_id, country, size, state, detail)
        SELECT 'HTTP', '', %(listener)s, 'GB', 1, %(state)s, '' FROM generate_series(1, %(many)s) n""",
    "play": """
        INSERT INTO usage_play (listener_id, play_id, track_id, release_id, format_id, country, played_at,
                                seconds_played, mode, user_agent, source, source_id, state, batch_id)
        SELECT %(listener)s, gen_random_uuid(), 1, 1, 26, 'GB', now() - n * interval '1 minute', 1, 'online', '', '',
               '', %(state)s, CASE WHEN %(state)s <> 'WAITING' THEN n END FROM generate_series(1, %(many)s) n""",
    "purchase": """
        INSERT INTO downloads_purchase
               (id, listener_id, transaction_id, release_id, package_id, retail_price, currency, country, postcode,
                email, title, version, artist_name, release_title, label, isrc, upc, paid_at, state, round, detail,
                platform_id, sold_at)
        SELECT lpad(n::text, 32, '0')::uuid, %(listener)s, n, 1, 2, 1, 'GBP', 'GB', '', '', '', '', '', '', '', '', '',
               now(), %(state)s, 1, '', n, now() FROM generate_series(1, %(many)s) n""",
    "refund": """
        INSERT INTO downloads_refund (purchase_id, state, round, reason, asked_at, detail)
        SELECT id, %(state)s, 1, '', now(), '' FROM downloads_purchase""",
}


def fill(mass: str, listener: Listener) -> None:
    """Far more rows than are ever counted, all of them in one state, and known to the planner."""
    with connection.cursor() as cursor:
        for table, statement in FILL.items():
            cursor.execute(statement, {"state": MASSES[mass][table], "many": MANY, "listener": listener.pk})
        cursor.execute("ANALYZE")


@pytest.mark.parametrize("mass", MASSES)
def test_no_measure_reads_a_table_to_its_end(mass: str, listener: Listener) -> None:
    fill(mass, listener)
    with CaptureQueriesContext(connection) as asked:
        for measure in MEASURES:
            measure()

    for table, rows, statement in rows_looked_at(query["sql"] for query in asked):
        assert rows < vitals.CAP + 10, (table, rows, statement)  # a few others may lie among them


def test_counting_stops_at_the_cap(listener: Listener) -> None:
    fill("waiting", listener)

    assert vitals.billing().waiting == vitals.catalogue().waiting == vitals.outbox().waiting == vitals.CAP
    assert vitals.ledger().unbatched == vitals.ledger().batches["WAITING"] == vitals.CAP


def test_all_measures_together_take_a_fixed_number_of_queries(
    catalogue_event: Make, message: Make, django_assert_num_queries: Callable[..., Any]
) -> None:
    for _ in range(3):
        catalogue_event()
        message()
        with django_assert_num_queries(22):
            for measure in MEASURES:
                measure()
