"""What a call takes, what it gives away, and what it never does."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from email.utils import formatdate
from pathlib import Path

import pytest
import requests

from massivemusic import errors
from massivemusic.wire import exchange, open_session, trust
from tests.massivemusic.behaviours import MORE, OK, THE_36, Behaviour
from tests.massivemusic.conftest import POLITE, ClientTo, a_platform, ask
from tests.massivemusic.stage import Stage, answer, says

HEAVY = [
    behaviour
    for behaviour in THE_36 + MORE
    if behaviour.name.startswith(("endless", "compressed", "gzip twice", "gzip of nothing", "redirect without"))
]


@pytest.mark.parametrize("behaviour", HEAVY, ids=lambda behaviour: behaviour.name)
def test_holds_no_more_than_it_must(behaviour: Behaviour, client_to: ClientTo) -> None:
    assert behaviour.play is not None
    with Stage(behaviour.play) as stage:
        client = client_to(stage.origin, total_seconds=5)
        tracemalloc.start()
        try:
            with pytest.raises(errors.PlatformError):
                ask(client)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 20 * 2**20


LOCATIONS = [
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://localhost:{port}/",
    "http://0.0.0.0:{port}/",
    "http://user:word@127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "/1.2/status",
    "?again=1",
    "file:///etc/passwd",
    "https://127.0.0.1:{port}/",
    "http://2130706433:{port}/",
]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("status", [301, 303, 307, 308])
def test_follows_no_redirect(location: str, status: int, client_to: ClientTo, trap: Stage) -> None:
    where = location.format(port=trap.port)
    with Stage(says(answer(f"{status} Elsewhere", "", f"Location: {where}"), keep=True)) as stage:
        with pytest.raises(errors.Redirected):
            ask(client_to(stage.origin))
        assert (len(stage.heard), trap.connections) == (1, 0)


def test_asks_the_environment_nothing(
    client_to: ClientTo, trap: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, trap.origin)
    monkeypatch.setenv("no_proxy", "")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Stage(POLITE) as stage:
        assert ask(client_to(stage.origin)) == 200
        assert stage.heard[0].headers["authorization"].startswith("OAuth ")
    assert trap.connections == 0


def test_takes_no_cookies() -> None:
    with Stage(says(answer("200 OK", OK, "Set-Cookie: a=b; Path=/"), keep=True)) as stage:
        platform = a_platform(stage.origin)
        with open_session(trust()) as session:
            for _ in range(2):
                exchange(session, requests.Request("GET", platform.api_url).prepare(), "", platform)
            assert len(session.cookies) == 0
        assert [heard.headers.get("cookie") for heard in stage.heard] == [None, None]


def test_says_who_it_is_and_what_it_takes(client_to: ClientTo) -> None:
    with Stage(POLITE) as stage:
        client_to(stage.origin).call("GET", "/status", accept="application/xml")
        headers = stage.heard[0].headers
    assert headers["user-agent"] == "Tonearm/0.1.0"
    assert (headers["accept"], headers["accept-encoding"]) == ("application/xml", "gzip")


ENCODED = [
    ("gzip, gzip", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), "content encoding"),
    ("br", b"{}", "content encoding"),
    ("gzip", b"{}", "gzip is broken"),
    ("gzip", gzip.compress(b"{}", mtime=0)[:10], "not one whole member"),
    ("gzip", gzip.compress(b"{}", mtime=0) * 2, "not one whole member"),
]


@pytest.mark.parametrize(("encoding", "body", "flaw"), ENCODED)
def test_names_a_wrong_encoding(encoding: str, body: bytes, flaw: str, client_to: ClientTo) -> None:
    play = says(answer("200 OK", body, f"Content-Encoding: {encoding}"))
    with Stage(play) as stage, pytest.raises(errors.Unreadable, match=flaw):
        ask(client_to(stage.origin))


@pytest.mark.parametrize("off", [-300, 0, 300])
def test_measures_the_skew_of_the_clocks(off: int, client_to: ClientTo) -> None:
    date = formatdate(time.time() + off, usegmt=True)
    with Stage(says(answer("200 OK", OK, f"Date: {date}"))) as stage:
        client = client_to(stage.origin)
        assert client.skew_seconds is None
        ask(client)
        assert client.skew_seconds == pytest.approx(off, abs=1.5)


@pytest.mark.parametrize("date", ["", "yesterday", "Wed, 99 Oct 2015 07:28:00 GMT", "1" * 5000])
def test_takes_no_clock_from_nonsense(date: str, client_to: ClientTo) -> None:
    with Stage(says(answer("200 OK", OK, f"Date: {date}"))) as stage:
        client = client_to(stage.origin)
        assert ask(client) == 200
        assert client.skew_seconds is None
