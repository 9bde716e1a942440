"""`manage.py doctor` names what needs a person, goes on where something is away, and keeps every secret."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from catalogue.models import Track
from config import checks, doctor
from config.checks import Finding, Level, spoken
from kernel.values import rfc3339
from outbox.models import Circuit, Heartbeat
from outbox.platform import platform
from tests.config.conftest import Make
from tests.config.test_settings import ROOT, django
from tests.helpers import Api, play
from tests.massivemusic.behaviours import OK, error_json
from tests.massivemusic.forge import pem
from tests.massivemusic.stage import Play, Stage, answer, says, silent
from tests.sandbox.platform import Platform
from usage.actions import batch_all_waiting_plays, settle_batch
from usage.models import PlayBatch, PlayState

pytestmark = pytest.mark.django_db


def seen(finding: Finding) -> tuple[str, str]:
    return finding.level.value, finding.text


# --- the whole --------------------------------------------------------------------------------


def consult(*words: str) -> tuple[str, int]:
    """What the doctor says, and its exit status."""
    out = io.StringIO()
    try:
        call_command("doctor", *words, stdout=out, no_color=True)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


def test_reads_out_a_line_for_each_check_and_the_verdict() -> None:
    Heartbeat.objects.create(name="outbox.sweep")

    said, status = consult()

    lines = said.splitlines()
    assert lines[1] == "  Tonearm, looked over"
    assert [line[4:18].strip() for line in lines[3:-3]] == [name for name, _, _ in doctor.looks()]
    assert "  ✓ migrations     all applied" in lines
    assert "  ✗ worker         none answered within 1 s" in lines
    assert re.fullmatch(r"  1 of 17 needs a person, 4 worth a look · \d\.\d s", lines[-2])
    assert status == 1


def test_looks_at_the_bucket_where_plays_go_there(settings: Settings) -> None:
    settings.USAGE_CHANNEL = "bucket"
    Circuit.objects.create(name="bucket", failures=6, open_until=timezone.now())

    found = dict(doctor.examination())

    assert seen(found["bucket"]) == ("ill", "open after 6 failed calls in a row")
    assert seen(found["breaker"]) == ("well", "closed")


def test_says_the_same_to_machines() -> None:
    said, status = consult("--json")

    whole = json.loads(said)
    assert (whole["status"], status) == ("ill", 1)
    assert list(whole["checks"]) == [name for name, _, _ in doctor.looks()]
    assert whole["checks"]["beat"] == {"level": "ill", "text": "the outbox was never swept", "age_seconds": None}
    assert whole["checks"]["migrations"] == {"level": "well", "text": "all applied", "missing": 0}


@pytest.mark.django_db(transaction=True)
def test_goes_on_without_postgresql(no_database: None) -> None:
    found = dict(doctor.examination())

    assert found["database"].level is Level.ILL
    assert "Connection refused" in found["database"].text
    assert found["broker"].level is Level.WELL
    hidden = {name for name, finding in found.items() if finding.level is Level.UNSEEN}
    assert hidden == {
        "migrations", "beat", "breaker", "images", "outbox", "plays", "shop", "inbox", "dead events",
        "standard feed", "enhanced feed",
    }  # fmt: skip
    assert {found[name].text for name in hidden} == {"cannot be seen without the database"}


def test_goes_on_without_valkey(no_valkey: None) -> None:
    found = dict(doctor.examination())

    assert found["broker"].level is Level.ILL
    assert seen(found["worker"]) == ("unseen", "cannot be seen without the broker")
    assert found["outbox"].level is Level.WELL


CANARIES = {
    "SECRET_KEY": "canary-of-django-" + "abcdefghij0123456789" * 3,
    "DATABASE_URL": "postgres://tonearm:canary-of-postgresql@127.0.0.1:9/tonearm",
    "REDIS_URL": "redis://:canary-of-valkey@127.0.0.1:9/0",
    "MASSIVEMUSIC_API_URL": "https://127.0.0.1:9/1.2",
    "MASSIVEMUSIC_CONSUMER_KEY": "canary-of-the-key",
    "MASSIVEMUSIC_CONSUMER_SECRET": "canary-of-the-secret",
    "USAGE_BUCKET_KEY_ID": "canary-of-the-bucket",
    "USAGE_BUCKET_SECRET": "canary-of-the-buckets-secret",
    "BILLING_STANDARD_SECRETS": "whsec_Y2FuYXJ5LW9mLWJpbGxpbmctMDEyMzQ1Njc4OWFiY2RlZg==",
    "METRICS_TOKEN": "canary-of-prometheus",
}


@pytest.mark.parametrize("reachable", [True, False])
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_tells_no_secret(reachable: bool, words: list[str]) -> None:
    real = {"DATABASE_URL": os.environ["DATABASE_URL"], "REDIS_URL": passworded(os.environ["REDIS_URL"])}
    done = django("doctor", *words, **CANARIES | (real if reachable else {}))

    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "enhanced feed" in said
    assert not re.search("canary|whsec_|Y2FuYXJ5|PRIVATE", said)


def passworded(url: str) -> str:
    """The same Valkey, asked with a password that it does not know."""
    return url.replace("unix://", "unix://:canary-of-valkey@", 1)


def manage(**environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py doctor` as an operator calls it, knowing nothing of the test's servers."""
    command, path = [sys.executable, "manage.py", "doctor"], {"PATH": os.environ["PATH"]}
    return subprocess.run(command, cwd=ROOT, env=path | environment, capture_output=True, text=True, check=False)


