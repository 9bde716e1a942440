"""Devices that claim a listener's stream in the same instant: one holds it, and every other is blocked.

BURSTS=200 makes so many bursts of a hundred requests instead of a few.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection, connections, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Listener
from catalogue.models import Track
from streaming.actions import PlayingElsewhere, issue_stream
from streaming.holder import blocked, claim_stream, release_stream
from streaming.models import StreamHolder
from streaming.refusals import StreamWish
from tests.helpers import Api, expect_problem, token_for

pytestmark = pytest.mark.django_db(transaction=True)

DEVICES = 6
ROUNDS = 10
BURSTS = int(os.environ.get("BURSTS", "3"))
REQUESTS, THREADS = 100, 20
PAIR = ("phone", "tablet")
APART = {"phone": timedelta(minutes=5), "tablet": timedelta(minutes=-5)}
NOTE = """
    CREATE TABLE granted (number serial, client_id text);
    CREATE FUNCTION note_granted() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO granted (client_id) VALUES (NEW.client_id); RETURN NEW; END $$;
    CREATE TRIGGER note_granted AFTER INSERT OR UPDATE ON streaming_streamholder
        FOR EACH ROW EXECUTE FUNCTION note_granted();
"""
Claim = Callable[[Listener, Track, str], bool]
Ask = Callable[[str], bool]


def claim(listener: Listener, track: Track, device: str) -> bool:
    """As POST /streams does it."""
    return bool(
        claim_stream(
            listener_id=listener.pk,
            client_id=device,
            stream_id=uuid4(),
            track_id=track.pk,
            format_id=26,
            now=timezone.now(),
            block_seconds=300,
        )
    )


def read_then_write(meeting: Barrier) -> Claim:
    """The same rule the naive way: look who holds, decide here, write back."""

    def naive(listener: Listener, track: Track, device: str) -> bool:
        holder = StreamHolder.objects.get(listener=listener)
        meeting.wait(5)
        return take_over(holder, track, device, now=timezone.now())

    return naive


def take_over(holder: StreamHolder, track: Track, device: str, *, now: datetime) -> bool:
    """The rule, decided by what was read and by our own clock."""
    if holder.blocks.get(device, 0) > now.timestamp():
        return False
    if holder.client_id != device and holder.plays_until > now:
        holder.blocks = {holder.client_id: (now + timedelta(minutes=1)).timestamp()}
    holder.client_id, holder.track_id, holder.since = device, track.pk, now
    holder.plays_until = now + timedelta(minutes=3)
    holder.save()
    return True


def rush(claim: Claim, listener: Listener, track: Track) -> list[str]:
    """Every device claims at once; those it was granted to."""
    start = Barrier(DEVICES)

    def device(name: str) -> str | None:
        try:
            start.wait(5)
            return name if claim(listener, track, name) else None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(DEVICES) as threads:
        answers = list(threads.map(device, [f"device-{number}" for number in range(DEVICES)]))
    return [name for name in answers if name]


def expect_one_holder(listener: Listener, granted: list[str]) -> None:
    """Who was granted and does not hold the stream has been displaced, and so must be blocked."""
    holder = StreamHolder.objects.get(listener=listener).client_id
    refused = {name for name in granted if blocked(listener_id=listener.pk, client_id=name)}
    assert refused == set(granted) - {holder}
    assert holder in granted


def test_one_device_holds_and_the_displaced_are_blocked(subscriber: Listener, track: Track) -> None:
    for _ in range(ROUNDS):
        StreamHolder.objects.all().delete()
        granted = rush(claim, subscriber, track)
        assert len(granted) == DEVICES  # each was new, so each might take over
        expect_one_holder(subscriber, granted)


def test_the_displaced_cannot_take_over_together(subscriber: Listener, track: Track) -> None:
    rush(claim, subscriber, track)
    holder = StreamHolder.objects.get(listener=subscriber).client_id

    assert rush(claim, subscriber, track) == [holder]


def test_reading_before_writing_would_not_do(subscriber: Listener, track: Track, make_listener: Any) -> None:
    claim(subscriber, track, "device-0")
    granted = rush(read_then_write(Barrier(DEVICES)), subscriber, track)

    with pytest.raises(AssertionError):
        expect_one_holder(subscriber, granted)


# --- a hundred requests from two devices ----------------------------------------------------------


@pytest.fixture
def granted(db: None) -> Iterator[Callable[[], list[str]]]:
    """To whom PostgreSQL has given the stream since it was last asked, in order."""

    def read() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("WITH gone AS (DELETE FROM granted RETURNING *) SELECT client_id FROM gone ORDER BY number")
            return [client_id for (client_id,) in cursor.fetchall()]

    with connection.cursor() as cursor:
        cursor.execute(NOTE)
        yield read
        cursor.execute("DROP FUNCTION note_granted CASCADE; DROP TABLE granted")


def over_http(listener: Listener, track: Track) -> Ask:
    token = token_for(listener)

    def ask(device: str) -> bool:
        wish = {"track_id": track.pk, "format_id": 26, "client_id": device}
        response = Api(Client(), token=token).post("streams", wish)
        return response.status_code == 201 or not expect_problem(response, 409, "playing_elsewhere")

    return ask


def forgetful(ask: Ask) -> Ask:
    """Valkey loses everything before each request."""

    def asked(device: str) -> bool:
        cache.clear()
        return ask(device)

    return asked


def on_clocks_apart(listener: Listener, track: Track) -> Ask:
    """Each device asks a server of its own, whose clock is ten minutes from the other's."""

    def ask(device: str) -> bool:
        wish = StreamWish(track_id=track.pk, format_id=26, client_id=device)
        try:
            issue_stream(listener_id=listener.pk, wish=wish, now=timezone.now() + APART[device])
        except PlayingElsewhere:
            return False
        return True

    return ask


