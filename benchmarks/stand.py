"""The stand on which everything is measured: durable servers, a catalogue, listeners, and granian as in production."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.embedded import Postgres, Valkey

ROOT = Path(__file__).resolve().parent.parent
LISTENERS, RELEASES, TRACKS = 1000, 100, 10
WORKERS = 2


@contextmanager
def engines() -> Iterator[None]:
    """PostgreSQL with fsync, and Valkey, on throwaway data; their URLs in the environment."""
    home = Path(tempfile.mkdtemp(prefix="tonearm-bench-"))
    home.chmod(0o755)
    postgres, valkey = Postgres(home), Valkey(home)
    try:
        postgres.start()
        valkey.start()
        os.environ |= {
            "VAR_DIR": str(home),
            "DATABASE_URL": postgres.ensure_database("bench"),
            "REDIS_URL": valkey.url(),
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        }
        yield
    finally:
        valkey.stop()
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def server(workers: int = WORKERS) -> Iterator[tuple[int, int]]:
    """Granian as `manage.py up` runs it; its port and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "config.rsgi:application", "--interface", "rsgi", "--port", str(port)]
    command += ["--workers", str(workers), "--http", "1", "--no-ws"]
    with running([*command, "--backpressure", "10000", "--log-level", "error"]) as pid:
        wait_for(port)
        yield port, pid


@contextmanager
def worker() -> Iterator[None]:
    """A Celery worker and its timetable as `manage.py up` runs them."""
    celery = [sys.executable, "-W", "ignore", "-m", "celery", "--app", "config"]
    options = ["--pool", "threads", "--concurrency", "4", "--without-mingle", "--without-gossip"]
    with (
        running([*celery, "worker", *options, "--loglevel", "ERROR"]),
        running([*celery, "beat", "--loglevel", "ERROR"]),
    ):
        yield


@contextmanager
def running(command: Sequence[str]) -> Iterator[int]:
    """A program and its children, which are all gone afterwards; its process id."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server does not start")


def memory_of(pid: int) -> float:
    """Proportional memory of a process and its children, in MiB."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if int(folder.name) == pid or parent == pid:
                rollup = (folder / "smaps_rollup").read_text()
                total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total / 1024


def fill() -> tuple[list[str], list[int]]:
    """Listeners with a subscription and a catalogue; their access tokens and the track ids."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return tokens(), catalogue()


def catalogue() -> list[int]:

    from kernel.values import COUNTRIES
    from tests.helpers import apply_member, offer, release_event, track_member

    world = [offer(sorted(COUNTRIES))]
    ids = []
    for number in range(1, RELEASES + 1):
        tracks = [track_member(number * 100 + n, title=f"Track {n}", number=n, offers=world) for n in range(TRACKS)]
        apply_member(release_event(number, tracks=tracks))
        ids += [track["id"] for track in tracks]
    return ids


def tokens() -> list[str]:
    from datetime import timedelta

    from django.utils import timezone

    from accounts.models import Listener, User
    from subscriptions.models import Subscription

    now = timezone.now()
    users = User.objects.bulk_create(User(email=f"bench{number}@example.org") for number in range(LISTENERS))
    listeners = Listener.objects.bulk_create(Listener(user=user, country="GB", subscribed_since=now) for user in users)
    Subscription.objects.bulk_create(
        Subscription(
            listener=listener,
            external_id=str(listener.pk),
            plan_id="premium-unlimited-streaming",
            status="ACTIVE",
            recurring_fee=999,
            currency="GBP",
            country="GB",
            activated_at=now - timedelta(days=1),
            starts_at=now - timedelta(days=1),
            entitled_from=now - timedelta(days=1),
            expires_at=now + timedelta(days=20),
            entitled_until=now + timedelta(days=20),
            as_of=now,
        )
        for listener in listeners
    )
    return fresh_tokens()


def fresh_tokens() -> list[str]:
    """A quarter of an hour's access for every listener."""
    from accounts.models import Listener
    from tests.helpers import token_for

    life = {"exp": int(time.time()) + 890}
    return [token_for(listener, **life) for listener in Listener.objects.order_by("pk")]
