"""Whatever bytes come back, a call ends in an answer or in a PlatformError that says doubt."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from massivemusic.answers import Answer
from massivemusic.client import Client
from massivemusic.errors import PlatformError, Unreachable
from tests.massivemusic.behaviours import OK
from tests.massivemusic.conftest import a_platform
from tests.massivemusic.stage import Heard, Stage, answer

PARTS = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 ", b"HTTP/9.9 200\r\n", b"\r\n", b"\r\n\r\n", b"429", b"302", b"204",
    b"Content-Length: ", b"5", b"-5", b"\xb2", b"Content-Encoding: gzip\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n", b"Date: ", b"Retry-After: ", b"Set-Cookie: a=b\r\n", b"Location: http://[\r\n",
    b"0\r\n\r\n", b"\0", b": ", b"\xff\xfe", b" folded\r\n", OK.encode(),
]  # fmt: skip
soup = st.lists(st.sampled_from(PARTS) | st.binary(max_size=6), max_size=10).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good answer with something else in its middle."""
    whole = answer("200 OK", OK, "Content-Type: application/json", "Date: Sat, 21 Nov 2026 12:00:00 GMT")
    start, end = sorted((draw(st.integers(0, len(whole))), draw(st.integers(0, len(whole)))))
    return whole[:start] + draw(soup) + whole[end:]


class Script:
    """A stage whose next line can be changed while it runs."""

    line = b""

    def play(self, sock: socket.socket, heard: Heard) -> None:
        sock.sendall(self.line)


@pytest.fixture(scope="module")
def scripted() -> Iterator[tuple[Script, Client]]:
    script = Script()
    with Stage(script.play) as stage:
        client = Client(a_platform(stage.origin))
        yield script, client
        client.close()


@given(soup | damaged())
@example(b"")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 7\r\n\r\nhello")
@example(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_reply_is_understood_or_named(scripted: tuple[Script, Client], line: bytes) -> None:
    script, client = scripted
    script.line = line
    said: Answer | PlatformError
    try:
        said = client.call("GET", "/status")
    except PlatformError as error:
        said = error
    assert not isinstance(said, Unreachable)
    assert not isinstance(said, PlatformError) or said.__context__ is None or said.__suppress_context__
