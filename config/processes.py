"""Small things every keeper of child processes needs: locks, waits, ends, last words."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PR_SET_PDEATHSIG = 1


def dies_with_parent(signum: int) -> Callable[[], None]:
    """A `preexec_fn` that makes the kernel send `signum` to the child when we die, however we die."""
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, signum)

    return arrange


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` as a lock file, so that two commands never start one engine twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def wait_until(done: Callable[[], bool], *, seconds: float) -> bool:
    """Poll `done` every 20 ms; False when `seconds` went by."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.02)
    return False


def command_of(pid: int) -> str:
    """The command line of a process, empty when it is gone or a zombie."""
    if Path("/proc/self").exists():
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return listed.stdout.strip()


def end(pid: int, signum: int, *, seconds: float) -> None:
    """Send `signum`, wait, and kill what is still there after `seconds`."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)

    def gone() -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return not command_of(pid)

    if not wait_until(gone, seconds=seconds):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_until(gone, seconds=2)


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log file."""
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return "(no log)"
