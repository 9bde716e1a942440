"""Whatever dies, nothing that was acknowledged is lost, nothing is counted twice, and doubts are shown."""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import socket
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest
import redis
import requests

from tests.journeys.conftest import House, Subscriber, eventually

LOG = "/1.2/user/subscription/log"
RESTARTS = int(os.environ.get("RESTARTS", "3"))


def envelope(body: bytes, *, task: str = "outbox.sweep", kind: str = "application/json") -> bytes:
    """A task as it lies in the queue."""
    identity = str(uuid.uuid4())
    properties = {
        "correlation_id": identity, "delivery_mode": 2, "delivery_tag": identity, "priority": 0,
        "delivery_info": {"exchange": "", "routing_key": "celery"}, "body_encoding": "base64",
    }  # fmt: skip
    headers = {"lang": "py", "task": task, "id": identity, "argsrepr": "()", "kwargsrepr": "{}"}
    letter = {
        "body": base64.b64encode(body).decode(), "content-encoding": "binary", "content-type": kind,
        "headers": headers, "properties": properties,
    }  # fmt: skip
    return json.dumps(letter).encode()


@pytest.fixture(autouse=True)
def well_again(house: House) -> None:
    """Begin in a house that is well."""
    house.clear_faults()
    eventually(
        lambda: house.pids("celery", "worker") and house.pids("celery", "beat"), seconds=60, what="all are there"
    )
    house.rows("DELETE FROM outbox_circuit")


def sent(subscriber: Subscriber, count: int) -> bool:
    return subscriber.states() == {"SENT": count}


def test_valkey_killed_and_emptied_while_plays_wait(house: House, subscriber: Subscriber) -> None:
    """Nothing is lost and all is delivered within 30 s; the API goes on answering meanwhile."""
    plays = subscriber.plays(40)
    assert subscriber.report(plays[:20]).json()["accepted"] == 20
    pid = house.valkey.pid()
    assert pid is not None
    for path in house.valkey.data.rglob("*.aof"):
        path.unlink()
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()

    answer = subscriber.report(plays[20:])

    assert answer.status_code == 200
    assert time.monotonic() - began < 5
    eventually(lambda: sent(subscriber, 40), seconds=60, what="all plays are SENT")
    assert Counter(subscriber.journalled()) == Counter(play["played_at"] for play in plays)
    assert house.valkey.alive()


def test_after_every_restart_of_valkey_the_workers_consume_again(house: House, subscriber: Subscriber) -> None:
    """RESTARTS=20 restarts it so many times instead of thrice. None costs a worker its life."""
    workers, said = house.pids("celery", "worker"), len(house.log.read_text())
    for number in range(1, RESTARTS + 1):
        pid = house.valkey.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL if number % 2 else signal.SIGTERM)
        eventually(lambda pid=pid: house.valkey.alive() and house.valkey.pid() != pid, seconds=30, what="it is back")

        before = swept(house)
        with redis.Redis(unix_socket_path=str(house.valkey.socket)) as valkey:
            valkey.lpush("celery", envelope(b"[[], {}, {}]"))
        eventually(lambda before=before: swept(house) > before, seconds=60, what="a worker has taken a task")
        assert subscriber.report(subscriber.plays(1)).status_code == 200

    eventually(lambda: sent(subscriber, RESTARTS), seconds=60, what="all plays are SENT")
    eventually(lambda: house.consult().returncode == 0, seconds=60, what="the doctor finds it well")
    assert house.pids("celery", "worker") == workers, house.log.read_text()[said:]


def swept(house: House) -> Any:
    """When the outbox was swept last, in seconds; 0 where it never was."""
    seconds = "SELECT coalesce(max(extract(epoch FROM at)), 0) FROM outbox_heartbeat WHERE name = 'outbox.sweep'"
    return house.rows(seconds)[0][0]


