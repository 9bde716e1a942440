"""Answers that go on: a view starts one, and the server's loop continues it, without holding a request thread.

Where no loop continues it (`web.bridge`), as in tests or behind another server, the answer is only its beginning: a
client of server-sent events then comes back after `RETRY_SECONDS`, and learns by that.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final, TypeAlias

from django.http import HttpRequest, HttpResponse

RETRY_SECONDS: Final = 3
KEY: Final = "tonearm.live"  # of the WSGI environment

Rest: TypeAlias = Callable[[], AsyncGenerator[bytes]]


def event(kind: str, data: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def respond_live(request: HttpRequest, *events: bytes, rest: Rest) -> HttpResponse:
    """Server-sent events: these at once, and `rest`, run on the loop, until it ends or the client leaves."""
    request.META[KEY] = rest
    beginning = f"retry: {RETRY_SECONDS * 1000}\n\n".encode() + b"".join(events)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return HttpResponse(beginning, content_type="text/event-stream", headers=headers)
