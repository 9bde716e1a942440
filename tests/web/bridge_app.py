"""What the bridge's tests let granian serve: a small WSGI application with one thread."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import TYPE_CHECKING

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings_test")

from web.bodies import with_length
from web.bridge import Bridge
from web.live import KEY

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

open_answers: set[int] = set()


class Long(list[bytes]):
    """A long answer, as Django marks it."""

    streaming = True


async def ticks() -> AsyncGenerator[bytes]:
    me = id(asyncio.current_task())
    open_answers.add(me)
    try:
        for number in range(1000):
            yield f"tick {number}\n".encode()
            await asyncio.sleep(0.05)
    finally:
        open_answers.discard(me)


async def broken() -> AsyncGenerator[bytes]:
    yield b"one\n"
    raise RuntimeError("a bug of ours")


def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    headers = [("Content-Type", "text/plain"), ("Content-Length", "6")]
    if path in {"/ticks", "/broken"}:
        environ[KEY] = ticks if path == "/ticks" else broken
        start_response("200 OK", headers)
        return [b"begin\n"]
    if path == "/long":
        start_response("200 OK", headers[:1])
        return Long(b"x" * 70_000 for _ in range(30))
    if path == "/open":
        start_response("200 OK", [])
        return [str(len(open_answers)).encode()]
    start_response("202 Accepted", [("Content-Type", "application/json"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"".join(told(environ))]


def told(environ: WSGIEnvironment) -> Iterator[bytes]:
    """The request as the application sees it."""
    texts = {name: value for name, value in environ.items() if isinstance(value, str)}
    yield json.dumps(texts | {"body": len(environ["wsgi.input"].read())}).encode()


application = Bridge(with_length(serve), threads=1)
