"""Starting, logging, stopping."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.sandbox.platform import ROOT, Database, Partner, Platform, eventually


def children(pid: int) -> list[int]:
    """The processes that `pid` started, and theirs."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found + [grandchild for child in found for grandchild in children(child)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] not in "ZX"
    except OSError:
        return False


def run(command: str, platform: Platform) -> subprocess.CompletedProcess[str]:
    """`python -m sandbox command`, which is expected to end by itself."""
    order = [sys.executable, "-m", "sandbox", command]
    environment = platform.environment
    return subprocess.run(order, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=20)


def be_hung_up_on(url: str) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=30)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_stops_soon_and_leaves_nothing_behind(differently, signum):
    platform = differently(SANDBOX_HANG_SECONDS="30")
    platform.order("hang", "/1.2/nothing")
    hanging = threading.Thread(target=be_hung_up_on, args=[f"{platform.url}/1.2/nothing"])
    hanging.start()
    eventually(lambda: platform.control("GET", "faults").json() == {"faults": []})
    family = children(platform.process.pid)
    assert len(family) >= 2

    assert platform.stop(signum) < 5
    hanging.join()
    assert eventually(lambda: not any(alive(pid) for pid in family))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", platform.port), timeout=1)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_workers_do_not_outlive_a_killed_parent(differently):
    platform = differently()
    family = children(platform.process.pid)
    platform.stop(signal.SIGKILL)
    assert eventually(lambda: not any(alive(pid) for pid in family))


def test_logs_one_line_for_each_request_and_no_secret(differently, partner: Partner):
    platform = differently()
    other = Partner(platform)
    user_id = partner.subscriber()
    url = other.stream_url(user_id, platform.track(), path="/stream/subscription.m3u8")
    segment = next(line for line in other.fetch(url).text.splitlines() if line.startswith("segment"))
    other.fetch(f"{platform.url}/stream/{segment}")
    other.fetch(f"{platform.url}/sneaky%0Aline?secret=1")
    platform.order("refused", "/1.2/status")
    with pytest.raises(requests.ConnectionError):
        other.fetch(f"{platform.url}/1.2/status")
    eventually(lambda: "/1.2/status 444" in platform.log.read_text())
    log = platform.log.read_text()

    assert log.startswith(f"sandbox: serving on {platform.url}, Ctrl-C to stop\n")
    for line in ("/stream/subscription.m3u8 200", "/stream/segment/0.mp3 200", r"/sneaky\nline 401", "/1.2/status 444"):
        assert len(re.findall(rf"(?m)^GET {re.escape(line)} \d+ ms$", log)) == 1, line
    lines = log.splitlines()[1:]
    assert all(re.fullmatch(r"[A-Z]+ /\S* \d{3} \d+ ms", line) for line in lines)
    assert not re.search(r"[?=]|oauth|ticket|secret|" + re.escape(user_id), log)
    other.close()


def test_wants_to_be_prepared(database: Database, tmp_path: Path):
    bare = Platform(database=database, var_dir=tmp_path)
    done = run("serve", bare)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "sandbox: not prepared yet: run `python -m sandbox prepare` first\n"


def test_shares_its_port_with_nobody(platform: Platform):
    twin = Platform(database=platform.database, var_dir=platform.var_dir, port=platform.port)
    done = run("serve", twin)
    assert done.returncode == 2
    assert done.stderr == f"sandbox: port {platform.port} is taken; SANDBOX_PORT chooses another\n"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"SANDBOX_DATABASE_URL": ""}, "SANDBOX_DATABASE_URL is not set"),
        ({"SANDBOX_R2": "sometimes"}, "SANDBOX_R2 must be one of: strict, lenient"),
        ({"SANDBOX_QUOTA": "many"}, "SANDBOX_QUOTA must be a number"),
        ({"SANDBOX_DATABASE_URL": "postgres:///x?host=/nowhere"}, "/nowhere/.s.PGSQL.5432"),
    ],
)
def test_complains_in_one_line(database: Database, tmp_path: Path, settings, complaint):
    odd = Platform(database=database, var_dir=tmp_path, settings=settings)
    done = run("prepare", odd)
    assert done.returncode == 2
    assert done.stderr.startswith("sandbox: ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_prepares_quickly(platform: Platform):
    started = time.monotonic()
    platform.prepare()
    assert time.monotonic() - started < 20, "1.5 s on an idle machine"


def test_makes_a_first_file_quickly(partner: Partner):
    user_id = partner.subscriber()
    track = partner.platform.release()["tracks"][-1]["id"]
    started = time.monotonic()
    assert partner.stream(user_id, track, formatId=17).status_code == 200
    assert time.monotonic() - started < 10, "0.6 s on an idle machine"
