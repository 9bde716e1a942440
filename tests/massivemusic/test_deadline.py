"""Connections: how long they may take, when they are kept, and what a broken one means."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from massivemusic import errors
from tests.massivemusic.behaviours import OK
from tests.massivemusic.conftest import POLITE, ClientTo, ask
from tests.massivemusic.stage import Heard, Play, Stage, answer, full_port, reset, says, without_end

HASTY: Final = {"total_seconds": 1}  # where the end of this limit is waited for
CURT: Final = {"connect_seconds": 0.5}  # ... or of that one


def in_turn(*plays: Play) -> Play:
    """One behaviour per request, the last for all that follow."""
    waiting = list(plays)

    def play(sock: socket.socket, heard: Heard) -> bool | None:
        return (waiting.pop(0) if len(waiting) > 1 else waiting[0])(sock, heard)

    return play


def test_keeps_a_connection(client_to: ClientTo) -> None:
    with Stage(POLITE) as stage:
        client = client_to(stage.origin)
        assert [ask(client) for _ in range(5)] == [200] * 5
        assert (stage.connections, len(stage.heard)) == (1, 5)


def test_replaces_a_connection_that_was_closed(client_to: ClientTo) -> None:
    with Stage(says(answer("200 OK", OK))) as stage:
        client = client_to(stage.origin)
        for count in (1, 2, 3):
            assert ask(client) == 200
            stage.settle()
            assert (stage.connections, len(stage.heard)) == (count, count)


def test_replaces_a_connection_that_idled(client_to: ClientTo) -> None:
    with Stage(POLITE) as stage:
        client = client_to(stage.origin, idle_seconds=0.1)
        ask(client)
        time.sleep(0.15)
        ask(client)
        assert stage.connections == 2


def test_never_repeats_what_was_lost_on_a_kept_connection(client_to: ClientTo) -> None:
    with Stage(in_turn(POLITE, reset, POLITE)) as stage:
        client = client_to(stage.origin)
        ask(client)
        with pytest.raises(errors.AnswerLost):
            client.call("POST", "/user/subscription/log", json={})
        assert len(stage.heard) == 2
        assert ask(client) == 200


@pytest.mark.parametrize("leftover", [b"more", answer("200 OK", OK), b" " * 20_000])
def test_mistakes_no_leftover_for_an_answer(leftover: bytes, client_to: ClientTo) -> None:
    with Stage(in_turn(says(answer("200 OK", OK) + leftover, keep=True), says(answer("201 Created", OK)))) as stage:
        client = client_to(stage.origin)
        assert (ask(client), ask(client)) == (200, 201)


def test_drops_a_connection_after_a_failure(client_to: ClientTo) -> None:
    with Stage(in_turn(says(answer("200 OK", "x", length=50), keep=True), POLITE)) as stage:
        client = client_to(stage.origin, **HASTY)
        with pytest.raises(errors.DeadlinePassed):
            ask(client)
        assert ask(client) == 200
        assert stage.connections == 2


def test_gives_each_thread_its_own_connection(client_to: ClientTo) -> None:
    def echo(sock: socket.socket, heard: Heard) -> bool:
        sock.sendall(answer("200 OK", f'{{"path":"{heard.target}"}}'))
        return True

    with Stage(echo) as stage:
        client, ready = client_to(stage.origin), threading.Barrier(8)

        def work(number: int) -> list[str]:
            ready.wait()
            try:
                return [client.call("GET", f"/{number}/{turn}").body["path"] for turn in range(20)]
            finally:
                client.close()

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(work, range(8)))
        assert answers == [[f"/1.2/{number}/{turn}" for turn in range(20)] for number in range(8)]
        assert stage.connections == 8


def test_leaves_a_parent_process_its_connection(client_to: ClientTo, monkeypatch: pytest.MonkeyPatch) -> None:
    with Stage(POLITE) as stage:
        client = client_to(stage.origin, total_seconds=2)
        ask(client)
        monkeypatch.setattr(os, "getpid", lambda: 1)
        ask(client)
        assert stage.connections == 2


def sips(sock: socket.socket, heard: Heard) -> None:
    """Read what follows the first request so slowly that each write makes a little progress."""
    sock.sendall(answer("200 OK", OK))
    while sock.recv(200_000):
        time.sleep(0.02)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_sends_no_longer_than_the_deadline(
    secure: bool, client_to: ClientTo, tls_server: ssl.SSLContext, tls_client: ssl.SSLContext
) -> None:
    with Stage(sips, tls=tls_server if secure else None) as stage:
        client = client_to(stage.origin, tls=tls_client, **HASTY)
        ask(client)
        started = time.monotonic()
        with pytest.raises(errors.DeadlinePassed):
            client.call("POST", "/user/subscription/log", json="x" * 20_000_000)
        assert 1 <= time.monotonic() - started <= 4


class TestOverTLS:
    def test_speaks(self, client_to: ClientTo, tls_server: ssl.SSLContext, tls_client: ssl.SSLContext) -> None:
        with Stage(POLITE, tls=tls_server) as stage:
            client = client_to(stage.origin, tls=tls_client, allow_http=False)
            assert (ask(client), ask(client), stage.connections) == (200, 200, 1)

    @pytest.mark.parametrize(
        "play",
        [
            pytest.param(without_end(b"HTTP/1.1 200 OK\r\nX: ", b"x", every=0.03), id="dripped head"),
            pytest.param(without_end(answer("200 OK", length=999), b" ", every=0.03), id="dripped body"),
        ],
    )
    def test_keeps_the_deadline(
        self, play: Play, client_to: ClientTo, tls_server: ssl.SSLContext, tls_client: ssl.SSLContext
    ) -> None:
        with Stage(play, tls=tls_server) as stage:
            started = time.monotonic()
            with pytest.raises(errors.DeadlinePassed):
                ask(client_to(stage.origin, tls=tls_client, **HASTY))
            assert 1 <= time.monotonic() - started <= 4

    def test_believes_no_stranger(self, client_to: ClientTo, tls_server: ssl.SSLContext) -> None:
        with Stage(POLITE, tls=tls_server) as stage:
            with pytest.raises(errors.Unreachable, match="certificate was refused"):
                ask(client_to(stage.origin))
            assert stage.heard == []

    def test_believes_no_other_name(
        self, client_to: ClientTo, tls_server: ssl.SSLContext, tls_client: ssl.SSLContext
    ) -> None:
        with Stage(POLITE, tls=tls_server) as stage:
            with pytest.raises(errors.Unreachable, match="certificate was refused"):
                ask(client_to(stage.origin.replace("127.0.0.1", "localhost"), tls=tls_client))
            assert stage.heard == []

    def test_waits_for_no_handshake(self, client_to: ClientTo) -> None:
        with socket.create_server(("127.0.0.1", 0)) as door:
            started = time.monotonic()
            with pytest.raises(errors.Unreachable, match="no connection in time"):
                ask(client_to(f"https://127.0.0.1:{door.getsockname()[1]}", **CURT))
            assert 0.5 <= time.monotonic() - started <= 4


def test_waits_for_no_dead_resolver(client_to: ClientTo, monkeypatch: pytest.MonkeyPatch) -> None:
    woken = threading.Event()

    def asleep(*args: object, **kwargs: object) -> None:
        woken.wait(5)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", asleep)
    started = time.monotonic()
    with pytest.raises(errors.Unreachable, match="no connection in time"):
        ask(client_to("http://platform.example", **CURT))
    woken.set()
    assert 0.5 <= time.monotonic() - started <= 4


def test_shares_the_connect_time_among_the_addresses(client_to: ClientTo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address is a black hole, the second lives."""
    with Stage(POLITE) as stage, full_port() as dead:
        alive = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", stage.port))
        hole = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", dead))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [hole, alive])
        assert ask(client_to("http://platform.example", connect_seconds=2)) == 200


@pytest.mark.parametrize(("passed", "kind"), [(0, errors.Unreachable), (1, errors.AnswerLost)])
@pytest.mark.parametrize("break_", [BrokenPipeError, ConnectionResetError, TimeoutError])
def test_doubts_only_what_left(
    passed: int,
    kind: type[errors.PlatformError],
    break_: type[OSError],
    client_to: ClientTo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kept connection breaks under a POST, before its first byte or right after it."""
    whole_send, sent = socket.socket.send, 0

    def send(sock: socket.socket, data: bytes) -> int:
        nonlocal sent
        if sent == passed:
            raise break_
        sent += whole_send(sock, data[:1])
        return 1

    with Stage(POLITE) as stage:
        client = client_to(stage.origin)
        ask(client)
        monkeypatch.setattr(socket.socket, "send", send)
        with pytest.raises(kind):
            client.call("POST", "/user/subscription/log", json={})
        assert len(stage.heard) == 1