def test_valkey_hangs_and_no_request_waits_for_it(house: House, subscriber: Subscriber) -> None:
    pid = house.valkey.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        times = []
        for play in subscriber.plays(6):
            began = time.monotonic()
            assert subscriber.report([play]).status_code == 200
            times.append(time.monotonic() - began)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert max(times) < 3
    assert sorted(times)[2] < 0.5
    eventually(lambda: sent(subscriber, 6), seconds=60, what="all plays are SENT")


def test_valkey_is_full_and_nothing_is_lost(house: House, subscriber: Subscriber) -> None:
    """It refuses every task; what was stored is found by the sweep."""
    valkey = redis.Redis(unix_socket_path=str(house.valkey.socket))
    valkey.config_set("maxmemory", 1)
    try:
        times = []
        for play in subscriber.plays(6):
            began = time.monotonic()
            assert subscriber.report([play]).status_code == 200
            times.append(time.monotonic() - began)
    finally:
        valkey.config_set("maxmemory", 0)
        valkey.close()

    assert max(times) < 3
    eventually(lambda: sent(subscriber, 6), seconds=60, what="all plays are SENT")


PICKLED = base64.b64decode("gASVIQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAZleGl0IDGUhZRSlC4=")
JUNK = {
    "no task": envelope(b"{}", task=""),
    "unknown task": envelope(b"[[], {}, {}]", task="nobody.knows"),
    "pickled": envelope(PICKLED, kind="application/x-python-serialize"),
    "a megabyte": envelope(json.dumps([[], {"message_id": "x" * 2**20}, {}]).encode(), task="outbox.deliver"),
}


def enqueue(house: House, junk: bytes) -> None:
    valkey = redis.Redis(unix_socket_path=str(house.valkey.socket))
    valkey.lpush("celery", junk)
    valkey.close()


@pytest.mark.parametrize("kind", JUNK)
def test_junk_in_the_queue_is_dropped_and_the_work_goes_on(house: House, subscriber: Subscriber, kind: str) -> None:
    workers = set(house.pids("celery", "worker"))
    enqueue(house, JUNK[kind])

    assert subscriber.report(subscriber.plays(2)).status_code == 200

    eventually(lambda: sent(subscriber, 2), seconds=60, what="all plays are SENT")
    assert workers & set(house.pids("celery", "worker"))


def test_what_is_no_message_at_all_costs_a_worker_but_no_play(house: House, subscriber: Subscriber) -> None:
    """Only whoever holds the broker's keys can put it there; the worker is started again."""
    enqueue(house, b"not a message")

    assert subscriber.report(subscriber.plays(2)).status_code == 200

    eventually(lambda: sent(subscriber, 2), seconds=60, what="all plays are SENT")


def test_postgresql_killed_is_503_and_then_well(house: House, subscriber: Subscriber) -> None:
    """While it is down the answer is 503 with Retry-After, never 500; what was acknowledged is there afterwards."""
    statuses: Counter[int] = Counter()
    hints: set[str | None] = set()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            answer = subscriber.journey.api("GET", "/api/v1/me")
            statuses[answer.status_code] += 1
            if answer.status_code == 503:
                hints.add(answer.headers.get("Retry-After"))

    plays = subscriber.plays(5)
    assert subscriber.report(plays).json()["accepted"] == 5
    asking = threading.Thread(target=ask)
    asking.start()
    pid = house.postgres.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: statuses[503], seconds=60, what="a 503 is seen")
    eventually(lambda: house.postgres.ready() and house.postgres.pid() != pid, seconds=60, what="it is back")
    before = statuses[200]
    eventually(lambda: statuses[200] > before + 20, seconds=60, what="requests are served again")
    over.set()
    asking.join()

    assert set(statuses) <= {200, 503}, statuses
    assert hints == {"2"}
    eventually(lambda: sent(subscriber, 5), seconds=60, what="all plays are SENT")


def test_postgresql_restarted_between_requests_costs_no_request(house: House, subscriber: Subscriber) -> None:
    pid = house.postgres.pid()
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    eventually(lambda: house.postgres.ready() and house.postgres.pid() != pid, seconds=60, what="it is back")

    statuses = [subscriber.journey.api("GET", "/api/v1/me").status_code for _ in range(30)]

    assert statuses == [200] * 30


