"""Delivering catalogue events ("Technical specification"): signed, gzipped, several at once, tried again on failure."""

from __future__ import annotations

import gzip
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import jwt
import requests
from django.conf import settings

from sandbox import keys
from sandbox.events import Event

TOKEN_SECONDS: Final = 300
ANSWER_WITHIN: Final = 10  # seconds, then it counts as a failure
CONCURRENT: Final = 8


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to deliver. `rate` is in requests per second; `order` in, reversed or shuffled; `duplicates` extra copies."""

    url: str
    order: str = "in"
    duplicates: int = 0
    rate: float = 50
    per_request: int = 10
    gzip: bool = True


@dataclass(kw_only=True)
class Outcome:
    """What came of it. `failed` holds the last status (None: no answer) and the ids of each request given up on."""

    requests: int = 0
    events: int = 0
    accepted: int = 0
    seconds: float = 0.0
    failed: list[dict[str, Any]] = field(default_factory=list)


def deliver(events: Sequence[Event], plan: Plan) -> Outcome:
    """Send all events, a few requests at a time, and wait for the outcome."""
    started = time.monotonic()
    batches = list(_batches(_ordered(events, plan), plan.per_request))
    outcome = Outcome(requests=len(batches), events=sum(map(len, batches)))
    sender = Sender(plan)
    with ThreadPoolExecutor(CONCURRENT) as pool:
        answers = [pool.submit(sender.send, batch, due=started + n / plan.rate) for n, batch in enumerate(batches)]
        for batch, answer in zip(batches, answers, strict=True):
            status = answer.result()
            if is_success(status):
                outcome.accepted += len(batch)
            else:
                outcome.failed.append({"status": status, "release_ids": [event["id"] for event in batch]})
    outcome.seconds = round(time.monotonic() - started, 3)
    return outcome


def token() -> str:
    """A token like no other: RS256, five minutes. The claims beyond `exp` are our choice."""
    now = int(time.time())
    claims = {"iat": now, "exp": now + TOKEN_SECONDS, "iss": "sandbox", "jti": uuid4().hex}
    return jwt.encode(claims, keys.events_key(), algorithm="RS256")


class Sender:
    """Sends batches, with a connection for each thread."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.local = threading.local()

    def send(self, batch: Sequence[Event], *, due: float) -> int | None:
        """Deliver one request at `due` (monotonic seconds) or later; the last status, None when nobody answered."""
        time.sleep(max(0.0, due - time.monotonic()))
        body, headers = self._letter(batch)
        status = None
        for pause in (0.0, *settings.EVENTS_PAUSES):
            time.sleep(pause)
            status = self._try(body, headers | {"Authorization": f"{settings.EVENTS_SCHEME} {token()}".strip()})
            if is_success(status):
                break
        return status

    def _letter(self, batch: Sequence[Event]) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(batch, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "sandbox-catalogue-events"}
        if not self.plan.gzip:
            return body, headers
        return gzip.compress(body, 6), headers | {"Content-Encoding": "gzip"}

    def _try(self, body: bytes, headers: dict[str, str]) -> int | None:
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
            self.local.session.trust_env = False
        try:
            answer = self.local.session.post(
                self.plan.url, data=body, headers=headers, timeout=ANSWER_WITHIN, allow_redirects=False
            )
        except requests.RequestException:
            return None
        return int(answer.status_code)


def is_success(status: int | None) -> bool:
    """Any 2xx acknowledges."""
    return status is not None and 200 <= status < 300


def _ordered(events: Sequence[Event], plan: Plan) -> list[Event]:
    """All copies in the order of delivery. "in" is by version, copies side by side; the shuffle never changes."""
    copies = [event for event in sorted(events, key=lambda event: event["version"]) for _ in range(1 + plan.duplicates)]
    if plan.order == "reversed":
        copies.reverse()
    elif plan.order == "shuffled":
        random.Random(20).shuffle(copies)  # noqa: S311
    return copies


def _batches(events: Sequence[Event], size: int) -> Iterator[Sequence[Event]]:
    for start in range(0, len(events), size):
        yield events[start : start + size]
