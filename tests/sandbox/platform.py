"""What the tests need around the stand-in: a database, a process, a partner signing by oauthlib, a door for events."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg
import requests
from oauthlib.oauth1 import SIGNATURE_TYPE_AUTH_HEADER, SIGNATURE_TYPE_QUERY, Client
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
KEY, SECRET = "test-key", "test-secret"
FORM = "application/x-www-form-urlencoded"
_numbers = count(1)


def eventually(done: Callable[[], object], *, seconds: float = 20) -> object:
    """Ask until the answer is truthy; the answer, or a failure after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := done():
            return answer
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Database:
    """A database of the sandbox's own, on the server that the tests already have."""

    server: str
    name: str

    @property
    def url(self) -> str:
        return urlsplit(self.server)._replace(path=f"/{self.name}").geturl()

    def create(self) -> None:
        self._order("CREATE DATABASE {}")

    def drop(self) -> None:
        self._order("DROP DATABASE IF EXISTS {} WITH (FORCE)")

    def _order(self, order: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(sql.SQL(order).format(sql.Identifier(self.name)))


@dataclass
class Platform:
    """`python -m sandbox` as a process."""

    database: Database
    var_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.var_dir / f"serve-{self.port}.log"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SANDBOX_", "DJANGO_"))}
        inherited.pop("MUSIC", None)
        return inherited | {
            "SANDBOX_DATABASE_URL": self.database.url,
            "SANDBOX_PORT": str(self.port),
            "VAR_DIR": str(self.var_dir),
            "MASSIVEMUSIC_CONSUMER_KEY": KEY,
            "MASSIVEMUSIC_CONSUMER_SECRET": SECRET,
            **self.settings,
        }

    def prepare(self) -> str:
        command = [sys.executable, "-m", "sandbox", "prepare"]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "serve"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        eventually(self.answers, seconds=60)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/_control/faults", timeout=2).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    def stop(self, signum: int = signal.SIGTERM) -> float:
        """Stop it; how many seconds that took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(signum)
        self.process.wait(10)
        return time.monotonic() - started

    # --- the control door

    def control(self, method: str, path: str, body: object = None) -> requests.Response:
        return requests.request(method, f"{self.url}/_control/{path}", json=body, timeout=60)

    def journal(self, kind: str = "", **match: object) -> list[dict]:
        """The journal's lines of a kind whose fields match."""
        answer = self.control("GET", f"journal?{urlencode({'kind': kind})}")
        assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
        lines = [json.loads(line) for line in answer.text.splitlines()]
        return [line for line in lines if all(line.get(name) == value for name, value in match.items())]

    def order(self, behaviour: str, path: str, times: int = 1) -> None:
        answer = self.control("POST", "faults", {"path": path, "behaviour": behaviour, "times": times})
        assert answer.status_code == 201, answer.text

    def clear_faults(self) -> None:
        assert self.control("DELETE", "faults").status_code == 204

    def releases(self, **match: object) -> list[dict]:
        releases = self.control("GET", "shelves").json()["releases"]
        return [release for release in releases if all(release[name] == value for name, value in match.items())]

    def release(self, *, sold_in: tuple[str, ...] | None = None, **states: bool) -> dict:
        """Some release that streams now, or is in the states asked for; `sold_in` are exactly its territories."""
        wanted = {"taken_down": False, "pre_release": False, "download_only": False} | states
        found = [
            release
            for release in self.releases(**wanted)
            if (sorted(release["territories"]) == sorted(sold_in) if sold_in else len(release["territories"]) > 200)
        ]
        return found[0]

    def track(self, **states: bool) -> int:
        return int(self.release(**states)["tracks"][0]["id"])


class Partner:
    """A partner's back end with a consumer key: it signs as oauthlib does, not as the sandbox would."""

    def __init__(self, platform: Platform, *, key: str = KEY, secret: str = SECRET) -> None:
        self.platform, self.key, self.secret = platform, key, secret
        self.session = requests.Session()

    def close(self) -> None:
        self.session.close()

    def request(
        self, method: str, path: str, *, body: str | dict | None = None, accept: str = "application/json", **parameters
    ) -> requests.Response:
        """A signed API call, its signature in the header. A dict is sent as a form, `json:` text as it is."""
        is_form = isinstance(body, dict)
        headers = {"Content-Type": FORM} if is_form else {}
        client = Client(self.key, self.secret, signature_type=SIGNATURE_TYPE_AUTH_HEADER)
        url, signed, form = client.sign(
            f"{self.platform.url}{path}?{urlencode(parameters)}",
            method,
            body=body if is_form else None,
            headers=headers,
        )
        signed |= {"Accept": accept}
        if isinstance(body, str):
            signed["Content-Type"] = "application/xml" if body.lstrip().startswith("<") else "application/json"
        return self.session.request(method, url, data=form if is_form else body, headers=signed, timeout=30)

    def signed_url(self, path: str, *, at: float | None = None, nonce: str | None = None, **parameters) -> str:
        """A finished media URL, everything in its query."""
        moment = {"timestamp": str(int(at)) if at else None, "nonce": nonce}
        client = Client(self.key, self.secret, signature_type=SIGNATURE_TYPE_QUERY, **moment)
        return client.sign(f"{self.platform.url}{path}?{urlencode(parameters)}")[0]

    def fetch(self, url: str, **headers: str) -> requests.Response:
        return self.session.get(url, headers={"Accept": "application/json", **headers}, timeout=30)

    # --- small stories

    def new_user(self, country: str = "GB") -> str:
        user_id = f"user-{os.getpid()}-{next(_numbers)}"
        answer = self.request("GET", "/1.2/user/create", userId=user_id, country=country)
        assert answer.status_code == 200, answer.text
        return user_id

    def subscriber(self, country: str = "GB", **change: str) -> str:
        user_id = self.new_user(country)
        answer = self.subscribe(user_id, country=country, **change)
        assert answer.status_code == 200, answer.text
        return user_id

    def subscribe(self, user_id: str, **change: str | None) -> requests.Response:
        """Submit a good subscription with some fields changed; None leaves a field out."""
        now = datetime.now(UTC)
        fields = {
            "userId": user_id,
            "planCode": "premium-unlimited-streaming",
            "status": "active",
            "currency": "GBP",
            "recurringFee": "999",
            "country": "GB",
            "activatedAt": iso(now - timedelta(days=90)),
            "currentPeriodStartDate": iso(now - timedelta(hours=1)),
            "expiryDate": iso(now + timedelta(days=20)),
        } | change
        form = {name: value for name, value in fields.items() if value is not None}
        return self.request("POST", "/1.2/user/unlimitedStreaming", body=form)

    def sell(self, user_id: str, release_id: int, **change: object) -> requests.Response:
        """Report a good sale with some parameters changed; None leaves one out."""
        sale = {
            "userId": user_id,
            "releaseId": release_id,
            "country": "GB",
            "transactionId": f"t-{next(_numbers)}",
            "retailPrice": "7.99",
            "currency": "GBP",
        } | change
        given = {name: value for name, value in sale.items() if value is not None}
        return self.request("GET", "/1.2/user/deliveritem", accept="*/*", **given)

    def sold(self, user_id: str, release_id: int, **change: object) -> int:
        """The purchaseId of a sale that must be accepted."""
        answer = self.sell(user_id, release_id, **change)
        assert answer.status_code == 200, answer.text
        return int(re.findall(r'<purchase id="(\d+)">', answer.text)[0])

    def locker(self, user_id: str, **change: object) -> dict:
        """`lockerReleases` as JSON."""
        answer = self.request("GET", "/1.2/user/locker", **({"userId": user_id, "country": "GB"} | change))
        assert answer.status_code == 200, answer.text
        return answer.json()["locker"]["lockerReleases"]

    def stream(self, user_id: str, track_id: int, *, path: str = "/stream/subscription", **change) -> requests.Response:
        return self.fetch(self.stream_url(user_id, track_id, path=path, **change))

    def stream_url(self, user_id: str, track_id: int, *, path: str = "/stream/subscription", **change) -> str:
        wish = {"userId": user_id, "trackId": track_id, "formatId": 26, "country": "GB"} | change
        return self.signed_url(path, **wish)

    def log(
        self, user_id: str, body: object, *, country: str = "GB", accept: str = "application/json"
    ) -> requests.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        path = "/1.2/user/subscription/log"
        return self.request("POST", path, body=text, accept=accept, userId=user_id, country=country)


def error_of(answer: requests.Response) -> tuple[int, int, str]:
    """HTTP status, code and message of a JSON error, whose two texts must agree."""
    tree = answer.json()
    assert tree["status"] == "error", tree
    assert tree["version"] == "1.2"
    assert tree["error"]["message"] == tree["error"]["errorMessage"]
    return answer.status_code, tree["error"]["code"], tree["error"]["message"]
