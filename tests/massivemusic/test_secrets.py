"""No secret, signature or query in what anybody may read: errors, tracebacks, logs."""

from __future__ import annotations

import base64
import contextlib
import logging
import re
import socket
import traceback
from collections.abc import Iterator
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import HTTPError

from massivemusic.answers import understand
from massivemusic.client import Client
from massivemusic.errors import PlatformError, presentable
from massivemusic.streaming import online_stream_url
from massivemusic.usage import log_plays
from tests.massivemusic.behaviours import MORE, THE_36, Behaviour, error_json, error_xml
from tests.massivemusic.conftest import KEY, SECRET, ClientTo
from tests.massivemusic.stage import Heard, Play, Stage, answer, closed_port, says
from tests.massivemusic.test_behaviours import PLAYS

LISTENER = "canary-listener"


def echo(status: str, template: str, *headers: str) -> Play:
    """A server that repeats what it was sent, as debugging servers do."""

    def play(sock: socket.socket, heard: Heard) -> None:
        authorization = heard.headers["authorization"].replace('"', "'")
        signature = unquote(authorization.split("oauth_signature='")[1].split("'")[0])
        query = heard.target.partition("?")[2]
        base = f"POST&{quote('http://h/1.2', safe='')}&{quote(query, safe='')}%26{quote(authorization, safe='')}"
        words = f"{authorization} | {signature} | {quote(signature, safe='')} | {query} | {heard.target} | {base}"
        sock.sendall(
            answer(status, template.replace("ECHO", words), *(line.replace("ECHO", words) for line in headers))
        )

    return play


ECHOES = [
    Behaviour("echo in a 401", echo("401 No", "OAuth authentication error: ECHO")),
    Behaviour("echo in a verdict", echo("400 No", error_json(1002, "ECHO"))),
    Behaviour("echo in xml", echo("200 OK", error_xml(2001, "ECHO").replace("&", "&amp;"))),
    Behaviour("echo in a batch", echo("400 No", '{"error":{"code":1008},"errors":[{"index":0,"message":"ECHO"}]}')),
    Behaviour("echo in a gateway's text", echo("502 Bad", "upstream failed for ECHO")),
    Behaviour("echo in a header", echo("200 OK", "x", "X-Echo: ECHO", "Retry-After: ECHO", "Date: ECHO")),
    Behaviour("echo in no header", echo("200 OK", "x", ": ECHO", "ECHO", " ECHO")),
    Behaviour("echo in a status", echo("200 ECHO", "x")),
    Behaviour("echo as a status", echo("ECHO", "x")),
    Behaviour("echo as an encoding", echo("200 OK", "x", "Content-Encoding: ECHO")),
    Behaviour("echo as a length", echo("200 OK", "x", "Content-Length: ECHO", "Transfer-Encoding: ECHO")),
    Behaviour("echo in a redirect", echo("302 No", "x", "Location: ECHO")),
]  # fmt: skip
QUICK = [behaviour for behaviour in THE_36 + MORE if behaviour.play and behaviour.kind and not behaviour.slow]


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with contextlib.ExitStack() as stack:
        for name in (None, "urllib3", "urllib3.connectionpool", "urllib3.connection", "requests", "http.client"):
            stack.enter_context(caplog.at_level(logging.DEBUG, logger=name or ""))
        yield caplog


def report(client: Client) -> None:
    log_plays(client, user_id=LISTENER, country="GB", plays=PLAYS)


def all_words(error: PlatformError, logs: pytest.LogCaptureFixture) -> str:
    formatter = logging.Formatter("%(message)s %(args)s")
    told = [formatter.format(record) for record in logs.records]
    shown = [str(error), repr(error), repr(vars(error)), repr(error.__context__), *traceback.format_exception(error)]
    return "\n".join(told + shown)


@pytest.mark.parametrize("behaviour", QUICK + ECHOES, ids=lambda behaviour: behaviour.name)
def test_stay_ours(behaviour: Behaviour, client_to: ClientTo, everything_logged: pytest.LogCaptureFixture) -> None:
    assert behaviour.play is not None
    with Stage(behaviour.play) as stage:
        with pytest.raises(PlatformError) as caught:
            report(client_to(stage.origin))
        sent = stage.heard[0].headers["authorization"]
    words = all_words(caught.value, everything_logged)

    signature = unquote(re.findall(r'oauth_signature="([^"]+)"', sent)[0])
    assert len(base64.b64decode(signature)) == 20
    nonce = re.findall(r'oauth_nonce="([^"]+)"', sent)[0]
    for secret in (SECRET, quote(SECRET, safe=""), "canary", signature, quote(signature, safe=""), nonce, "country=GB"):
        assert secret not in words
    assert not isinstance(caught.value.__context__, OSError | HTTPError)


def test_the_logs_were_listened_to(client_to: ClientTo, everything_logged: pytest.LogCaptureFixture) -> None:
    with Stage(says(answer("200 OK", '{"playLogs":{"count":2}}'))) as stage:
        report(client_to(stage.origin))
        assert LISTENER in stage.heard[0].target
    told = [record.getMessage() for record in everything_logged.records]
    assert any('"POST /1.2/user/subscription/log HTTP/1.1" 200' in line for line in told)
    assert not any(LISTENER in line for line in told)


def test_stay_ours_when_nothing_was_sent(client_to: ClientTo, everything_logged: pytest.LogCaptureFixture) -> None:
    with closed_port() as port, pytest.raises(PlatformError) as caught:
        report(client_to(f"http://127.0.0.1:{port}"))
    words = all_words(caught.value, everything_logged)
    assert "canary" not in words
    assert "country=" not in words.replace('country="GB"', "")  # but for the source line in the traceback
    assert caught.value.__context__ is None


def test_stay_ours_in_the_values_themselves(client_to: ClientTo) -> None:
    client = client_to("http://127.0.0.1:9")
    url = online_stream_url(client, user_id="u", track_id=1, format_id=56, client_id="c", country="GB")
    assert "canary" not in repr(client.platform) + str(client.platform) + repr(client) + url
    assert KEY in repr(client.platform)


@given(st.binary(min_size=20, max_size=20), st.text(max_size=30), st.text(max_size=30))
def test_no_signature_is_presentable(digest: bytes, before: str, after: str) -> None:
    signature = base64.b64encode(digest).decode()
    for spelling in (signature, quote(signature, safe="")):
        shown = presentable(f"{before}{spelling}{after}")
        assert spelling not in shown
        assert len(shown) <= 300
        assert shown.isprintable()


def test_half_a_signature_is_not_presentable() -> None:
    signature = base64.b64encode(b"\xff" * 20).decode()
    for length in range(3970, 4000):
        assert "////" not in presentable(("x" * 9 + " ") * 1000 + signature)[:300]
        assert "////" not in presentable(" " * length + signature)


@pytest.mark.parametrize("status", [401, 404, 502])
def test_a_long_text_is_not_cut_inside_a_signature(status: int) -> None:
    signature = base64.b64encode(b"\xff" * 20).decode()
    for length in range(380, 4010):
        with pytest.raises(PlatformError) as caught:
            understand(status=status, body=("y=1&z=2 " * 600)[:length].encode() + b" " + signature.encode())
        assert "////" not in caught.value.detail


def test_what_is_harmless_is_shown() -> None:
    text = "Value for parameter dateTimePlayed is not valid: 2026-11-21T12:00:00Z (a/b, c=d)"
    assert presentable(text) == text
