"""In production nothing is made up, and what is missing is named at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.keys import make_signing_key
from config.logs import redact

ROOT = Path(__file__).resolve().parents[2]
COMPLETE = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "x" * 50 + "abcdefgh12345",
    "ALLOWED_HOSTS": "music.example.org",
    "JWT_PRIVATE_KEY": make_signing_key(),
    "DATABASE_URL": "postgres://u:p@db.example.org/tonearm",
    "REDIS_URL": "redis://:p@cache.example.org/0",
    "MASSIVEMUSIC_API_URL": "https://api.example.org/1.2",
    "MASSIVEMUSIC_STREAM_URL": "https://stream.example.org",
    "MASSIVEMUSIC_MEDIA_URL": "https://media.example.org",
    "MASSIVEMUSIC_PREVIEWS_URL": "https://previews.example.org",
    "MASSIVEMUSIC_IMAGE_URL": "https://images.example.org",
    "MASSIVEMUSIC_CONSUMER_KEY": "key",
    "MASSIVEMUSIC_CONSUMER_SECRET": "secret",
    "OFFLINE_KEY_SECRET": "k" * 50,
}


def django(*words: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "VAR_DIR": os.environ["VAR_DIR"],
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    environment |= {name: value for name, value in (COMPLETE | changes).items() if value is not None}
    command = [sys.executable, "-m", "django", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_complete_production_environment_passes_djangos_own_checks() -> None:
    done = django("check", "--deploy", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("markets", "good"), [("GB,DE", True), ("gb", False), ("XX", False), ("GB DE", False)])
def test_markets_are_countries(markets: str, good: bool) -> None:
    done = django("diffsettings", MARKETS=markets)

    assert (done.returncode == 0) == good
    assert ("MARKETS must be countries of two letters" in done.stderr) != good


@pytest.mark.parametrize(("environment", "wish", "good"), [
    ("production", "off", False), ("production", "perhaps", False), ("production", "required", True),
    ("development", "perhaps", False), ("development", "off", True),
])  # fmt: skip
def test_production_does_without_no_second_factor(environment: str, wish: str, good: bool) -> None:
    done = django("diffsettings", ENVIRONMENT=environment, ADMIN_SECOND_FACTOR=wish)

    assert (done.returncode == 0) == good
    assert ("ADMIN_SECOND_FACTOR must be required" in done.stderr) != good


BUCKET = {
    "USAGE_CHANNEL": "bucket",
    "USAGE_BUCKET": "plays",
    "USAGE_BUCKET_REGION": "eu-west-1",
    "USAGE_BUCKET_KEY_ID": "key",
    "USAGE_BUCKET_SECRET": "secret",
    "USAGE_BUCKET_PREFIX": "partner-7",
}


def test_the_bucket_is_needed_where_plays_go_by_it() -> None:
    done = django("check", "--deploy", "--fail-level", "WARNING", **BUCKET)
    assert done.returncode == 0, done.stderr

    for name in set(BUCKET) - {"USAGE_CHANNEL"}:
        assert django("check", **BUCKET | {name: ""}).stderr.splitlines()[-1].endswith(f": {name}")


def test_signing_in_elsewhere_is_configured_by_client_ids() -> None:
    ids = {f"SOCIAL_{name}_CLIENT_IDS": "phone,tablet" for name in ("GOOGLE", "APPLE", "OPENID")}

    done = django("check", "--deploy", "--fail-level", "WARNING", **ids, SOCIAL_OPENID_URL="https://id.example.org")
    assert done.returncode == 0, done.stderr
    assert "SOCIAL_OPENID_URL" in django("check", **ids).stderr.splitlines()[-1]


@pytest.mark.parametrize("name", sorted(set(COMPLETE) - {"ENVIRONMENT"}))
def test_whatever_is_missing_is_named(name: str) -> None:
    done = django("check", **{name: None})

    assert done.returncode != 0
    assert name in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "*"),
        ("MASSIVEMUSIC_API_URL", "http://api.example.org/1.2"),
        ("MASSIVEMUSIC_STREAM_URL", "http://stream.example.org"),
        ("USAGE_DOUBT", "maybe"),
        ("USAGE_CHANNEL", "pigeon"),
        ("USAGE_BUCKET_ENDPOINT", "http://bucket.example.org"),
        ("USAGE_BUCKET_PREFIX", "partner 7"),
        ("USAGE_FILE_PLAYS", "0"),
        ("USAGE_BATCH_SIZE", "501"),
        ("ENVIRONMENT", "staging"),
        ("EMAIL_VERIFICATION", "perhaps"),
        ("EXPORT_DAYS", "0"),
        ("NEW_DEVICES_PER_DAY", "0"),
        ("OFFLINE_LEASE_DAYS", "0"),
    ],
)
def test_an_unsafe_value_is_refused_by_name(name: str, value: str) -> None:
    done = django("check", **{name: value})

    assert done.returncode != 0
    assert name.lower().removeprefix("massivemusic_") in done.stderr.lower()


def test_every_variable_that_is_read_is_in_the_example() -> None:
    read = set()
    for path in [ROOT / "config" / "settings.py", *(ROOT / "config").rglob("*.py")]:
        read |= set(re.findall(r'(?:env\.\w+|required|environ\.get)\(\s*"([A-Z_]+)"', path.read_text()))
    listed = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert read - listed - {"FORCE_COLOR"} == set()


SECRETS = [
    "https://stream.example.org/stream/subscription?userId=7&oauth_signature=abc%3D&oauth_nonce=1",
    "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl refused",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    '{"password": "correct horse"}',
    "consumer_secret=topsecret&x=1",
    "DETAIL:  Key (email)=(ada.lovelace@example.org) already exists.",
    "no mail for ada.lovelace@example.org",
]


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_reaches_a_log_line(text: str) -> None:
    line = redact(f"something happened: {text}")

    for secret in ("abc%3D", "c2lnbmF0dXJl", "MfKQ9r8GKYq", "correct horse", "topsecret", "lovelace"):
        assert secret not in line
    assert line.startswith("something happened: ")


LONG = [
    "x",
    "?",
    "?a",
    "eyJ",
    "eyJaaaaaaaa.",
    "a@",
    "a.",
    "secret ",
    "secret",
    "bearer",
    "oauth_",
    "DETAIL:",
    "whsec_",
    " ",
]


def test_a_text_of_any_length_is_read_once() -> None:
    """A pattern that looked back would take hours, and hold up every thread of the process meanwhile."""
    code = f"from config.logs import redact\nfor piece in {LONG}: print(len(redact(piece * (2**20 // len(piece)))))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    assert [int(length) < 70_000 for length in done.stdout.split()] == [True] * len(LONG)


def test_the_start_of_a_long_text_is_kept_and_the_rest_counted() -> None:
    assert redact("so it began " + "x" * 2**20).startswith("so it began xxx")
    assert redact("x" * (2**16 + 7)).endswith("… and 7 characters more")
