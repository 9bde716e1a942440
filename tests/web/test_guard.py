"""The guard over what the tests print and log: it bites, and it tells nobody the secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guard import leaks

ROOT = Path(__file__).resolve().parents[2]
SECRETS = [
    "GET /stream/subscription?userId=u&oauth_consumer_key=k&oauth_nonce=abc",
    "GET /stream/subscription?userId=u&oauth_signature=aGVsbG8%3D",
    "Authorization: Bearer 0123456789abcdef0123",
    "token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "{'email': 'a@example.org', 'password': 'hunter2'}",
    "password=hunter2",
    "-----BEGIN RSA PRIVATE KEY-----",
]
HARMLESS = [
    "",
    "GET /stream/subscription 200",
    "?[redacted] and oauth_signature=[redacted], Bearer [redacted], password: [redacted]",
    "the bearer token is missing",
    "the password is too short",
]
LEAKS = """
import logging, sys

def test_logs(): logging.getLogger("x").warning("for %s", {secret!r})
def test_prints(): print({secret!r})
def test_complains(): print({secret!r}, file=sys.stderr)
def test_is_silent(): print("nothing")
"""


@pytest.mark.parametrize("text", SECRETS)
def test_knows_a_secret(text: str) -> None:
    assert leaks(f"before {text} after")


@pytest.mark.parametrize("text", HARMLESS)
def test_knows_what_is_none(text: str) -> None:
    assert leaks(text) == []


def test_knows_this_installations_own() -> None:
    assert leaks("…hush…", known=["hush"]) == ["a secret of this installation"]


def test_bites(tmp_path: Path) -> None:
    secret = SECRETS[1]
    (tmp_path / "test_leaks.py").write_text(LEAKS.format(secret=secret))
    command = [sys.executable, "-m", "pytest", "-p", "tests.guard", "-p", "no:cacheprovider", "-c", "/dev/null", "-rA"]
    here = {name: value for name, value in os.environ.items() if name != "CI"}  # where pytest says everything twice
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, env=here, capture_output=True, text=True, check=False)

    assert "3 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("has let slip, while it ran or was set up: a signature") == 3


def test_watches_this_very_run(request: pytest.FixtureRequest) -> None:
    assert request.config.pluginmanager.has_plugin("tests.guard")
