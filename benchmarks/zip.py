"""A purchase of a gigabyte as one ZIP from the sandbox, against the same bytes by sendfile.

`python -m benchmarks.zip`. One reader reads both and throws away what it reads; it takes a core, the server another.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks import stand
from benchmarks.report import table, target

TRACKS: Final = 20
SECONDS: Final = 310  # a track of noise, which no codec makes smaller: some 52 MB
RUNS: Final = 3
STALL_SECONDS: Final = 3.0
MIB: Final = 2**20


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """One answer that was read to its end: bytes of the body, seconds, and seconds until the first of them."""

    size: int
    seconds: float
    first: float

    @property
    def rate(self) -> float:
        return self.size / MIB / self.seconds


def main() -> int:
    with stand.engines():
        music = record(Path(os.environ["VAR_DIR"]) / "music")
        with sandbox(music) as (origin, pid):
            shop = Shop(origin)
            fetch(shop.url(), method="HEAD")  # what is loaded once is loaded now
            before = memory_of(pid)
            with Memory(pid) as fast:
                zips = [fetch(shop.url()) for _ in range(RUNS)]
            with Memory(pid) as stalled:
                fetch(shop.url(), stall=STALL_SECONDS)
        with sendfile_server(sorted(music.iterdir())) as url:
            bare = [fetch(url) for _ in range(RUNS)]
    return 0 if tell(zips, bare, fast.peak - before, stalled.peak - before) else 1


def tell(zips: list[Fetched], bare: list[Fetched], grown: float, stalled: float) -> bool:
    """Print the table; whether the targets were met."""
    best, ceiling = (max(runs, key=lambda run: run.rate) for runs in (zips, bare))
    rows = [
        ["bare sendfile", f"{ceiling.rate:,.0f}", "1.00", f"{ceiling.first * 1000:.0f}", ""],
        ["ZIP", f"{best.rate:,.0f}", f"{best.rate / ceiling.rate:.2f}", f"{best.first * 1000:.0f}", f"{grown:+.1f}"],
    ]
    title = f"{best.size / 1e9:.2f} GB in {TRACKS} tracks, best of {RUNS}"
    table(title, ["", "MiB/s", "of sendfile", "first byte ms", "MiB more"], rows)
    overhead = best.size - ceiling.size
    return all(
        [
            target("a gigabyte", best.size / 1e9, 1, unit=" GB"),
            target("memory that grew with it", grown, 20, at_most=True, unit=" MiB"),
            target("the same while the reader stalls", stalled, 20, at_most=True, unit=" MiB"),
            target("bytes of the archive itself, a track", overhead / TRACKS, 400, at_most=True),
            target("until the first byte", best.first * 1000, 500, at_most=True, unit=" ms"),
        ]
    )


# --- the shop -----------------------------------------------------------------------------------


def record(folder: Path) -> Path:
    """A release of noise in FLAC, one file a track."""
    import numpy as np
    import soundfile

    folder.mkdir()
    chance = np.random.default_rng(7)
    for number in range(1, TRACKS + 1):
        with soundfile.SoundFile(folder / f"{number:02}.flac", "w", 44100, 2) as file:
            file.title, file.artist, file.album, file.tracknumber = f"Noise {number}", "Ada", "Noises", str(number)
            for _ in range(SECONDS):
                file.write(chance.integers(-(2**15), 2**15, (44100, 2), dtype=np.int16))
    return folder


@contextmanager
def sandbox(music: Path) -> Iterator[tuple[str, int]]:
    """The stand-in with this music and one worker; its origin and process id."""
    import subprocess

    from config.embedded import Postgres

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ |= {
        "SANDBOX_DATABASE_URL": Postgres(Path(os.environ["VAR_DIR"])).ensure_database("shop"),
        "SANDBOX_PORT": str(port),
        "SANDBOX_WORKERS": "1",
        "SANDBOX_DOWNLOADS": "1000",
        "MUSIC": str(music),
    }
    command = [sys.executable, "-m", "sandbox"]
    subprocess.run([*command, "prepare"], cwd=stand.ROOT, check=True, stdout=subprocess.DEVNULL)
    with stand.running([*command, "serve"]) as pid:
        stand.wait_for(port)
        yield f"http://127.0.0.1:{port}", pid


class Shop:
    """The service's client, and what was bought with it."""

    def __init__(self, origin: str) -> None:
        import requests

        from massivemusic.client import Client, Platform
        from massivemusic.sales import Sale, deliver_item
        from massivemusic.users import create_user

        names = ("api_url", "stream_url", "media_url", "previews_url", "image_url")
        hosts = dict.fromkeys(names, origin) | {"consumer_key": "sandbox-key", "consumer_secret": "sandbox-secret"}
        self.client = Client(Platform(**hosts, allow_http=True))  # type: ignore[arg-type]
        create_user(self.client, user_id="buyer", country="GB")
        (release,) = requests.get(f"{origin}/_control/shelves", timeout=10).json()["releases"]
        sale = Sale(
            user_id="buyer",
            release_id=release["id"],
            track_id=None,
            country="GB",
            transaction_id="t",
            retail_price=Decimal("7.99"),
            currency="GBP",
        )
        self.purchase_id = deliver_item(self.client, sale).purchase_id

    def url(self) -> str:
        from massivemusic.downloads import purchase_zip_url

        return purchase_zip_url(self.client, user_id="buyer", purchase_id=self.purchase_id, country="GB")


# --- measuring ----------------------------------------------------------------------------------


def fetch(url: str, *, method: str = "GET", stall: float = 0) -> Fetched:
    """Read an answer and keep none of it; `stall` seconds are waited after the first bytes."""
    parts = urlsplit(url)
    buffer = bytearray(MIB)
    began = time.perf_counter()
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as wire:
        wire.sendall(f"{method} {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += wire.recv(65536)
        first = time.perf_counter() - began
        time.sleep(stall)
        head, _, body = head.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        (length,) = (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        left = length - len(body) if method == "GET" else 0
        while left:
            taken = wire.recv_into(buffer)
            assert taken, "the answer broke off"
            left -= taken
    return Fetched(size=length, seconds=time.perf_counter() - began, first=first)


class Memory:
    """Watches a server while something else goes on; its `peak` in MiB."""

    def __init__(self, pid: int) -> None:
        self.peak = 0.0
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, memory_of(self._pid))


def memory_of(pid: int) -> float:
    """What a process and its children hold by themselves, in MiB: no files, nor what others share with them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    statuses = [Path(f"/proc/{each}/status").read_text() for each in (pid, *children)]
    return sum(int(status.partition("RssAnon:")[2].split()[0]) for status in statuses) / 1024


@contextmanager
def sendfile_server(files: list[Path]) -> Iterator[str]:
    """A process that sends these files as one body to everybody who connects; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        process = multiprocessing.get_context("fork").Process(target=send_files, args=(door, files), daemon=True)
        process.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}/"
        finally:
            process.kill()
            process.join()


def send_files(door: socket.socket, files: list[Path]) -> None:
    sizes = [path.stat().st_size for path in files]
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {sum(sizes)}\r\n\r\n".encode()
    while True:
        wire, _ = door.accept()
        with wire:
            wire.recv(65536)
            wire.sendall(head)
            for path in files:
                with path.open("rb") as file:
                    wire.sendfile(file)


if __name__ == "__main__":
    sys.exit(main())
