"""Faults on command: what the control door orders, the next requests below a path suffer.

| behaviour    | processed? | on the wire |
|--------------|------------|-------------|
| slow         | yes        | the right answer, some seconds late |
| hang         | no         | nothing at all for long, then the connection closes |
| lost_answer  | yes        | the connection closes without a byte |
| refused      | no         | the same |
| error_500    | no         | 9001 with HTTP 500 |
| error_in_200 | no         | 9001 with HTTP 200 |
| rate_limited | no         | HTTP 429 and a sentence |
| garbage_xml  | no         | HTTP 200 with XML that breaks off |
| truncated    | yes        | the right answer, but only half of the promised bytes |
| endless      | no         | HTTP 200 and a body that drips on and on |
| redirect     | no         | HTTP 302 to a host that is not ours |

A hanging request holds a thread. Half of them may be held; one more, and its connection just closes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from sandbox import answers, gate
from sandbox.answers import AccessDenied, Refused
from sandbox.gate import Handler

Behaviour = Callable[[HttpRequest, Handler], HttpResponseBase]

CONTROL: Final = "/_control/"
DROPPED: Final = 444  # what the log shows for a connection closed without an answer
ELSEWHERE: Final = "https://elsewhere.invalid/"
DRIP_SECONDS: Final = 0.25

_slots = threading.BoundedSemaphore(max(1, settings.THREADS // 2))

# Claimed by one statement, so that `times` holds across all workers; the oldest matching fault goes first.
CLAIM = """
UPDATE sandbox_fault SET "left" = "left" - 1
WHERE id = (
    SELECT id FROM sandbox_fault WHERE "left" > 0 AND starts_with(%s, path) ORDER BY id LIMIT 1 FOR UPDATE
) RETURNING behaviour
"""


class Faults:
    """Middleware, outermost: nothing has looked at the request yet."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        behaviour = None if request.path.startswith(CONTROL) else claim(request.path)
        if behaviour is None:
            return self.get_response(request)
        return BEHAVIOURS[behaviour](request, self.get_response)


def claim(path: str) -> str | None:
    """Use up one fault that is ordered for this path, if there is one."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [path])
        row = cursor.fetchone()
    return row[0] if row else None


def slow(request: HttpRequest, process: Handler) -> HttpResponseBase:
    with _slots:
        time.sleep(settings.SLOW_SECONDS)
    return process(request)


def hang(request: HttpRequest, process: Handler) -> HttpResponseBase:
    if _slots.acquire(blocking=False):
        try:
            time.sleep(settings.HANG_SECONDS)
        finally:
            _slots.release()
    return hang_up()


def lost_answer(request: HttpRequest, process: Handler) -> HttpResponseBase:
    response = process(request)
    response.close()
    return hang_up()


def refused(request: HttpRequest, process: Handler) -> HttpResponseBase:
    return hang_up()


def error_500(request: HttpRequest, process: Handler) -> HttpResponseBase:
    return gate.rate_headers(request, gate.broken(request))


def error_in_200(request: HttpRequest, process: Handler) -> HttpResponseBase:
    no = Refused(9001, "Unexpected internal server error")
    return gate.rate_headers(request, answers.refusal(request, no, status=200))


def rate_limited(request: HttpRequest, process: Handler) -> HttpResponseBase:
    return gate.rate_headers(request, answers.denial(AccessDenied("Usage limit exceeded", status=429)))


def garbage_xml(request: HttpRequest, process: Handler) -> HttpResponseBase:
    body = b'<?xml version="1.0" encoding="utf-8"?><response status="ok" version="1.2"><playLogs><cou\x00nt>&;</'
    return gate.rate_headers(request, HttpResponse(body, content_type="application/xml; charset=utf-8"))


def truncated(request: HttpRequest, process: Handler) -> HttpResponseBase:
    """Half of the bytes, then a pause in which they reach the wire, then the end: granian closes the connection."""
    response = process(request)
    parts = response if isinstance(response, StreamingHttpResponse) else [getattr(response, "content", b"")]
    length = int(response.get("Content-Length") or sum(map(len, parts)))

    def half() -> Iterator[bytes]:
        left = length // 2
        for part in parts:
            yield bytes(part[:left])
            left -= len(part)
            if left <= 0:
                break
        response.close()
        time.sleep(0.05)

    cut = StreamingHttpResponse(half(), status=response.status_code, headers=dict(response.items()))
    cut["Content-Length"] = str(length)
    return cut


def endless(request: HttpRequest, process: Handler) -> HttpResponseBase:
    def drip() -> Iterator[bytes]:
        yield b'<?xml version="1.0" encoding="utf-8"?><response status="ok" version="1.2">'
        if not _slots.acquire(blocking=False):
            raise ConnectionAbortedError("too many requests hang already")
        try:
            until = time.monotonic() + settings.HANG_SECONDS
            while time.monotonic() < until:
                yield b"<!-- -->\n"
                time.sleep(DRIP_SECONDS)
        finally:
            _slots.release()

    response = StreamingHttpResponse(drip(), content_type="application/xml; charset=utf-8")
    return gate.rate_headers(request, response)


def redirect(request: HttpRequest, process: Handler) -> HttpResponseBase:
    return gate.rate_headers(request, HttpResponse(status=302, headers={"Location": ELSEWHERE}))


def hang_up() -> HttpResponse:
    """An answer that cannot be sent: it claims two framings at once, so the server closes the connection instead.

    WSGI has no word for "say nothing". Granian's HTTP engine writes the head of an answer as a
    whole or, when it contradicts itself, not at all.
    """
    headers = {"Content-Length": "1", "Transfer-Encoding": "chunked"}
    return HttpResponse(b"x", status=DROPPED, headers=headers)


BEHAVIOURS: Final[dict[str, Behaviour]] = {
    behaviour.__name__: behaviour
    for behaviour in (
        slow, hang, lost_answer, refused, error_500, error_in_200, rate_limited, garbage_xml,
        truncated, endless, redirect,
    )
}  # fmt: skip
