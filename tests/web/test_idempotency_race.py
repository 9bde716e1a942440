"""Phones that ask many times at once, processes that die or take too long: a thing is done once, or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, connections
from django.db.models import F
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.models import Listener
from playlists.models import Playlist
from tests.helpers import Api, eventually_blocked, expect_problem, token_for
from tests.usage.submitters import ROOT, environment
from web import idempotency
from web.idempotency import Action, Asked, InProgress, answer_once, digest_of, first_answer
from web.models import KeyedRequest

pytestmark = pytest.mark.django_db(transaction=True)
THREADS, ROUNDS = 20, 5
MORNING = {"name": "Morning"}
LOCK = 4711
GATE = """
    CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM {what}; RETURN NEW; END $$;
    CREATE TRIGGER gate BEFORE {when} FOR EACH ROW EXECUTE FUNCTION gate();
"""
WAIT, HANG_UP = f"pg_advisory_xact_lock({LOCK})", "pg_terminate_backend(pg_backend_pid())"
AT_WORK, ALL_DONE = "INSERT ON playlists_playlist", "UPDATE ON web_keyedrequest"
A_WEB_PROCESS = """
import sys, django
django.setup()
from django.test import Client
from tests.helpers import Api
Api(Client(), token=sys.stdin.readline().strip()).post("playlists", {"name": "Morning"}, idempotency_key="k")
"""


def ask(listener: Listener, *, key: str = "k") -> HttpResponse:
    return Api(Client(), token=token_for(listener)).post("playlists", MORNING, idempotency_key=key)


def rush(listener: Listener, *, key: str) -> Counter[tuple[int, bool]]:
    """Twenty threads send the same at once: how often each status came, and whether as a repeat."""
    start = Barrier(THREADS)

    def one(_: int) -> tuple[int, bool]:
        try:
            start.wait(20)
            response = ask(listener, key=key)
            return response.status_code, "Idempotency-Replayed" in response.headers
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as threads:
        return Counter(threads.map(one, range(THREADS)))


def expect_one(answers: Counter[tuple[int, bool]]) -> None:
    assert Playlist.objects.count() == 1
    assert answers[201, False] == 1
    assert set(answers) <= {(201, False), (201, True), (409, False)}


def look_first(meeting: Barrier) -> Callable[..., HttpResponse]:
    """The naive way: look whether the key is known, do it, and write the answer down."""

    def naive(asked: Asked, action: Action, *, fresh: bool) -> HttpResponse:
        if asked.row().exists():
            return first_answer(asked)
        meeting.wait(20)
        answer = idempotency.answer_in(action())
        facts = {"state": "KEPT", "since": timezone.now(), "status": answer.status, "body": answer.body}
        row = KeyedRequest(listener_id=asked.listener_id, key=asked.key, target=asked.target, digest=asked.digest)
        for name, value in facts.items():
            setattr(row, name, value)
        KeyedRequest.objects.bulk_create([row], ignore_conflicts=True)
        return answer.told()

    return naive


@contextmanager
def gate(what: str, when: str) -> Iterator[None]:
    """Whoever comes to that point waits, until the end of the block; or is cut off."""
    with connection.cursor() as cursor:
        cursor.execute(GATE.format(what=what, when=when))
        cursor.execute(f"SELECT pg_advisory_lock({LOCK})")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_unlock({LOCK})")
            cursor.execute("DROP FUNCTION gate CASCADE")


def lease_ends() -> None:
    KeyedRequest.objects.update(since=F("since") - timedelta(seconds=idempotency.LEASE_SECONDS + 1))


def test_of_twenty_at_once_one_makes_the_playlist(listener: Listener) -> None:
    for number in range(ROUNDS):
        Playlist.objects.all().delete()
        expect_one(rush(listener, key=f"key-{number}"))


def test_looking_first_would_not_do(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "answer_once", look_first(Barrier(THREADS)))
    answers = rush(listener, key="k")

    with pytest.raises(AssertionError):
        expect_one(answers)


def test_whoever_comes_while_it_runs_is_told_so(listener: Listener) -> None:
    with ThreadPoolExecutor(1) as thread:
        with gate(WAIT, AT_WORK):
            running = thread.submit(ask, listener)
            eventually_blocked()
            expect_problem(ask(listener), 409, "in_progress")
        first = running.result(20)
        thread.submit(connections.close_all)

    assert (first.status_code, ask(listener).content) == (201, first.content)


def test_a_process_that_dies_leaves_neither_playlist_nor_answer(listener: Listener) -> None:
    command = [sys.executable, "-c", A_WEB_PROCESS]
    with (
        gate(WAIT, ALL_DONE),
        subprocess.Popen(command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(token_for(listener) + "\n")
        process.stdin.flush()
        eventually_blocked()
        process.kill()

    expect_problem(ask(listener), 409, "in_progress")
    assert not Playlist.objects.exists()
    lease_ends()
    assert ask(listener).status_code == 201
    assert "Idempotency-Replayed" in ask(listener).headers
    assert Playlist.objects.count() == 1


def test_a_connection_that_breaks_leaves_the_key_free(listener: Listener) -> None:
    with ThreadPoolExecutor(1) as thread, gate(HANG_UP, ALL_DONE):
        cut_off = thread.submit(ask, listener).result(20)
        thread.submit(connections.close_all)
    expect_problem(cut_off, 503, "unavailable")
    assert not Playlist.objects.exists()

    assert ask(listener).status_code == 201

    assert Playlist.objects.count() == 1


def test_who_took_longer_than_the_lease_has_done_nothing(listener: Listener) -> None:
    body = json.dumps(MORNING).encode()
    asked = Asked(listener_id=listener.pk, key="k", target="POST /api/v1/playlists", digest=digest_of(body))
    overtaken: list[HttpResponse] = []

    def slow() -> HttpResponse:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lease_ends)
            overtaken.append(thread.submit(ask, listener).result(20))
            thread.submit(connections.close_all)
        now = timezone.now()
        Playlist.objects.create(owner=listener, name="Late", created_at=now, updated_at=now)
        return HttpResponse(status=201)

    with pytest.raises(InProgress):
        answer_once(asked, slow, fresh=False)

    assert overtaken[0].status_code == 201
    assert Playlist.objects.get().name == "Morning"
    assert ask(listener).content == overtaken[0].content