def test_looks_for_servers_and_starts_none(tmp_path: Path) -> None:
    done = manage(VAR_DIR=str(tmp_path))

    assert done.returncode == 1
    assert "✗ database" in done.stdout
    assert "✗ broker" in done.stdout
    assert not (tmp_path / "postgres").exists()


def test_settings_that_are_missing_altogether_are_named_in_one_line(tmp_path: Path) -> None:
    done = manage(VAR_DIR=str(tmp_path), ENVIRONMENT="production")

    assert done.returncode == 1
    assert re.fullmatch(r"tonearm: set these environment variables: .*SECRET_KEY.*\n", done.stderr)


# --- settings ---------------------------------------------------------------------------------


def test_settings_that_leave_a_door_away_are_named(settings: Settings) -> None:
    assert seen(doctor.configuration()) == ("well", "development")

    settings.METRICS_TOKEN, settings.BILLING_STANDARD_SECRETS = "", []
    level, text = seen(doctor.configuration())
    assert level == "warning"
    assert "METRICS_TOKEN is not set" in text
    assert "BILLING_STANDARD_SECRETS is not set" in text


def test_settings_that_django_complains_of_are_named_in_production(settings: Settings) -> None:
    settings.PRODUCTION, settings.DEBUG = True, True

    level, text = seen(doctor.configuration())

    assert level == "warning"
    assert "security.W018" in text


# --- the platform -----------------------------------------------------------------------------


@pytest.fixture
def stage(settings: Settings) -> Iterator[Callable[[Play], None]]:
    """Let a server of our own play the platform."""
    stages: list[Stage] = []

    def play_it(behaviour: Play) -> None:
        stages.append(Stage(behaviour))
        patience = {"total_seconds": 1 if behaviour is silent else 5}
        settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {"api_url": stages[-1].origin} | patience
        platform.cache_clear()

    yield play_it
    platform.cache_clear()
    for stage in stages:
        stage.__exit__(None, None, None)


def dated(seconds: float) -> str:
    """The Date header of a server whose clock is ahead of ours by so much."""
    return f"Date: {format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)}"


def test_a_platform_that_answers_is_well(sandbox: Platform) -> None:
    assert seen(doctor.platform_answers()) == ("well", "answers · its clock agrees with ours")


@pytest.mark.parametrize(
    ("skew", "level", "text"),
    [
        (50, "well", "answers · its clock is 4. s ahead of ours"),
        (62, "warning", "answers · its clock is 6. s ahead of ours"),
        (-400, "warning", "answers · its clock is 6 min behind ours"),
    ],
)
def test_a_platform_with_another_clock_is_noticed(stage: Any, skew: int, level: str, text: str) -> None:
    stage(says(answer("200 OK", OK, dated(skew))))

    found = doctor.platform_answers()

    assert found.level == level
    assert re.fullmatch(text, found.text)
    assert found.facts["skew_seconds"] == pytest.approx(skew, abs=2)


