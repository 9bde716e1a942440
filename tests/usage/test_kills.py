"""Submitters killed at random instants lose no play and count none twice, by either channel.

Besides KILLS and SEED of tests.usage.submitters, DEATHS=200 dies so often at each named point instead of ten times,
and TERMS=30 stops a worker so many times instead of twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Listener
from massivemusic.parquet import row_id
from tests.sandbox.platform import Platform, eventually
from tests.usage.crash_points import OF_A_CALL
from tests.usage.store import PREFIX, Store
from tests.usage.submitters import FOREVER, KILLS, ROOT, bury, by_calls, environment, finish, massacre, submitters
from usage.actions import batch_all_waiting_plays
from usage.models import Play, PlayBatch

pytestmark = pytest.mark.django_db(transaction=True)
DEATHS = int(os.environ.get("DEATHS", "10"))
TERMS = int(os.environ.get("TERMS", "2"))
CALL = 10  # plays
Played = Callable[..., list[Play]]


def told() -> bool:
    """Whether nothing is left to be sent."""
    return not Play.objects.filter(state__in=["WAITING", "SENDING"]).exists()


def states() -> dict[str, int]:
    return dict(Counter(Play.objects.values_list("state", flat=True)))


# --- by files -------------------------------------------------------------------------------------------


def by_files(store: Store, *, through_door: bool = False) -> dict[str, str]:
    place = store.settings(through_door=through_door)
    return {
        "USAGE_CHANNEL": "bucket",
        "USAGE_BUCKET": place["name"],
        "USAGE_BUCKET_ENDPOINT": place["endpoint"],
        "USAGE_BUCKET_REGION": place["region"],
        "USAGE_BUCKET_KEY_ID": place["key_id"],
        "USAGE_BUCKET_SECRET": place["secret"],
        "USAGE_BUCKET_PREFIX": PREFIX,
        "USAGE_FILE_PLAYS": "10",
    }


def test_by_files_nothing_is_lost_nothing_twice_and_nothing_in_doubt(
    played: Played, listener: Listener, store: Store
) -> None:
    with submitters(**by_files(store)) as them:
        plays = massacre(them, lambda: played(200, listener=listener), done=told)

    assert store.times() == Counter(row_id(listener.platform_id, play.play_id) for play in plays)
    assert states() == {"SENT": len(plays)}
    assert set(PlayBatch.objects.values_list("state", flat=True)) == {"SENT"}


@pytest.mark.parametrize(("way", "times"), [([], 1), (["files"], 2)], ids=["ours", "the naive way"])
def test_a_file_is_put_again_under_its_own_name_which_given_at_sending_would_be_another(
    played: Played, listener: Listener, store: Store, way: list[str], times: int
) -> None:
    """The naive way, and the reason why a name is fixed together with what it names."""
    with submitters(*way, **by_files(store)) as them:
        played(CALL, listener=listener)
        assert them.live(FOREVER, "deposited") == "killed"
        finish(them, done=told)

    assert set(store.times().values()) == {times}
    assert states() == {"SENT": CALL}


# --- by calls -------------------------------------------------------------------------------------------


@pytest.fixture
def known(subscriber: Listener, sandbox: Platform) -> Listener:
    """A subscriber whom the platform knows as one."""
    from tests.usage.test_report_plays import make_known

    make_known(subscriber, sandbox)
    return subscriber


@pytest.fixture
def more(known: Listener, sandbox: Platform, played: Played) -> Callable[[], list[Play]]:
    """More plays of a track that the platform has; their user agents tell them apart."""
    release = sandbox.release()
    track: dict[str, Any] = release["tracks"][0]
    return lambda: played(200, listener=known, track_id=track["id"], release_id=release["id"])


def journalled(sandbox: Platform) -> Counter[str]:
    return Counter(line["userAgent"] for line in sandbox.journal("plays"))


def test_by_calls_nothing_is_lost_nothing_twice_and_doubts_are_shown(
    more: Callable[[], list[Play]], sandbox: Platform
) -> None:
    with submitters(**by_calls(sandbox)) as them:
        plays = massacre(them, more, done=told)

    taken = journalled(sandbox)
    state_of = dict(Play.objects.values_list("user_agent", "state"))
    assert set(state_of.values()) <= {"SENT", "IN_DOUBT"}
    assert max(taken.values()) == 1
    assert set(taken) <= set(state_of)
    assert len(state_of) == len(plays)
    assert {agent for agent, state in state_of.items() if state == "SENT"} <= set(taken)
    assert PlayBatch.objects.filter(state="IN_DOUBT").count() <= KILLS


def test_at_each_point_of_a_call_nothing_is_lost_and_nothing_twice(
    more: Callable[[], list[Play]], sandbox: Platform
) -> None:
    """Whoever died after the point of no return leaves a doubt: nobody is left who knows how much had gone out."""
    doubted: dict[str, set[str]] = {}
    with submitters(**by_calls(sandbox)) as them:
        for point in OF_A_CALL:
            before = played_in("IN_DOUBT")
            for number in range(DEATHS):
                if number % 20 == 0:
                    more()
                assert them.live(FOREVER, point) == "killed"
                bury()
            finish(them, done=told)
            doubted[point] = played_in("IN_DOUBT") - before

    calling = {"connected", "half_body", "full_body", "reply_unread"}
    assert sizes(doubted) == {point: DEATHS * CALL * (point in calling) for point in OF_A_CALL}
    taken = journalled(sandbox)
    assert max(taken.values()) == 1
    assert played_in("SENT") <= set(taken)
    assert set(states()) == {"SENT", "IN_DOUBT"}
    heard = sizes({point: plays & set(taken) for point, plays in doubted.items()})
    assert heard.pop("full_body") % CALL == 0  # who hangs up before the answer was heard whole, or not at all
    assert heard == {point: DEATHS * CALL * (point == "reply_unread") for point in heard}


def played_in(state: str) -> set[str]:
    return set(Play.objects.filter(state=state).values_list("user_agent", flat=True))


def sizes(plays: dict[str, set[str]]) -> dict[str, int]:
    return {point: len(them) for point, them in plays.items()}


def test_sending_again_when_in_doubt_would_double(more: Callable[[], list[Play]], sandbox: Platform) -> None:
    """The other policy of USAGE_DOUBT."""
    with submitters(**by_calls(sandbox, USAGE_DOUBT="resend")) as them:
        more()
        assert them.live(FOREVER, "reply_unread") == "killed"
        finish(them, done=lambda: set(states()) == {"SENT"})

    assert Counter(journalled(sandbox).values()) == {1: 200 - CALL, 2: CALL}


# --- asked to stop --------------------------------------------------------------------------------------


def test_a_worker_that_is_asked_to_stop_finishes_its_file(played: Played, listener: Listener, store: Store) -> None:
    """As in a rolling deployment. A put takes a second here, and the signal comes in the middle of it."""
    plays: list[Play] = []
    command = [sys.executable, "-W", "ignore", "-m", "celery", "--app", "config", "worker", "--pool", "threads"]
    command += ["--concurrency", "2", "--without-mingle", "--without-gossip", "--loglevel", "ERROR"]
    for number in range(1, TERMS + 1):
        with subprocess.Popen(command, cwd=ROOT, env=environment(**by_files(store, through_door=True))) as worker:
            store.order("slow")
            plays += played(10, listener=listener)
            batch_all_waiting_plays()
            eventually(lambda number=number: len(store.door.seen) == number, seconds=30)  # type: ignore[misc]
            began = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
        assert time.monotonic() - began < 10
        assert states() == {"SENT": len(plays)}

    assert set(PlayBatch.objects.values_list("state", flat=True)) == {"SENT"}
    assert store.times() == Counter(row_id(listener.platform_id, play.play_id) for play in plays)
    assert [what for _, what in store.door.seen] == ["slow"] * TERMS
