"""Kombu's transport to Valkey, without the fault that ends a worker when Valkey restarts."""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ConnectionError as ConnectionLost


class Channel(redis.Channel):
    """Whoever acknowledges a task on a channel that was closed meanwhile learns that its connection is lost.

    Kombu 5.7 trips over the connection that is no more, with an AttributeError that nobody expects: the worker ends.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionLost("the channel was closed")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]


class Transport(redis.Transport):
    Channel = Channel


def mend_transport() -> None:
    """Let every connection of this process to a redis:// or rediss:// broker use it."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "config.broker:Transport"))
