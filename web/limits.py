"""Rate limits: so many requests in a window, counted per listener, or per address before sign-in."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:  # DRF's views import this module by way of the settings
    from rest_framework.views import APIView


@dataclass(frozen=True, kw_only=True)
class Limit:
    """`requests` in each window of `seconds`."""

    requests: int
    seconds: int


def limit_of(scope: str) -> Limit:
    """The limit of a scope, from settings.LIMITS."""
    requests, seconds = settings.LIMITS[scope]
    return Limit(requests=requests, seconds=seconds)


def count(scope: str, who: str) -> float | None:
    """Count one request; None when it may pass, else the seconds until the window ends."""
    limit = limit_of(scope)
    now = time.time()
    window = int(now // limit.seconds)
    if cache.hit(f"limit:{scope}:{who}:{window}", seconds=limit.seconds) <= limit.requests:  # type: ignore[attr-defined]
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
