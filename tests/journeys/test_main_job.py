"""The main job, end to end, as `make run` shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests

from tests.guard import kept_below, leaks
from tests.journeys.conftest import ROOT, House, a_house, eventually


def test_every_step_of_the_journey_holds(house: House) -> None:
    demo = subprocess.run(
        [sys.executable, "manage.py", "demo"],
        cwd=ROOT,
        env=house.environment
        | {"DATABASE_URL": house.postgres.url("tonearm"), "REDIS_URL": house.valkey.url()},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert demo.returncode == 0, demo.stdout + demo.stderr + house.said()[-5000:]
    assert "every step held, 18 of 18" in demo.stdout
    assert "✗" not in demo.stdout


def test_it_holds_a_second_time_on_the_same_data(house: House) -> None:
    for _, step in house.journey().steps():
        assert step()


def test_it_reports_itself_well(house: House) -> None:
    def well() -> bool:
        return bool(requests.get(f"{house.web}/readyz", timeout=5).json()["status"] == "ok")

    assert eventually(well, seconds=60, what="readyz says ok")


def test_the_doctor_finds_it_well(house: House) -> None:
    done = house.consult()

    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "✓ worker         1 answered within 1 s",
        "✓ event keys     1 readable: 2048 bits",
        "✓ platform       answers · its clock agrees with ours",
        "✓ standard feed  the last event came",
    ):
        assert line in done.stdout
    assert "nothing needs a person" in done.stdout


def test_its_gauges_are_read_with_the_token_it_made_for_itself(house: House) -> None:
    token = (house.home / "keys" / "metrics_token").read_text()

    refused = requests.get(f"{house.web}/metrics", timeout=5)
    read = requests.get(f"{house.web}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=5)

    assert (refused.status_code, read.status_code) == (401, 200)
    assert "tonearm_up 1.0\n" in read.text


def test_no_secret_is_written_to_any_log(house: House) -> None:
    assert len(house.said()) > 1000
    assert len(list(kept_below(house.home))) > 5
    assert leaks(house.said(), known=kept_below(house.home)) == []


@pytest.fixture
def own_house() -> Iterator[House]:
    """A house that its test may end."""
    with a_house() as own_house:
        yield own_house


def test_ctrl_c_stops_everything_and_leaves_nothing_behind(own_house: House) -> None:
    assert len(own_house.pids()) >= 6

    seconds = own_house.stop()

    assert seconds < 10
    assert own_house.process.returncode == 0
    assert own_house.pids() == []
    assert not own_house.postgres.alive()
    assert not own_house.valkey.alive()


def test_kill_9_of_the_keeper_takes_everything_with_it(own_house: House) -> None:
    own_house.process.kill()
    own_house.process.wait()

    def gone() -> bool:
        return not own_house.pids() and not own_house.postgres.alive() and not own_house.valkey.alive()

    eventually(gone, seconds=60, what="everything is gone")


def test_a_taken_port_is_named(house: House) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT, env=house.environment, capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip

    assert done.returncode != 0
    assert f"port {house.port} is taken; set PORT" in done.stderr


@pytest.mark.parametrize(("size", "answer"), [(0, "/plan_code"), (60_000, "/plan_code"), (100_000, "too_large")])
def test_a_body_in_chunks_is_read_like_any_other(house: House, size: int, answer: str) -> None:
    account = {"email": f"{uuid4()}@example.org", "password": f"correct-{uuid4()}", "country": "GB"}
    signup = requests.post(
        f"{house.web}/_allauth/app/v1/auth/signup",
        data=iter([json.dumps(account).encode()]), headers={"Content-Type": "application/json"}, timeout=10,
    )  # fmt: skip
    assert signup.status_code == 200
    token = signup.json()["meta"]["access_token"]

    body = iter([b'{"plan_code": "none",', b" " * size, b'"activated_at": 7}'])
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    check = requests.post(f"{house.web}/api/v1/subscriptions/check", data=body, headers=headers, timeout=10)

    assert answer in check.text
