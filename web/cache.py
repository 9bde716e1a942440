"""The cache, and what stands in for it while Valkey is away.

Valkey may vanish at any time. Then each process counts and remembers for itself: limits become
a little generous, nothing is lost, nobody waits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

REST_SECONDS: Final = 5.0  # how long a failing Valkey is left alone
COUNT: Final = """
    local sum = redis.call('INCRBY', KEYS[1], ARGV[2])
    if sum == tonumber(ARGV[2]) then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
    return sum
"""

log = logging.getLogger(__name__)
T = TypeVar("T")


class SturdyCache(RedisCache):
    """Django's Redis cache, with this process's own memory behind it."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._memory = LocMemCache("sturdy", {})
        self._away_until = 0.0

    @cached_property
    def _count(self) -> Any:
        """The script that counts, on a client made once: making one costs more than a call."""
        return self._cache.get_client(write=True).register_script(COUNT)

    def _try(self, on_server: Callable[[], T], in_memory: Callable[[], T]) -> T:
        if time.monotonic() >= self._away_until:
            try:
                return on_server()
            except (RedisError, OSError) as error:
                self._away_until = time.monotonic() + REST_SECONDS
                log.warning("cache away, counting in memory for %.0f s: %s", REST_SECONDS, type(error).__name__)
        return in_memory()

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        server = super().add
        return self._try(
            lambda: server(key, value, timeout, version), lambda: self._memory.add(key, value, timeout, version)
        )

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        server = super().get
        return self._try(lambda: server(key, default, version), lambda: self._memory.get(key, default, version))

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        server = super().set
        self._try(lambda: server(key, value, timeout, version), lambda: self._memory.set(key, value, timeout, version))

    def delete(self, key: Any, version: int | None = None) -> bool:
        server = super().delete
        return self._try(lambda: server(key, version), lambda: self._memory.delete(key, version))

    def clear(self) -> None:
        """Forget what is ours. Django's own way would empty the broker too, where both share a database."""

        def on_server() -> None:
            client = self._cache.get_client(write=True)
            for name in client.scan_iter(f"{self.key_prefix}:*"):
                client.unlink(name)

        self._memory.clear()
        self._try(on_server, lambda: None)

    def hit(self, key: str, *, times: int = 1, seconds: int) -> int:
        """Add `times` to the count of `key`, in one round trip; the sum. It forgets itself after `seconds`."""

        def on_server() -> int:
            return int(self._count(keys=[self.make_and_validate_key(key)], args=[seconds, times]))

        def in_memory() -> int:
            self._memory.add(key, 0, seconds)
            return self._memory.incr(key, times)

        return self._try(on_server, in_memory)
