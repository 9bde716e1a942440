"""One id per request: in the answer's X-Request-Id, in every log line, in every problem."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-Id"
ACCEPTABLE = re.compile(r"\A[A-Za-z0-9._-]{8,64}\Z")

_trace_id: ContextVar[str] = ContextVar("trace_id", default="-")


def current_trace_id() -> str:
    """The id of the request being served, `-` outside of one."""
    return _trace_id.get()


class TraceMiddleware:
    """Take the caller's X-Request-Id where it is harmless, else make one; hand it back, and say how long it all is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        trace_id = given if ACCEPTABLE.match(given) else uuid.uuid4().hex
        token = _trace_id.set(trace_id)
        try:
            response = self.get_response(request)
        finally:
            _trace_id.reset(token)
        response.headers[HEADER] = trace_id
        if not response.streaming and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(response.content))  # else the server would send it in chunks
        return response
