"""Django behind granian's loop: the same requests, bodies and answers, and open ones that hold no thread."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def served() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The small application on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "tests.web.bridge_app:application", "--interface", "rsgi", "--no-ws"]
    command += ["--port", str(port), "--http", "1", "--log-level", "error"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        until(lambda: said(port, b"GET /open HTTP/1.0\r\n\r\n").endswith(b"0"), seconds=20)
        yield port, process
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served() as (port, _):
        yield port


def until(done: Any, *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def said(port: int, request: bytes) -> bytes:
    """The whole answer to a request as it goes over the wire, until the server closes."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
            wire.sendall(request)
            return b"".join(iter(lambda: wire.recv(65536), b""))
    except OSError:
        return b""


def seen(port: int, request: bytes) -> dict[str, Any]:
    """The request as the application saw it."""
    head, _, body = said(port, request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 202"), head
    told: dict[str, Any] = json.loads(body)
    return told


def opened(port: int) -> socket.socket:
    """A connection on which an open answer has begun."""
    wire = socket.create_connection(("127.0.0.1", port), timeout=5)
    wire.sendall(b"GET /ticks HTTP/1.1\r\nHost: h\r\n\r\n")
    head = wire.recv(65536)
    assert b"200 OK" in head, head
    assert b"content-length" not in head.lower()
    return wire


def test_a_request_is_what_wsgi_says_it_is(port: int) -> None:
    told = seen(
        port,
        b"POST /caf%C3%A9;v=1//x?q=%C3%A9+b HTTP/1.1\r\nHost: music.example:80\r\nContent-Type: application/json\r\n"
        b"X-Twice: 1\r\nX-Twice: 2\r\nCookie: a=1\r\nCookie: b=2\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    )

    assert told["REQUEST_METHOD"] == "POST"
    assert told["PATH_INFO"].encode("latin-1").decode() == "/café;v=1//x"
    assert told["QUERY_STRING"] == "q=%C3%A9+b"
    assert (told["HTTP_HOST"], told["HTTP_X_TWICE"], told["HTTP_COOKIE"]) == ("music.example:80", "1,2", "a=1; b=2")
    assert (told["CONTENT_TYPE"], told["CONTENT_LENGTH"], told["body"]) == ("application/json", "3", 3)
    assert (told["REMOTE_ADDR"], told["SERVER_PORT"], told["wsgi.url_scheme"]) == ("127.0.0.1", str(port), "http")


def test_a_header_that_could_pass_for_another_is_dropped(port: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: h\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\n"

    assert seen(port, request + b"Connection: close\r\n\r\n")["HTTP_X_FORWARDED_FOR"] == "1.2.3.4"


def test_a_body_in_chunks_gets_a_length(port: int) -> None:
    request = b"POST /api/v1/me HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    told = seen(port, request + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert (told["CONTENT_LENGTH"], told["body"]) == ("5", 5)


def test_no_more_of_a_body_is_read_than_its_path_may_have(port: int) -> None:
    """64 KiB, and one byte by which it is known for too large."""
    head = b"POST /api/v1/me HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"

    endless = seen(port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 4)
    announced = seen(port, head + b"Content-Length: 1000000\r\n\r\n" + b"x" * 10)

    assert endless["body"] == 65_537
    assert (announced["CONTENT_LENGTH"], announced["body"]) == ("1000000", 0)


@pytest.mark.parametrize(
    ("body", "closes"),
    [
        (b"Content-Length: 65537\r\n\r\n" + b"x" * 65_537, True),
        (b"Transfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 4, True),
        (b"Content-Length: 65536\r\n\r\n" + b"x" * 65_536, False),
    ],
)
def test_behind_a_body_that_is_not_read_nothing_else_comes(port: int, body: bytes, closes: bool) -> None:
    """A client that is not told would send its next request into a connection that is about to be closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
        wire.sendall(b"POST /api/v1/me HTTP/1.1\r\nHost: h\r\n" + body)
        head = wire.recv(65536).lower()

    assert head.startswith(b"http/1.1 202")
    assert (b"\r\nconnection: close\r\n" in head) is closes


def test_both_cookies_are_set(port: int) -> None:
    answer = said(port, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").lower()

    assert b"set-cookie: a=1" in answer
    assert b"set-cookie: b=2" in answer


def test_a_long_answer_comes_whole_and_one_that_nobody_hears_hurts_nobody(port: int) -> None:
    request = b"GET /long HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
            wire.sendall(request)
            wire.recv(10)

    assert said(port, request).count(b"x") >= 30 * 70_000


def test_open_answers_hold_no_thread_and_end_when_their_client_leaves(port: int) -> None:
    """Thirty at a server with one thread."""
    with ExitStack() as wires:
        for _ in range(30):
            wires.enter_context(opened(port))
        until(lambda: said(port, b"GET /open HTTP/1.0\r\n\r\n").endswith(b"30"))

    until(lambda: said(port, b"GET /open HTTP/1.0\r\n\r\n").endswith(b"\r\n0"))


def test_an_open_answer_begins_at_once_and_goes_on(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
        wire.sendall(b"GET /ticks HTTP/1.1\r\nHost: h\r\n\r\n")
        heard = b""
        while b"tick 3" not in heard:
            heard += wire.recv(65536)

    assert heard.index(b"begin") < heard.index(b"tick 0") < heard.index(b"tick 3")


def test_a_bug_in_an_open_answer_ends_that_one(port: int) -> None:
    answer = said(port, b"GET /broken HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")

    assert b"begin" in answer
    assert b"one" in answer
    assert said(port, b"GET /open HTTP/1.0\r\n\r\n").endswith(b"0")


def test_stopping_does_not_wait_for_open_answers() -> None:
    with served() as (port, process), opened(port):
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(5)

    assert time.monotonic() - began < 4
