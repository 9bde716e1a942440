"""Devices that wait to hear of being displaced. `python -m benchmarks.live [streams]`."""

from __future__ import annotations

import json
import random
import select
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any, Final

from benchmarks import load, stand
from benchmarks.events import wait_until
from benchmarks.report import table, target

SECONDS: Final = 20
RATE: Final = 20  # displacements a second
ORDINARY: Final = 100  # other requests a second, meanwhile
CONNECTIONS: Final = 8
NEWS: Final = b'"client_id": "tablet"'  # what a phone hears when it is displaced


def main(streams: int) -> int:
    with stand.engines():
        tokens, tracks = stand.fill()
        with stand.server(workers=1) as (port, pid):
            return 0 if measure(port, pid, tokens[:streams], tracks) else 1


def measure(port: int, pid: int, tokens: Sequence[str], tracks: Sequence[int]) -> bool:
    """Every listener's phone plays and waits, and some of their tablets take over; whether the targets were met."""
    begun = load.paced(port, [wish(token, tracks[0], "phone") for token in tokens], connections=4, rate=10_000)
    assert set(begun.statuses) == {201}, begun.statuses
    alone = others(port, tokens)
    before = stand.memory_of(pid)
    chosen = random.Random(7).sample(tokens, min(RATE * SECONDS, len(tokens)))
    with Ears(port, tokens) as ears, ThreadPoolExecutor(1) as beside:
        waiting = stand.memory_of(pid)
        meanwhile = beside.submit(others, port, tokens)
        taken = displace(port, {token: wish(token, tracks[1], "tablet") for token in chosen})
        wait_until(lambda: ears.heard.keys() >= taken.keys(), seconds=10)
        crowded, after, left = meanwhile.result(), stand.memory_of(pid), len(ears.open)
    rows = [["before", *figures(alone), f"{before:.0f}"], ["with them open", *figures(crowded), f"{waiting:.0f}"]]
    table(f"{len(tokens):,} open streams at one process", ["other requests", "/s", "p50 ms", "p99 ms", "MiB"], rows)
    asked = delays([ears.heard[token] - asked for token, (asked, _) in taken.items()])
    told = delays([max(0.0, ears.heard[token] - answered) for token, (_, answered) in taken.items()])
    rows = [[name, *figures(each)[1:]] for name, each in {"since it asked": asked, "since the answer": told}.items()]
    table(f"{len(taken)} tablets take over, {RATE} a second: the phone hears", ["", "p50 ms", "p99 ms"], rows)
    return all(
        [
            target("streams still open", left, len(tokens)),
            target("the process's memory", max(waiting, after), 150, at_most=True, unit=" MiB"),
            target("from the answer to the event, p99", told.percentile(0.99), 1, at_most=True, unit=" s"),
            target("others answered", sum(crowded.statuses.values()), ORDINARY * SECONDS),
            target("others' p99", crowded.percentile(0.99) * 1000, 100, at_most=True, unit=" ms"),
        ]
    )


class Ears(Thread):
    """A phone for each token, all of them waiting, in one thread. `heard` is when each heard that it was displaced."""

    def __init__(self, port: int, tokens: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.poller, self.heard = select.epoll(), dict[str, float]()
        self.open: dict[int, tuple[str, load.Line]] = {}
        self.begun, self.over = set[str](), False
        for token in tokens:
            line = load.Line(port)
            line.send(load.request("GET", "/api/v1/streams/events?client_id=phone", token=token))
            self.open[line.socket.fileno()] = token, line
            self.poller.register(line.socket, select.EPOLLIN)

    def __enter__(self) -> Ears:
        self.start()
        wanted = len(self.open)
        wait_until(lambda: len(self.begun) == wanted, seconds=60)
        return self

    def __exit__(self, *_: Any) -> None:
        self.over = True
        self.join()
        for _, line in self.open.values():
            line.socket.close()

    def run(self) -> None:
        while not self.over:
            for number, _ in self.poller.poll(0.1):
                token, line = self.open[number]
                if not (data := line.socket.recv(65536)):
                    self.poller.unregister(number)
                    del self.open[number]
                elif NEWS in data:
                    self.heard[token] = time.perf_counter()
                elif b"event: stream" in data:
                    self.begun.add(token)


def displace(port: int, wishes: dict[str, bytes]) -> dict[str, tuple[float, float]]:
    """Send them one by one; when each was sent, and when it was answered."""
    line, taken = load.Line(port), {}
    began = time.perf_counter()
    for number, (token, message) in enumerate(wishes.items()):
        time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        line.send(message)
        while (status := line.receive()) is None:
            pass
        assert status == 201, status
        taken[token] = line.began, time.perf_counter()
    line.socket.close()
    return taken


def others(port: int, tokens: Sequence[str]) -> load.Result:
    """What is asked besides, for as long as the displacements take."""
    messages = [load.request("GET", "/api/v1/streams/current", token=token) for token in tokens]
    count = ORDINARY * SECONDS
    some = (messages * (count // len(messages) + 1))[:count]
    return load.paced(port, some, connections=CONNECTIONS, rate=ORDINARY)


def wish(token: str, track_id: int, device: str) -> bytes:
    body = json.dumps({"track_id": track_id, "format_id": 26, "client_id": device}).encode()
    return load.request("POST", "/api/v1/streams", token=token, body=body)


def delays(seconds: list[float]) -> load.Result:
    return load.Result(seconds=SECONDS, latencies=seconds)


def figures(result: load.Result) -> list[str]:
    return [f"{result.rate:,.0f}", *(f"{result.percentile(share) * 1000:.1f}" for share in (0.5, 0.99))]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else stand.LISTENERS))
