"""Rate limits: so many requests in a window, counted per listener, or per address before sign-in."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:  # DRF's views import this module by way of the settings
    from rest_framework.views import APIView


LONGEST_STRIDE: Final = 8
REMEMBERED: Final = 50_000


@dataclass(frozen=True, kw_only=True)
class Limit:
    """`requests` in each window of `seconds`."""

    requests: int
    seconds: int


def limit_of(scope: str) -> Limit:
    """The limit of a scope, from settings.LIMITS."""
    requests, seconds = settings.LIMITS[scope]
    return Limit(requests=requests, seconds=seconds)


class Tally:
    """How often a key was counted: here at once, everywhere a stride at a time.

    A process may let through a stride more than the limit before it hears of the others: a small price
    for asking Valkey once in eight requests. Small limits have a stride of one and are exact.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int]] = {}  # what everybody told Valkey, and what we have not told yet

    def add(self, key: str, limit: Limit) -> int:
        """Count one request; how many there have been, as far as this process knows."""
        stride = max(1, min(LONGEST_STRIDE, limit.requests // 16))
        told, untold = self._sums.get(key, (0, stride - 1))
        untold += 1
        if untold >= stride:
            times = 1 if key not in self._sums else untold
            told, untold = cache.hit(f"limit:{key}", times=times, seconds=limit.seconds), 0  # type: ignore[attr-defined]
        if len(self._sums) >= REMEMBERED:
            self._sums.clear()  # keys carry their window, so most of these are over anyway
        self._sums[key] = (told, untold)
        return told + untold

    def forget(self) -> None:
        """Start from nothing; tests do."""
        self._sums.clear()


_tally = Tally()


def count(scope: str, who: str) -> float | None:
    """Count one request; None when it may pass, else the seconds until the window ends."""
    limit = limit_of(scope)
    now = time.time()
    window = int(now // limit.seconds)
    if _tally.add(f"{scope}:{who}:{window}", limit) <= limit.requests:
        return None
    return (window + 1) * limit.seconds - now


def address_of(request: HttpRequest) -> str:
    """The peer's address. X-Forwarded-For counts only behind the proxies settings.TRUSTED_PROXIES speaks of."""
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        if len(hops) >= settings.TRUSTED_PROXIES:
            return str(hops[-settings.TRUSTED_PROXIES])
    return str(request.META.get("REMOTE_ADDR", ""))


class ScopeThrottle(BaseThrottle):
    """Reads `limit_scope` of the view; `api` where it names none."""

    _wait: float | None = None

    def allow_request(self, request: Any, view: APIView) -> bool:
        caller = getattr(request.user, "listener_id", None)
        who = str(caller) if caller else address_of(request)
        self._wait = count(getattr(view, "limit_scope", "api"), who)
        return self._wait is None

    def wait(self) -> float | None:
        return None if self._wait is None else math.ceil(self._wait)