def locked_by_its_own_clock(listener: Listener, track: Track) -> Ask:
    """The rule with a lock, but by the clock of each server."""

    def naive(device: str) -> bool:
        with transaction.atomic():
            holder = StreamHolder.objects.select_for_update().get(listener=listener)
            return take_over(holder, track, device, now=timezone.now() + APART[device])

    return naive


def burst(ask: Ask) -> Counter[tuple[str, bool]]:
    """How often each device was granted and refused."""
    start = Barrier(THREADS)

    def one(number: int) -> list[tuple[str, bool]]:
        device = PAIR[number % 2]
        try:
            start.wait(10)
            return [(device, ask(device)) for _ in range(REQUESTS // THREADS)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as threads:
        return Counter(answer for answers in threads.map(one, range(THREADS)) for answer in answers)


def expect_one_hand_over(ask: Ask, granted: Callable[[], list[str]]) -> None:
    """The first device is displaced by the other and refused from then on, in this burst and in the next."""
    answers, order = burst(ask), granted()
    assert [device for device, _ in groupby(order)] in ([*PAIR], [*reversed(PAIR)])
    displaced, holder = order[0], order[-1]
    assert Counter(order) == Counter({device: answers[device, True] for device in PAIR})
    assert answers[holder, False] == 0
    again = burst(ask)
    assert again == {(holder, True): REQUESTS // 2, (displaced, False): REQUESTS // 2}
    assert set(granted()) == {holder}
    assert set(StreamHolder.objects.get().blocks) == {displaced}


@pytest.mark.parametrize("hindrance", [lambda ask: ask, forgetful], ids=["nothing", "Valkey is emptied"])
def test_of_a_hundred_requests_one_hands_over(
    subscriber: Listener, track: Track, granted: Any, hindrance: Callable[[Ask], Ask]
) -> None:
    for _ in range(BURSTS):
        StreamHolder.objects.all().delete()
        expect_one_hand_over(hindrance(over_http(subscriber, track)), granted)


def test_clocks_ten_minutes_apart_change_nothing(subscriber: Listener, track: Track, granted: Any) -> None:
    for _ in range(BURSTS):
        StreamHolder.objects.all().delete()
        expect_one_hand_over(on_clocks_apart(subscriber, track), granted)


def test_neither_reading_first_nor_our_own_clocks_would_do(subscriber: Listener, track: Track, granted: Any) -> None:
    naive = read_then_write(Barrier(THREADS))
    for ask in (lambda device: naive(subscriber, track, device), locked_by_its_own_clock(subscriber, track)):
        StreamHolder.objects.all().delete()
        claim(subscriber, track, "radio")
        release_stream(listener_id=subscriber.pk, client_id="radio")
        granted()
        with pytest.raises(AssertionError):
            expect_one_hand_over(ask, granted)