def test_a_worker_killed_during_the_call_leaves_a_doubt_and_no_second_call(
    house: House, subscriber: Subscriber
) -> None:
    """The platform has the plays, nobody heard the answer: they are shown IN_DOUBT and stay in the journal once."""
    plays = subscriber.plays(10)
    house.order_fault("slow", LOG)
    subscriber.report(plays)
    eventually(lambda: house.rows("SELECT 1 FROM outbox_message WHERE committed_at IS NOT NULL AND state = 'SENDING'"),
               seconds=60, what="the call is out")  # fmt: skip

    house.kill("celery", "worker")

    eventually(lambda: len(subscriber.journalled()) == 10, seconds=60, what="the platform took them")
    assert subscriber.states() == {"SENDING": 10}
    house.rows("UPDATE outbox_message SET lease_until = now() WHERE state = 'SENDING'")
    eventually(lambda: subscriber.states() == {"IN_DOUBT": 10}, seconds=60, what="the doubt is shown")
    more = subscriber.plays(3)
    subscriber.report(more)
    eventually(lambda: subscriber.states() == {"IN_DOUBT": 10, "SENT": 3}, seconds=60, what="others go on")
    assert Counter(subscriber.journalled()) == Counter(play["played_at"] for play in [*plays, *more])


def test_a_worker_killed_before_the_call_loses_nothing(house: House, subscriber: Subscriber) -> None:
    plays = subscriber.plays(10)
    house.kill("celery", "worker")
    subscriber.report(plays)
    house.kill("celery", "beat")

    eventually(lambda: sent(subscriber, 10), seconds=60, what="all plays are SENT")

    assert Counter(subscriber.journalled()) == Counter(play["played_at"] for play in plays)


def test_a_frozen_worker_is_found_by_the_doctor(house: House) -> None:
    pids = house.pids("celery", "worker")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        done = house.consult()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "✗ worker         none answered within 1 s" in done.stdout


def test_a_dead_program_is_started_again_aloud(house: House) -> None:
    before = house.log.read_text()
    house.kill("celery", "beat")

    eventually(lambda: house.pids("celery", "beat"), seconds=60, what="beat is back")

    assert "beat ended with -9; starting it again" in house.log.read_text()[len(before) :]


def test_a_web_worker_killed_is_replaced(house: House) -> None:
    children = [pid for pid in house.pids("granian") if pid not in {house.process.pid}]
    os.kill(max(children), signal.SIGKILL)

    def healthy() -> bool:
        try:
            return requests.get(f"{house.web}/healthz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    assert eventually(lambda: all(healthy() for _ in range(20)), seconds=60, what="web answers")


def test_connections_that_only_wait_keep_nobody_out(house: House) -> None:
    """As open event streams do. Left to itself, granian serves 512 connections a process and makes all others wait."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    with ExitStack() as wires:
        for _ in range(1300):
            wires.enter_context(socket.create_connection(("127.0.0.1", house.port), timeout=5))
        for _ in range(10):
            assert requests.get(f"{house.web}/healthz", timeout=5).status_code == 200


@pytest.mark.parametrize(
    "behaviour", ["error_500", "error_in_200", "rate_limited", "lost_answer", "garbage_xml", "endless"]
)
def test_every_play_is_sent_once_or_shown_in_doubt(house: House, subscriber: Subscriber, behaviour: str) -> None:
    plays = subscriber.plays(4)
    house.order_fault(behaviour, LOG)

    subscriber.report(plays)

    eventually(
        lambda: set(subscriber.states()) <= {"SENT", "IN_DOUBT"} and subscriber.states(), seconds=60, what="settled"
    )
    in_journal = Counter(subscriber.journalled())
    assert max(in_journal.values(), default=1) == 1
    if subscriber.states() == {"SENT": 4}:
        assert set(in_journal) == {play["played_at"] for play in plays}
