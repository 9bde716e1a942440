"""One device at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.sandbox.platform import Partner, error_of, eventually


def plays(partner: Partner, user_id: str, track: int, device: str) -> bool:
    answer = partner.stream(user_id, track, clientId=device)
    if answer.status_code == 200:
        return True
    assert error_of(answer)[:2] == (403, 3201)
    return False


def test_devices_take_turns(partner, listener, track):
    """A plays, B takes over, A is blocked for a while, then A takes over and B is blocked."""
    assert plays(partner, listener, track, "A")
    assert plays(partner, listener, track, "A")
    began = time.monotonic()
    assert plays(partner, listener, track, "B")
    assert not plays(partner, listener, track, "A")
    assert plays(partner, listener, track, "B")
    eventually(lambda: plays(partner, listener, track, "A"))
    assert time.monotonic() - began >= 0.7, "the block lasts STREAM_BLOCK_SECONDS"
    assert not plays(partner, listener, track, "B")


def test_asking_again_does_not_lengthen_the_block(partner, listener, track):
    plays(partner, listener, track, "A")
    plays(partner, listener, track, "B")
    began = time.monotonic()
    eventually(lambda: plays(partner, listener, track, "A"), seconds=3)
    assert time.monotonic() - began < 1.9


def test_each_device_has_a_block_of_its_own(partner, listener, track):
    for device in ("A", "B", "C"):
        assert plays(partner, listener, track, device)
    assert not plays(partner, listener, track, "A")
    assert not plays(partner, listener, track, "B")


def test_a_displaced_device_finishes_its_track(partner, listener, track):
    url = partner.stream_url(listener, track, clientId="A")
    assert partner.fetch(url).status_code == 200
    assert plays(partner, listener, track, "B")
    assert partner.fetch(url, Range="bytes=1000-").status_code == 206


def test_a_refused_turn_does_not_use_up_the_url(partner, listener, track):
    plays(partner, listener, track, "A")
    plays(partner, listener, track, "B")
    url = partner.stream_url(listener, track, clientId="A")
    assert error_of(partner.fetch(url))[:2] == (403, 3201)
    assert eventually(lambda: partner.fetch(url).status_code == 200)


def test_does_not_track_requests_without_a_client_id(partner, listener, track):
    assert plays(partner, listener, track, "A")
    assert partner.stream(listener, track).status_code == 200
    assert plays(partner, listener, track, "A")
    assert partner.platform.journal("streams", userId=listener)[1]["clientId"] is None


def test_listeners_do_not_disturb_each_other(partner, listener, track):
    other = partner.subscriber()
    assert plays(partner, listener, track, "A")
    assert plays(partner, other, track, "B")
    assert plays(partner, listener, track, "A")


def test_many_devices_at_once_end_with_one_holder(platform, listener, track):
    """Whoever came last holds; everybody else is displaced and blocked."""
    gate, partners = threading.Barrier(6), [Partner(platform) for _ in range(6)]

    def rush(number: int) -> bool:
        gate.wait()
        return plays(partners[number], listener, track, f"device-{number}")

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(rush, range(6)))
    order = [line["clientId"] for line in platform.journal("streams", userId=listener)]
    assert sorted(order) == [f"device-{number}" for number in range(6)]
    assert [plays(partners[0], listener, track, device) for device in order] == [False] * 5 + [True]
    for partner in partners:
        partner.close()
