"""Nudging a worker through the broker, which may be dead or, worse, hang."""

from __future__ import annotations

import logging
import time
from typing import Final

from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

REST_SECONDS: Final = 10.0  # after a failed nudge the sweep is trusted for this long

log = logging.getLogger(__name__)
_quiet_until = 0.0
_woken_at: dict[str, float] = {}


def wake_now_and_then(task: str, *, seconds: float) -> bool:
    """Ask a worker to look at whatever waits, once in `seconds` and process at the most; the sweep sees to the rest."""
    now = time.monotonic()
    if now - _woken_at.get(task, -seconds) < seconds:
        return True
    _woken_at[task] = now
    return wake(task)


def wake(task: str, **ids: int) -> bool:
    """Ask a worker to look at a row now. False when the broker does not take it; then a sweep will.

    Never holds the caller longer than the broker's socket timeout (settings, 1 s), and after a
    failure not at all for a while. Never raises for a broker that is away.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        current_app.send_task(task, kwargs=ids, retry=False)
    except (OperationalError, RedisError, OSError) as error:
        _quiet_until = time.monotonic() + REST_SECONDS
        log.warning("broker away, leaving work to the sweep: %s", type(error).__name__)
        return False
    return True


def forget_rest() -> None:
    """Try the broker again at once; tests of its return use this."""
    global _quiet_until
    _quiet_until = 0.0
    _woken_at.clear()
