"""A server on loopback that misbehaves as told: raw sockets and threads, so that nothing is polite."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One request as it came; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Play = Callable[[socket.socket, Heard], bool | None]
"""What to do with a request; True keeps the connection for the next one."""


class Stage:
    """Plays one behaviour to every request and remembers what it heard."""

    def __init__(self, play: Play, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.play = play
        self.heard: list[Heard] = []
        self.connections = 0
        self._tls = tls
        self._open: list[socket.socket] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._door = socket.create_server((host, 0), family=family, backlog=64)
        self.port: int = self._door.getsockname()[1]
        self.origin = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._threads = [threading.Thread(target=self._welcome, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)

    def heard_in_the_end(self, count: int = 1) -> list[Heard]:
        """What was heard, once there are `count` of it: whoever does not wait for an answer may be ahead of the ear."""
        end = time.monotonic() + 10
        while len(self.heard) < count and time.monotonic() < end:
            time.sleep(0.005)
        return self.heard

    def settle(self) -> None:
        """Wait until every conversation so far is over."""
        for thread in self._threads[1:]:
            thread.join(timeout=5)

    def _welcome(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._door.accept()
                self.connections += 1
                guest = threading.Thread(target=self._serve, args=(sock,), daemon=True)
                self._threads.append(guest)
                guest.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(self._wrapped(sock)) as line:
            self._open.append(line)
            while heard := listen(line):
                self.heard.append(heard)
                if not self.play(line, heard):
                    return

    def _wrapped(self, sock: socket.socket) -> socket.socket:
        if self._tls is None:
            return sock
        try:
            return self._tls.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            raise


def listen(sock: socket.socket) -> Heard | None:
    """Read one request; None when the other side has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += sock.recv(65536)
    method, target, _ = first.split(" ")
    return Heard(method=method, target=target, headers=headers, body=body)


def fields(text: str | bytes) -> dict[str, str]:
    """The names and values of a query or a form body."""
    return dict(parse_qsl(text if isinstance(text, str) else text.decode(), strict_parsing=True))


def answer(status: str, body: bytes | str = b"", *headers: str, length: int | None = None) -> bytes:
    """The bytes of one answer; `length` lies about the body's length."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(data) if length is None else length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def says(*pieces: bytes, keep: bool = False) -> Play:
    """Send these bytes."""

    def play(sock: socket.socket, heard: Heard) -> bool:
        for piece in pieces:
            sock.sendall(piece)
        return keep

    return play


def without_end(start: bytes, piece: bytes, *, every: float = 0) -> Play:
    """Send `start`, then `piece` until the other side has had enough."""

    def play(sock: socket.socket, heard: Heard) -> None:
        pause = threading.Event()
        sock.sendall(start)
        while not pause.wait(every):
            sock.sendall(piece)

    return play


def reset(sock: socket.socket, heard: Heard) -> None:
    """Tear the connection down without a goodbye."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def silent(sock: socket.socket, heard: Heard) -> None:
    """Say nothing until the other side leaves."""
    sock.recv(1)


def half_closed(sock: socket.socket, heard: Heard) -> None:
    """Stop sending, keep listening."""
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody answers, kept from others while in use."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue is full: connections to it wait."""
    with socket.socket() as door, contextlib.ExitStack() as guests:
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        for _ in range(2):
            guest = guests.enter_context(socket.socket())
            guest.setblocking(False)
            guest.connect_ex(door.getsockname())
        yield door.getsockname()[1]
