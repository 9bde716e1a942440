"""Every fault on the wire, seen from a raw socket."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.platform import Partner, Platform, eventually, iso

STATUS = "/1.2/status"


def shake(platform: Platform, target: str, *, seconds: float = 5, method: str = "GET") -> tuple[bytes, bool, float]:
    """Send a request by hand: all bytes that came, whether the other side closed, and how long it took."""
    address = urlsplit(platform.url)
    started = time.monotonic()
    with socket.create_connection((address.hostname, address.port), timeout=seconds) as wire:
        wire.sendall(f"{method} {target} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        came, closed = b"", False
        try:
            while piece := wire.recv(65536):
                came += piece
                wire.settimeout(max(0.01, seconds - (time.monotonic() - started)))
            closed = True
        except TimeoutError:
            pass
    return came, closed, time.monotonic() - started


def target_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def create_url(partner: Partner, user_id: str) -> str:
    return partner.signed_url("/1.2/user/create", userId=user_id, country="GB")


def exists(partner: Partner, user_id: str) -> bool:
    return bool(partner.platform.journal("users", userId=user_id))


def test_slow_answers_rightly_but_late(partner: Partner):
    partner.platform.order("slow", "/1.2/user/create")
    started = time.monotonic()
    assert partner.fetch(create_url(partner, "slow")).status_code == 200
    assert time.monotonic() - started >= 0.4
    assert exists(partner, "slow")


def test_lost_answer_processes_and_closes_without_a_byte(partner: Partner):
    partner.platform.order("lost_answer", "/1.2/user/create")
    assert shake(partner.platform, target_of(create_url(partner, "lost")))[:2] == (b"", True)
    assert exists(partner, "lost")


def test_lost_answer_of_a_play_log_is_a_connection_error_to_a_client(partner: Partner):
    user_id = partner.subscriber()
    release = partner.platform.release()
    play = {
        "trackId": release["tracks"][0]["id"],
        "releaseId": release["id"],
        "formatId": 26,
        "userAgent": "x",
        "playMode": "online",
        "dateTimePlayed": iso(datetime.now(UTC) - timedelta(minutes=1)),
        "totalTimePlayed": 1,
    }
    partner.platform.order("lost_answer", "/1.2/user/subscription/log")
    with pytest.raises(requests.ConnectionError):
        partner.log(user_id, {"playLogItem": [play]})
    assert len(partner.platform.journal("plays", userId=user_id)) == 1


def test_refused_closes_and_processes_nothing(partner: Partner):
    partner.platform.order("refused", "/1.2/user/create")
    url = create_url(partner, "refused")
    assert shake(partner.platform, target_of(url))[:2] == (b"", True)
    assert not exists(partner, "refused")
    assert partner.fetch(url).status_code == 200, "not even its nonce is used"


def test_refused_closes_in_the_middle_of_a_body_too(partner: Partner):
    partner.platform.order("refused", "/1.2/user/subscription/log")
    with pytest.raises(requests.ConnectionError):
        partner.log("nobody", "x" * 500_000)


def test_hang_says_nothing_for_long_and_then_closes(partner: Partner):
    partner.platform.order("hang", "/1.2/user/create")
    came, closed, seconds = shake(partner.platform, target_of(create_url(partner, "hang")))
    assert (came, closed) == (b"", True)
    assert 1 <= seconds < 4
    assert not exists(partner, "hang")


def test_error_500(partner: Partner):
    partner.platform.order("error_500", STATUS)
    answer = partner.fetch(partner.platform.url + STATUS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 9001)
    assert answer.headers["X-RateLimit-Limit"]


def test_error_in_200(partner: Partner):
    partner.platform.order("error_in_200", STATUS, times=2)
    answer = partner.fetch(partner.platform.url + STATUS)
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]["code"]) == (200, "error", 9001)
    assert '<error code="9001">' in partner.fetch(partner.platform.url + STATUS, Accept="*/*").text


def test_rate_limited(partner: Partner):
    partner.platform.order("rate_limited", STATUS)
    answer = partner.fetch(partner.platform.url + STATUS)
    assert (answer.status_code, answer.text) == (429, "Usage limit exceeded")
    assert "Retry-After" not in answer.headers


def test_garbage_xml(partner: Partner):
    from defusedxml.ElementTree import ParseError, fromstring

    partner.platform.order("garbage_xml", STATUS)
    answer = partner.fetch(partner.platform.url + STATUS)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/xml; charset=utf-8")
    with pytest.raises(ParseError):
        fromstring(answer.content)


def test_truncated_promises_more_than_it_sends(partner: Partner):
    partner.platform.order("truncated", "/1.2/user/create")
    came, closed, _ = shake(partner.platform, target_of(create_url(partner, "truncated")))
    head, _, body = came.partition(b"\r\n\r\n")
    (length,) = (int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length"))

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert closed
    assert len(body) == length // 2 > 0
    assert exists(partner, "truncated")


def test_truncated_cuts_a_stream_in_half(partner: Partner):
    user_id, track = partner.subscriber(), partner.platform.track()
    whole = partner.stream(user_id, track).content
    partner.platform.order("truncated", "/stream/subscription")
    came, closed, _ = shake(partner.platform, target_of(partner.stream_url(user_id, track)))
    body = came.partition(b"\r\n\r\n")[2]
    assert closed
    assert body == whole[: len(whole) // 2]


def test_endless_drips_on_and_on(partner: Partner):
    partner.platform.order("endless", STATUS)
    came, closed, _ = shake(partner.platform, STATUS, seconds=1)
    head, _, body = came.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"transfer-encoding: chunked" in head.lower()
    assert not closed
    assert body.count(b"<!-- -->") >= 3


def test_redirect_points_to_a_host_that_is_not_ours(partner: Partner):
    partner.platform.order("redirect", STATUS)
    answer = requests.get(partner.platform.url + STATUS, allow_redirects=False, timeout=5)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://elsewhere.invalid/")


def test_faults_are_used_up_in_order_and_only_below_their_path(platform: Platform):
    platform.order("rate_limited", "/1.2/stat", times=2)
    platform.order("error_500", "/1.2")
    url, other = platform.url + STATUS, platform.url + "/static/img"
    assert [requests.get(url, timeout=5).status_code for _ in range(4)] == [429, 429, 500, 401]
    platform.order("rate_limited", STATUS)
    assert requests.get(other, timeout=5).status_code == 401
    assert platform.control("GET", "faults").json() == {
        "faults": [{"path": STATUS, "behaviour": "rate_limited", "left": 1}]
    }
    platform.clear_faults()
    assert platform.control("GET", "faults").json() == {"faults": []}
    assert requests.get(url, timeout=5).status_code == 401


def test_faults_are_used_up_exactly_by_many_at_once(platform: Platform):
    platform.order("rate_limited", STATUS, times=7)
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(requests.get(platform.url + STATUS, timeout=5).status_code))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [401] * 13 + [429] * 7


@pytest.mark.parametrize(
    "order",
    [
        {"path": "/x", "behaviour": "explode"},
        {"path": "/x"},
        {"behaviour": "slow"},
        {"path": "x", "behaviour": "slow"},
        {"path": "/x", "behaviour": "slow", "times": 0},
        {"path": "/x", "behaviour": "slow", "times": True},
        {"path": "/x", "behaviour": ["slow"]},
        [],
        "slow",
    ],
)
def test_refuses_orders_it_does_not_understand(platform: Platform, order):
    answer = platform.control("POST", "faults", order)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert platform.control("GET", "faults").json() == {"faults": []}


def test_control_itself_never_suffers(platform: Platform):
    platform.order("refused", "/")
    assert platform.control("GET", "faults").json()["faults"][0]["left"] == 1
    platform.clear_faults()


def test_hanging_requests_leave_room_for_others(platform: Platform):
    """More of them than may hang: the rest is hung up on at once, and whoever wants an answer gets one."""
    platform.order("hang", STATUS, times=40)
    ends: list[float] = []
    threads = [threading.Thread(target=lambda: ends.append(shake(platform, STATUS)[2])) for _ in range(40)]
    for thread in threads:
        thread.start()
    eventually(lambda: platform.control("GET", "faults").json() == {"faults": []})
    started = time.monotonic()
    assert requests.get(platform.url + "/1.2/nothing", timeout=5).status_code == 401
    assert time.monotonic() - started < 3
    for thread in threads:
        thread.join()
    assert sum(seconds > 0.95 for seconds in ends) >= 8
    assert sum(seconds < 0.95 for seconds in ends) >= 20
