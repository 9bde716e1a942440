"""The whole service as its operator runs it: every process real, on throwaway data."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from config.embedded import Postgres, Valkey
from config.journey import Journey
from config.processes import command_of
from kernel.values import rfc3339
from tests.guard import kept_below, leaks
from tests.sandbox.platform import free_port

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_" + "am91cm5leXMtc2VjcmV0LTAxMjM0NTY3ODlhYmNkZWY="


def eventually(look: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """Look until something is there; fail with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise AssertionError(f"{what}, not within {seconds} s")


@dataclass
class House:
    """`manage.py up` and the ways to disturb it."""

    home: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    port: int
    sandbox_port: int
    postgres: Postgres = field(init=False)
    valkey: Valkey = field(init=False)

    def __post_init__(self) -> None:
        self.postgres, self.valkey = Postgres(self.home), Valkey(self.home)

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def log(self) -> Path:
        return self.home / "up.log"

    def journey(self) -> Journey:
        return Journey(web=self.web, sandbox=self.sandbox, secret=SECRET)

    def pids(self, *words: str) -> list[int]:
        """Processes of this house, by the words in their command line."""
        mark = f"VAR_DIR={self.home}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                ours = mark in (folder / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            command = command_of(int(folder.name))
            if ours and command and all(word in command for word in words):
                found.append(int(folder.name))
        return found

    def kill(self, *words: str) -> list[int]:
        """kill -9, as a crash does."""
        pids = self.pids(*words)
        assert pids, f"no process runs {words}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Look into the service's database, or let time pass in it."""
        with psycopg.connect(self.postgres.url("tonearm"), autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def consult(self) -> subprocess.CompletedProcess[str]:
        """`manage.py doctor`, as somebody calls it who has the same settings."""
        command = [sys.executable, "manage.py", "doctor"]
        keys = {"CATALOGUE_EVENT_PUBLIC_KEYS": str(self.home / "sandbox" / "keys" / "events.pub.pem")}
        return subprocess.run(
            command, cwd=ROOT, env=self.environment | keys, capture_output=True, text=True, check=False
        )

    def order_fault(self, behaviour: str, path: str, times: int = 1) -> None:
        order = {"path": path, "behaviour": behaviour, "times": times}
        assert requests.post(f"{self.sandbox}/_control/faults", json=order, timeout=10).status_code == 201

    def clear_faults(self) -> None:
        requests.delete(f"{self.sandbox}/_control/faults", timeout=10)

    def said(self) -> str:
        """Everything its programs have written so far."""
        logs = [*(self.home / "log").glob("*.log"), self.log]
        return "\n".join(path.read_text(errors="replace") for path in logs)

    def stop(self) -> float:
        """Ctrl-C; how many seconds until everything was over."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(15)
        return time.monotonic() - began


@functools.cache
def foundation() -> Path:
    """What an evening from nothing leaves behind, with its databases migrated and its sandbox's shelves filled."""
    house = start_house(new_home())
    house.stop()
    atexit.register(shutil.rmtree, house.home, ignore_errors=True)
    return house.home


def new_home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="tonearm-house-"))
    home.chmod(0o755)
    return home


def start_house(home: Path, **changes: str) -> House:
    port, sandbox_port = free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VAR_DIR": str(home),
        "PORT": str(port),
        "SANDBOX_PORT": str(sandbox_port),
        "BILLING_STANDARD_SECRETS": SECRET,
        "USAGE_EVERY_SECONDS": "1",
        "SANDBOX_SLOW_SECONDS": "3",
    } | changes
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    house = House(home=home, environment=environment, process=process, port=port, sandbox_port=sandbox_port)

    def serves() -> bool:
        assert process.poll() is None, house.log.read_text()
        return "Ctrl-C stops everything" in house.log.read_text()

    eventually(serves, seconds=120, what="the house is up")
    return house


@contextmanager
def a_house(**changes: str) -> Iterator[House]:
    """A house that is ended, if nobody has done so, and of which nothing is left. It never writes a secret."""
    home = new_home()
    subprocess.run(["cp", "-a", f"{foundation()}/.", home], check=True)  # with owners, which copytree forgets
    house = start_house(home, **changes)
    try:
        yield house
    finally:
        if house.process.poll() is None:
            house.stop()
        let_slip = leaks(house.said(), known=kept_below(house.home))
        shutil.rmtree(house.home, ignore_errors=True)
    assert not let_slip, "after all that was done to it"


@pytest.fixture(scope="package")
def house() -> Iterator[House]:
    """One house for all journeys; a test that disturbs it waits until it is well again."""
    with a_house() as house:
        yield house


@dataclass
class Subscriber:
    """A listener on the phone, subscribed and known to the platform."""

    journey: Journey

    def plays(self, count: int) -> list[dict[str, Any]]:
        now = datetime.now(UTC).replace(microsecond=0)
        return [
            {
                "play_id": str(uuid.uuid4()),
                "track_id": self.journey.seen.track["id"],
                "release_id": self.journey.seen.track["release"]["id"],
                "format_id": 26,
                "played_at": rfc3339(now - timedelta(seconds=20 + number)),
                "seconds_played": 10,
                "mode": "online",
                "user_agent": f"phone of {self.journey.seen.account_id}",
            }
            for number in range(count)
        ]

    def report(self, plays: list[dict[str, Any]]) -> requests.Response:
        return self.journey.api("POST", "/api/v1/plays", json={"plays": plays})

    def states(self) -> dict[str, int]:
        answer = self.journey.api("GET", "/api/v1/plays", params={"limit": 100})
        states = [play["state"] for play in json.loads(answer.text).get("results", [])]
        return {state: states.count(state) for state in set(states)}

    def journalled(self) -> list[str]:
        lines = self.journey.journal("plays", userAgent=f"phone of {self.journey.seen.account_id}")
        return sorted(line["dateTimePlayed"] for line in lines)


@pytest.fixture
def subscriber(house: House) -> Subscriber:
    """A fresh listener, by the journey's own first steps."""
    journey = house.journey()
    for name, step in journey.steps():
        step()
        if name == "search":
            break
    return Subscriber(journey)
