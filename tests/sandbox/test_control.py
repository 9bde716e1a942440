"""The control door, beyond what the other tests use of it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import requests

from sandbox.instants import parse
from tests.sandbox.platform import ROOT, Database, Partner, Platform, error_of, iso


@pytest.fixture
def fresh(var_dir, database: Database):
    """A stand-in whose memory may be wiped."""
    own = Database(server=os.environ["DATABASE_URL"], name=f"sandbox_fresh_{os.getpid()}")
    own.create()
    platform = Platform(database=own, var_dir=var_dir)
    platform.prepare()
    platform.start()
    yield platform
    platform.stop()
    own.drop()


def test_journal_shows_all_kinds_or_one_and_what_came_after(partner: Partner):
    user_id = partner.subscriber()
    platform = partner.platform
    ours = platform.journal(userId=user_id)
    assert [line["kind"] for line in ours] == ["users", "subscriptions"]
    assert ours[0]["seq"] < ours[1]["seq"]
    after = platform.control("GET", f"journal?kind=subscriptions&after={ours[1]['seq'] - 1}")
    assert after.json()["userId"] == user_id
    assert platform.control("GET", f"journal?after={ours[1]['seq']}").text == ""


@pytest.mark.parametrize("query", ["kind=everything", "after=x", "after=-1", "after=" + "9" * 30])
def test_journal_refuses_what_it_does_not_understand(platform: Platform, query: str):
    assert platform.control("GET", f"journal?{query}").status_code == 400


def test_describes_audio_or_says_why_not(platform: Platform):
    track = platform.track()
    facts = platform.control("GET", f"audio/{track}/26").json()
    assert sorted(facts) == ["bytes", "content_type", "duration_seconds", "sha256"]
    assert platform.control("GET", "audio/1/26").status_code == 404
    assert platform.control("GET", f"audio/{track}/10").status_code == 400


KNOCK = """
import django; django.setup()
from django.test import RequestFactory
from sandbox.views.control import clear_faults
knocks = [RequestFactory().delete("/", REMOTE_ADDR=caller) for caller in ("192.0.2.1", "", "::1")]
print(*[clear_faults(knock).status_code for knock in knocks])
"""


def test_is_closed_to_other_machines(platform: Platform):
    """The server listens on one address alone, and the door looks again."""
    with pytest.raises(requests.ConnectionError):
        requests.get(platform.url.replace("127.0.0.1", "127.0.0.2"), timeout=2)
    environment = platform.environment | {"DJANGO_SETTINGS_MODULE": "sandbox.settings"}
    command = [sys.executable, "-c", KNOCK]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "403 403 204\n"


def test_clock_and_reset(fresh: Platform):
    """The clock moves the date rules and nothing else; a reset forgets everything but the shelves."""
    partner = Partner(fresh)
    track, user_id = fresh.track(), partner.subscriber()
    assert partner.stream(user_id, track).status_code == 200

    month = 31 * 86400
    told = parse(fresh.control("POST", "clock", {"offset_seconds": month}).json()["now"])
    assert abs(told - datetime.now(UTC) - timedelta(seconds=month)) < timedelta(seconds=5)
    assert error_of(partner.stream(user_id, track))[:2] == (403, 2002)
    assert partner.stream(partner_renewed(partner, user_id, month), track).status_code == 200
    coming = fresh.releases(pre_release=False)
    assert len(coming) == 40, "what was to come has come"
    for order in ({"offset_seconds": "x"}, {"offset_seconds": True}, {"offset_seconds": 1e12}, {}, []):
        assert fresh.control("POST", "clock", order).status_code == 400

    fresh.order("slow", "/1.2/nothing")
    shelves = [release["id"] for release in fresh.releases()]
    assert fresh.control("POST", "reset").status_code == 204
    assert fresh.journal() == []
    assert fresh.control("GET", "faults").json() == {"faults": []}
    assert [release["id"] for release in fresh.releases()] == shelves
    assert error_of(partner.stream(user_id, track))[:2] == (403, 2002)
    partner.request("GET", "/1.2/user/create", userId=user_id, country="GB")
    (line,) = fresh.journal()
    assert (line["seq"], line["call"]) == (1, 1)
    assert abs(parse(line["at"]) - datetime.now(UTC)) < timedelta(seconds=5)
    partner.close()


def partner_renewed(partner: Partner, user_id: str, offset: float) -> str:
    start = datetime.now(UTC) + timedelta(seconds=offset)
    expiry = iso(start + timedelta(days=2))
    assert partner.subscribe(user_id, currentPeriodStartDate=iso(start), expiryDate=expiry).status_code == 200
    return user_id


def test_reads_no_rubbish(platform: Platform):
    for path in ("faults", "publish", "clock"):
        answer = requests.post(f"{platform.url}/_control/{path}", data=b"\xff{", timeout=5)
        assert (answer.status_code, answer.json()) == (400, {"error": "the body is a JSON object"})
