"""Django in threads, on a server with an event loop: slow clients and open event streams hold no thread.

The loop reads the body, no more of it than its path may have, a thread answers, and what goes on (`web.live`) is
continued on the loop. Granian's RSGI interface is documented at https://github.com/emmett-framework/granian.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from web.bodies import cap_for
from web.live import KEY, Rest

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

BODY_SECONDS: Final = 60.0  # for a whole body to come in
SETTLE_SECONDS: Final = 0.1
CGI: Final = {"CONTENT_TYPE", "CONTENT_LENGTH"}  # headers whose variable has no prefix
CLOSE: Final = ("connection", "close")

log = logging.getLogger(__name__)


class Bridge:
    """An RSGI application around a WSGI one."""

    def __init__(self, application: WSGIApplication, *, threads: int) -> None:
        self.application, self.threads = application, threads

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.pool = ThreadPoolExecutor(self.threads, thread_name_prefix="request")
        self.streams: set[asyncio.Task[Any]] = set()
        self.answered: deque[asyncio.Future[None]] = deque()
        self.settle_now_and_then()
        self.end_streams_first()

    def end_streams_first(self) -> None:
        """Let a signal to stop end the open answers: the server would wait for their ends, and says nothing before.

        Where the loop does not show who else handles the signal, the server's own timeout has to do.
        """
        handlers = getattr(self.loop, "_signal_handlers", {})
        for number in (signal.SIGINT, signal.SIGTERM):
            if (server := handlers.get(number)) is not None:
                self.loop.add_signal_handler(number, self.stop, server)

    def stop(self, server: asyncio.Handle) -> None:
        for stream in self.streams:
            stream.cancel()
        server._run()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        environ = environment(scope)
        try:
            body = await read(environ, protocol)
        except TimeoutError:
            protocol.response_empty(408, [CLOSE])
            return
        environ["wsgi.input"] = io.BytesIO(body or b"")
        self.settle()
        answered: asyncio.Future[None] = self.loop.create_future()
        # Behind a body that is not read to its end no other request can be found.
        answer = Answer([CLOSE] if body is None or len(body) > cap_for(environ["PATH_INFO"]) else [])
        self.pool.submit(self.answer, answer, environ, protocol, answered)
        await answered

    def settle(self) -> None:
        """End the coroutines of requests that threads have answered: with the next request, or a moment later.

        The answers are long on their way. To wake the loop for each would cost a quarter of a small request.
        """
        while self.answered:
            self.answered.popleft().set_result(None)

    def settle_now_and_then(self) -> None:
        self.settle()
        self.loop.call_later(SETTLE_SECONDS, self.settle_now_and_then)

    def answer(self, answer: Answer, environ: WSGIEnvironment, protocol: Any, answered: asyncio.Future[None]) -> None:
        """Let the application answer, in a thread; what goes on is continued on the loop."""
        try:
            with answer.of(self.application, environ) as chunks:
                if (rest := environ.get(KEY)) is not None:
                    answer.begin(chunks)
                    self.loop.call_soon_threadsafe(self.go_on_with, answer, rest, protocol, answered)
                    return
                if getattr(chunks, "streaming", False):
                    self.send(chunks, protocol.response_stream(answer.status, answer.headers))
                else:
                    protocol.response_bytes(answer.status, answer.headers, b"".join(chunks))
        except Exception:
            log.exception("a request was not answered")
            protocol.response_empty(500, [])
        self.answered.append(answered)

    def send(self, chunks: Iterable[bytes], transport: Any) -> None:
        """A long answer, piece by piece, from its thread; a client may leave in the middle of it."""

        async def pass_on(chunk: bytes) -> None:
            await transport.send_bytes(chunk)

        try:
            for chunk in chunks:
                asyncio.run_coroutine_threadsafe(pass_on(chunk), self.loop).result()
        except Exception as error:  # noqa: BLE001  the server's own errors have no common class
            log.info("an answer was not heard to its end: %s", type(error).__name__)

    def go_on_with(self, answer: Answer, rest: Rest, protocol: Any, answered: asyncio.Future[None]) -> None:
        going = asyncio.ensure_future(self.go_on(answer, rest, protocol))
        going.add_done_callback(lambda _: self.answered.append(answered))

    async def go_on(self, answer: Answer, rest: Rest, protocol: Any) -> None:
        """The beginning, then the rest as it comes, until the client leaves or the server stops."""
        transport = protocol.response_stream(answer.status, answer.headers)
        stream = asyncio.ensure_future(self.pass_on(answer.beginning, rest, transport))
        left = asyncio.ensure_future(protocol.client_disconnect())
        self.streams.add(stream)
        try:
            await asyncio.wait({stream, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.streams.discard(stream)
            for task in (stream, left):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def pass_on(self, beginning: bytes, rest: Rest, transport: Any) -> None:
        try:
            await transport.send_bytes(beginning)
            async with contextlib.aclosing(rest()) as events:
                async for event in events:
                    await transport.send_bytes(event)
        except Exception:
            log.exception("an open answer broke off")


class Answer:
    """What the application answered, and headers of ours."""

    def __init__(self, ours: list[tuple[str, str]]) -> None:
        self.status = 500
        self.ours = ours
        self.headers: list[tuple[str, str]] = []
        self.beginning = b""

    def start(self, status: str, headers: list[tuple[str, str]], _: object = None, /) -> Any:
        self.status, self.headers = int(status[:3]), [*headers, *self.ours]

    @contextlib.contextmanager
    def of(self, application: WSGIApplication, environ: WSGIEnvironment) -> Iterator[Iterable[bytes]]:
        chunks = application(environ, self.start)
        try:
            yield chunks
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()

    def begin(self, chunks: Iterable[bytes]) -> None:
        """Keep what was answered as the beginning of more, of unknown length."""
        self.beginning = b"".join(chunks)
        self.headers = [(name, value) for name, value in self.headers if name.lower() != "content-length"]


def environment(scope: Any) -> dict[str, Any]:
    """The request as WSGI has it (PEP 3333), without its body. A header with `_` could pass for another: it goes."""
    host, _, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" not in name:
            key = name.upper().replace("-", "_")
            key = key if key in CGI else f"HTTP_{key}"
            environ[key] = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}" if key in environ else value
    return environ


async def read(environ: WSGIEnvironment, protocol: Any) -> bytes | None:
    """The body, but no more than one byte beyond its path's cap, by which it is known for too large.

    None where what it announces is too much already. Raises TimeoutError when it takes too long to come.
    """
    length = environ.get("CONTENT_LENGTH", "")
    if not length and "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    cap = cap_for(environ["PATH_INFO"])
    if length.isdigit() and int(length) > cap:
        return None
    async with asyncio.timeout(BODY_SECONDS):
        if length.isdigit():
            return bytes(await protocol())
        body = bytearray()
        async for chunk in protocol:
            body += chunk
            if len(body) > cap:
                break
    return bytes(body[: cap + 1])