@pytest.mark.parametrize(
    ("behaviour", "level"),
    [
        (silent, "warning"),
        (says(answer("500 Oops", error_json(9001, "in trouble"))), "warning"),
        (says(answer("401 No", "OAuth authentication error")), "ill"),  # nobody but a person mends a key
    ],
)
def test_a_platform_that_does_not_answer_well_is_said_so(stage: Any, behaviour: Play, level: str) -> None:
    stage(behaviour)

    assert doctor.platform_answers().level == level


def test_being_offline_is_no_more_than_a_warning() -> None:
    assert seen(doctor.platform_answers()) == ("warning", "no connection: Connection refused")


# --- events -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "level", "text"),
    [
        (40, "well", "the last event came 40 s ago"),
        (3 * 3600, "well", "the last event came 3 h ago"),
        (24 * 3600, "warning", "no event for 24 h"),
        (72 * 3600, "warning", "no event for 3 days"),
    ],
)
def test_a_feed_that_has_fallen_silent_is_noticed(catalogue_event: Make, age: int, level: str, text: str) -> None:
    catalogue_event(age)

    assert seen(doctor.feed("standard")) == (level, text)
    assert seen(doctor.feed("enhanced")) == ("warning", "no event was ever received")


def test_how_long_a_feed_may_be_silent_is_a_setting(catalogue_event: Make, settings: Settings) -> None:
    settings.CATALOGUE_SILENCE_HOURS = 2
    catalogue_event(2 * 3600)

    assert seen(doctor.feed("standard")) == ("warning", "no event for 2 h")


def test_a_dead_event_needs_a_person_and_one_applied_in_part_a_look(catalogue_event: Make, billing_event: Make) -> None:
    assert doctor.dead_events().level is Level.WELL

    catalogue_event(state="PARTLY")
    assert seen(doctor.dead_events()) == ("warning", "0 of billing, 0 of the catalogue · 1 applied in part")

    billing_event(state="DEAD")
    assert seen(doctor.dead_events()) == ("ill", "1 of billing, 0 of the catalogue · 1 applied in part")


def test_event_keys_are_counted_and_measured(settings: Settings, tmp_path: Path) -> None:
    settings.CATALOGUE_EVENT_PUBLIC_KEYS = []
    assert doctor.event_keys().level is Level.WARNING

    paths = []
    for bits in (2048, 3072):
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        paths.append(str(tmp_path / f"{bits}.pem"))
        Path(paths[-1]).write_bytes(pem(key.public_key()))
    settings.CATALOGUE_EVENT_PUBLIC_KEYS = paths
    assert seen(doctor.event_keys()) == ("well", "2 readable: 2048 bits, 3072 bits")

    Path(paths[1]).write_text("no key")
    assert seen(doctor.event_keys()) == ("ill", f"{paths[1]}: no public key (ValueError)")

    Path(paths[1]).unlink()
    assert seen(doctor.event_keys()) == ("ill", f"{paths[1]}: no public key (FileNotFoundError)")


# --- plays ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "level"), [(44, "well"), (46, "ill")])
def test_a_play_that_is_about_to_grow_too_old_needs_a_person(
    api: Callable[[Listener], Api], subscriber: Listener, track: Track, days: int, level: str
) -> None:
    at = rfc3339(timezone.now() - timedelta(days=days))
    api(subscriber).post("plays", {"plays": [play(track.pk, played_at=at, release_id=track.release_id)]})

    assert seen(doctor.plays()) == (level, f"the oldest unsent was played {days} days ago · batches in doubt: 0")

    batch_all_waiting_plays()
    settle_batch(PlayBatch.objects.get().pk, PlayBatch.State.IN_DOUBT, PlayState.IN_DOUBT)
    assert doctor.plays().facts["in_doubt"] == 1


def test_batches_in_doubt_are_worth_a_look(listener: Listener) -> None:
    PlayBatch.objects.create(listener=listener, country="GB", size=1, state="IN_DOUBT")

    assert seen(doctor.plays()) == ("warning", "all sent · batches in doubt: 1")


# --- in words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 days")],
)
def test_durations_are_spoken_in_one_unit(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_counts_that_stop_are_said_to_stop() -> None:
    assert [checks.many(count) for count in (7, 10_000, 10_001)] == ["7", "10000", "more than 10000"]
