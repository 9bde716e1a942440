"""Serving: granian around Django's WSGI handler, with one line of log per request."""

from __future__ import annotations

import ctypes
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

PR_SET_PDEATHSIG = 1
KILL_AFTER_SECONDS = 1  # a worker whose requests do not end with it is killed


def serve() -> None:
    """Serve until SIGTERM or SIGINT, then stop within two seconds, whatever hangs."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    from sandbox import keys

    if not (keys.folder() / "secret").exists():
        raise ImproperlyConfigured("not prepared yet: run `python -m sandbox prepare` first")
    if not is_free(settings.PORT):
        raise ImproperlyConfigured(f"port {settings.PORT} is taken; SANDBOX_PORT chooses another")
    announce(f"sandbox: serving on http://127.0.0.1:{settings.PORT}, Ctrl-C to stop")
    Server(
        "sandbox.server:application",
        factory=True,
        address="127.0.0.1",
        port=settings.PORT,
        interface=Interfaces.WSGI,
        workers=settings.WORKERS,
        blocking_threads=settings.THREADS,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
        workers_kill_timeout=KILL_AFTER_SECONDS,
    ).serve()


def is_free(port: int) -> bool:
    """Whether nobody listens there. Asked beforehand: granian would share the port with another granian."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def application() -> App:
    """What each worker runs."""
    die_with_parent()
    from django.core.wsgi import get_wsgi_application

    app = logged(get_wsgi_application())
    threading.Thread(target=warm_up, daemon=True).start()
    return app


def warm_up() -> None:
    """Load what requests need, so that the first one does not wait for it."""
    import_module("sandbox.urls")
    import_module("sandbox.audio.mix").hall()


def die_with_parent() -> None:
    """Have the kernel end this worker when its parent is gone, however that happened."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def logged(app: App) -> App:
    """Write method, path, status and milliseconds of each request when its last byte is handed over.

    Never the query string: it carries signatures and tickets.
    """

    def call(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started, status = time.perf_counter(), "-"

        def start(line: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            nonlocal status
            status = line.split(" ", 1)[0]
            return start_response(line, headers, *error)

        def log() -> None:
            elapsed = (time.perf_counter() - started) * 1000
            announce(f"{environ['REQUEST_METHOD']} {printable(environ['PATH_INFO'])} {status} {elapsed:.0f} ms")

        return Closing(app(environ, start), log)

    return call


class Closing:
    """An answer's body that calls `after` once it is closed."""

    def __init__(self, body: Iterable[bytes], after: Callable[[], None]) -> None:
        self.body, self.after = body, after

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.body)

    def close(self) -> None:
        try:
            close = getattr(self.body, "close", None)
            if close:
                close()
        finally:
            self.after()


def printable(path: str) -> str:
    """A path as one line of at most 200 plain characters."""
    return ascii(path)[1:-1][:200]


def announce(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
