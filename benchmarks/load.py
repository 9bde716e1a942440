"""A load generator in one small loop: prepared requests, keep-alive connections, epoll, no threads.

It goes to loopback only and stops by itself after a given time.
"""

from __future__ import annotations

import itertools
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass
class Result:
    """What one run gave. `latencies` are in seconds."""

    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def request(method: str, path: str, *, token: str = "", body: bytes = b"", headers: str = "") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if headers:
        lines.append(headers)
    return "\r\n".join(lines).encode() + END_OF_HEAD + body


class Line:
    """One connection: a request out, an answer in, and again."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.began = 0.0

    def send(self, message: bytes) -> None:
        self.began = time.perf_counter()
        self.socket.sendall(message)

    def receive(self) -> int | None:
        """Read what is there; the status once the answer is whole."""
        piece = self.socket.recv(262144)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self.data += piece
        head, found, body = self.data.partition(END_OF_HEAD)
        if not found:
            return None
        lower = head.lower()
        start = lower.index(LENGTH) + len(LENGTH)
        length = int(lower[start : lower.find(b"\r", start) if b"\r" in lower[start:] else None])
        if len(body) < length:
            return None
        self.data = b""
        return int(head[9:12])


def run(port: int, messages: Sequence[bytes], *, connections: int, seconds: float) -> Result:
    """Keep `connections` busy for `seconds`, with the messages in turn."""
    endless = itertools.cycle(messages)
    lines = {line.socket.fileno(): line for line in (Line(port) for _ in range(connections))}
    poller = select.epoll()
    for number, line in lines.items():
        poller.register(number, select.EPOLLIN)
        line.send(next(endless))
    began = time.perf_counter()
    result = Result(seconds=seconds)
    while (now := time.perf_counter()) - began < seconds:
        for number, _ in poller.poll(1):
            line = lines[number]
            status = line.receive()
            if status is not None:
                result.latencies.append(time.perf_counter() - line.began)
                result.statuses[status] += 1
                line.send(next(endless))
    result.seconds = now - began
    for line in lines.values():
        line.socket.close()
    return result


def paced(port: int, messages: Sequence[bytes], *, connections: int, rate: float) -> Result:
    """Send each message once, `rate` a second, whatever the answers take; latencies count from when each was due.

    While all connections wait for answers, what is due waits too, and the wait is in its latency.
    """
    lines = {line.socket.fileno(): line for line in (Line(port) for _ in range(connections))}
    poller = select.epoll()
    for number in lines:
        poller.register(number, select.EPOLLIN)
    idle, waiting = deque(lines.values()), iter(enumerate(messages))  # in turn, lest one idles until it is closed
    upcoming = next(waiting, None)
    began = time.perf_counter()
    result = Result(seconds=0)
    while len(result.latencies) < len(messages):
        now = time.perf_counter()
        while upcoming and idle and now - began >= upcoming[0] / rate:
            line = idle.popleft()
            line.send(upcoming[1])
            line.began = began + upcoming[0] / rate
            upcoming = next(waiting, None)
        for number, _ in poller.poll(0.0005):
            line = lines[number]
            if (status := line.receive()) is not None:
                result.latencies.append(time.perf_counter() - line.began)
                result.statuses[status] += 1
                idle.append(line)
    result.seconds = time.perf_counter() - began
    for line in lines.values():
        line.socket.close()
    return result


def warm(port: int, messages: Sequence[bytes], *, connections: int) -> None:
    """A second of the same, for caches, prepared statements and connections."""
    run(port, messages, connections=connections, seconds=1.5)


Case = Callable[[], Sequence[bytes]]
