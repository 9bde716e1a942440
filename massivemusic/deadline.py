"""Connections that keep the deadline of the call they serve.

A socket timeout bounds a single read, so an answer that drips holds its caller for ever. Here every
read and write gets only what is left of the whole call's time, over TLS as without it; looking up
the name, connecting and the TLS handshake share the connect limit. And the question that decides a
retry, whether a byte of the request left, is answered where bytes leave.
"""

from __future__ import annotations

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from contextvars import ContextVar
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from massivemusic.platform import Platform


class Journey:
    """The call under way: what it may still spend, and how far it got."""

    def __init__(self, *, target: str, platform: Platform) -> None:
        now = time.monotonic()
        self.target = target
        self.sent = False
        self.trouble = "the connection broke before anything was sent"
        self.stale_before = now - platform.idle_seconds
        self._connect_by = now + min(platform.connect_seconds, platform.total_seconds)
        self._end_by = now + platform.total_seconds

    def left(self, *, connecting: bool = False) -> float:
        """Seconds until the call must end, or its connection stand. Raises TimeoutError at 0."""
        seconds = (self._connect_by if connecting else self._end_by) - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("no time left")
        return seconds

    @property
    def late(self) -> bool:
        """Whether the call's time is used up."""
        return time.monotonic() >= self._end_by


# urllib3 makes connections and answers by itself: they find the call they serve here.
under_way: ContextVar[Journey] = ContextVar("under_way")


class _InTime(io.RawIOBase):
    """A socket's bytes; every read may last as long as the call has left, not a timeout of its own."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock, self._raw = sock, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(under_way.get().left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_InTime(sock, self.fp.detach()))

    def begin(self) -> None:
        super().begin()
        # Headers that cannot be parsed may echo our own; urllib3 would write them into its log.
        self.msg.defects = []
        self.msg.set_payload("")


class _Connection(HTTPConnection):
    """A connection that keeps the deadline of the call it serves and notes what it sent."""

    response_class = _Response
    last_sent = 0.0

    @property
    def is_connected(self) -> bool:
        """Whether it may serve once more. What has long been idle the far end may be about to close,
        and a request lost that way would be in doubt for nothing."""
        return self.last_sent > under_way.get().stale_before and super().is_connected

    def connect(self) -> None:
        try:
            super().connect()
        except OSError as problem:
            under_way.get().trouble = _in_words(problem)
            raise

    def _new_conn(self) -> socket.socket:
        return _dial(self.host, self.port)

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        """urllib3 writes the target it was given into its log and its errors. It is given the bare
        path; the query, which names a listener, joins on the way out."""
        super().putrequest(method, under_way.get().target, *args, **kwargs)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        journey, rest = under_way.get(), memoryview(data)
        while rest:
            self.sock.settimeout(journey.left())
            rest = rest[self.sock.send(rest) :]
            # Not before: a first write that fails has passed nothing on, and over TLS at most a
            # piece of a record, which the other side cannot read.
            journey.sent = True
        self.last_sent = time.monotonic()


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class Pool(HTTPConnectionPool):
    """urllib3's pool of connections that keep the deadline."""

    ConnectionCls = _Connection


class TLSPool(HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _TLSConnection


def _dial(host: str, port: int) -> socket.socket:
    """Connect to the first address that answers; each gets its share of the time left."""
    journey = under_way.get()
    failure: OSError = OSError("the name has no address")
    addresses = _resolve(host, port, journey.left(connecting=True))
    for remaining, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(journey.left(connecting=True) / remaining)
            sock.connect(address)
            sock.settimeout(journey.left(connecting=True))  # what a TLS handshake may take
        except OSError as problem:
            sock.close()
            failure = problem
        else:
            return sock
    raise failure


def _resolve(host: str, port: int, seconds: float) -> list[tuple[Any, ...]]:
    """`getaddrinfo`, which knows no timeout: a dead resolver may hold its thread, not ours."""
    answers: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as problem:
            answers.put(problem)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("the resolver is silent") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _in_words(problem: OSError) -> str:
    match problem:
        case socket.gaierror():
            return "the host name does not resolve"
        case TimeoutError():
            return "no connection in time"
        case ssl.SSLCertVerificationError():
            return f"the certificate was refused: {problem.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {problem.reason}"
        case _:
            return f"no connection: {problem.strerror or type(problem).__name__}"
