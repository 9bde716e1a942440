"""Somebody who comes to the service's doors as an app, a billing system and the platform do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import requests

PATIENCE_SECONDS: Final = 60.0


class Failed(Exception):
    """A step did not see what it must see; the message says what it saw."""


def fail(what: str, response: requests.Response | None = None) -> NoReturn:
    """Raise Failed, with the answer's status and the beginning of its body but never its URL."""
    seen = f": {response.status_code} {response.text[:300]}" if response is not None else ""
    raise Failed(f"{what}{seen}")


@dataclass
class Listening:
    """What the journey learns on its way."""

    account_id: str = ""
    platform_user: str = ""
    token: str = ""
    track: dict[str, Any] = field(default_factory=dict)
    plays: list[dict[str, Any]] = field(default_factory=list)
    purchase: dict[str, Any] = field(default_factory=dict)


class Visitor:
    """`web` and `sandbox` are base URLs, `secret` signs billing webhooks."""

    def __init__(self, *, web: str, sandbox: str, secret: str) -> None:
        self.web, self.sandbox, self.secret = web, sandbox, secret
        self.http = requests.Session()
        self.http.trust_env = False
        self.seen = Listening()

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        """One call of the API as the listener's app."""
        headers = {"Authorization": f"Bearer {self.seen.token}"} if self.seen.token else {}
        headers |= options.pop("headers", {})
        return self.http.request(method, f"{self.web}{path}", headers=headers, timeout=15, **options)

    def journal(self, kind: str, **wanted: Any) -> list[dict[str, Any]]:
        """The platform's journal entries of a kind whose fields equal `wanted`."""
        answer = self.http.get(f"{self.sandbox}/_control/journal", params={"kind": kind}, timeout=15)
        entries = [json.loads(line) for line in answer.text.splitlines()]
        return [entry for entry in entries if all(entry.get(name) == value for name, value in wanted.items())]

    def control(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The stand-in's control door."""
        answer = self.http.request(method, f"{self.sandbox}/_control/{path}", timeout=60, **options)
        if not answer.ok:
            fail(f"the control door refused {path}", answer)
        body: dict[str, Any] = answer.json()
        return body

    def billing(self, event: dict[str, Any], *, forged: bool = False) -> requests.Response:
        """One webhook, signed by Standard Webhooks."""
        body = json.dumps(event).encode()
        event_id, timestamp = f"evt_{uuid.uuid4().hex}", str(int(time.time()))
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = f"{event_id}.{timestamp}.".encode() + body
        signature = base64.b64encode(hmac.new(b"x" if forged else key, signed, hashlib.sha256).digest()).decode()
        headers = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
        headers["Content-Type"] = "application/json"
        return self.http.post(f"{self.web}/webhooks/billing/standard", data=body, headers=headers, timeout=15)

    def until(self, look: Callable[[], Any], otherwise: str) -> Any:
        """Look again and again until something is there. Raises Failed after PATIENCE_SECONDS."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if seen := look():
                return seen
            time.sleep(0.1)
        fail(otherwise)


def seconds(text: str) -> str:
    """An instant of the platform's journal, to the second."""
    return f"{text[:19]}Z"


def short(identifier: str) -> str:
    return f"{identifier[:8]}…"
