"""Processes that carry whatever waits and are killed at work: see tests.usage.submitter.

KILLS=500 kills so many instead of 50, SEED=7 does it at the instants of an earlier run.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from django.db import connection
from django.db.models.functions import Now

from outbox.models import Message
from tests.sandbox.platform import KEY, SECRET, Platform

ROOT = Path(__file__).resolve().parents[2]
KILLS: Final = int(os.environ.get("KILLS", "50"))
SEED: Final = int(os.environ.get("SEED", "0")) or random.randrange(1, 10**6)
LIFE: Final = (0.0, 0.15)  # seconds at work
FOREVER: Final = 60
Work = TypeVar("Work")


@dataclass
class Submitters:
    """See tests.usage.submitter."""

    process: subprocess.Popen[str]

    def live(self, seconds: float, point: str = "") -> str:
        """Let one live for so long, or to a crash point: "killed", or "ended" when there was nothing left to do."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds} {point}\n")
        self.process.stdin.flush()
        return self.said()

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def environment(**changes: str) -> dict[str, str]:
    """This test's own database."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"} | changes


@contextmanager
def submitters(*words: str, **changes: str) -> Iterator[Submitters]:
    """Submitters without a broker, so that they carry everything themselves."""
    settings = environment(REDIS_URL="redis://127.0.0.1:9/0", LOG_LEVEL="ERROR", **changes)
    command = [sys.executable, "-m", "tests.usage.submitter", *words]
    with subprocess.Popen(
        command, cwd=ROOT, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        running = Submitters(process)
        try:
            assert running.said() == "ready"
            yield running
        finally:
            process.kill()


def bury() -> None:
    """The lease of whoever died runs out."""
    Message.objects.filter(state="SENDING").update(lease_until=Now())


def massacre(them: Submitters, more: Callable[[], list[Work]], *, done: Callable[[], bool]) -> list[Work]:
    """Kill KILLS of them at work, and let the last ones finish; all the work there was."""
    chance, work, kills = random.Random(SEED), more(), KILLS
    sys.stdout.write(f"SEED={SEED}\n")
    while kills:
        if them.live(chance.uniform(*LIFE)) == "killed":
            kills -= 1
        else:
            work += more()
        bury()
    finish(them, done=done)
    return work


def finish(them: Submitters, *, done: Callable[[], bool]) -> None:
    """Leave them in peace until it is done: one ends early where PostgreSQL is still at what a dead one asked for last,
    and nobody knows after how many kills."""
    for _ in range(20):
        bury()
        assert them.live(FOREVER) == "ended"
        if done():
            return
    raise AssertionError("it did not come about")


def by_calls(sandbox: Platform, **changes: str) -> dict[str, str]:
    return {
        "USAGE_BATCH_SIZE": "10",
        "MASSIVEMUSIC_API_URL": f"{sandbox.url}/1.2",
        "MASSIVEMUSIC_CONSUMER_KEY": KEY,
        "MASSIVEMUSIC_CONSUMER_SECRET": SECRET,
        **changes,
    }
