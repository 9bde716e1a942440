"""Who carries which topic. Handlers are found by name, so the outbox imports none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Record = Callable[[], None]
"""What to write once the platform has answered; runs in the transaction that finishes the message."""


@dataclass(kw_only=True)
class Delivery:
    """One attempt at one message, as its handler sees it.

    A handler of a call that must never be made twice calls `commit()` right before the call;
    from then on a lost answer leaves the message in doubt instead of sending it again.
    """

    message_id: int
    topic: str
    key: str
    body: Mapping[str, Any]
    attempt: int
    commit: Callable[[], None]


Handler = Callable[[Delivery], Record | None]
Doubt = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """A topic's handler. `doubt` records, in our rows, that nobody knows whether the call was done."""

    topic: str
    handler: Handler
    doubt: Doubt | None


_carriers: dict[str, Carrier] = {}


def handles(topic: str, *, doubt: Doubt | None = None) -> Callable[[Handler], Handler]:
    """Register the decorated function as the topic's one handler.

    The function talks to the platform, outside any transaction, and returns what to record.
    Without `doubt`, a message may be delivered twice and the handler must survive that.
    """

    def register(handler: Handler) -> Handler:
        if topic in _carriers and _carriers[topic].handler is not handler:
            raise ValueError(f"two handlers for {topic}")
        _carriers[topic] = Carrier(topic=topic, handler=handler, doubt=doubt)
        return handler

    return register


def carrier_of(topic: str) -> Carrier:
    """The topic's carrier. Raises LookupError for a topic nobody handles."""
    try:
        return _carriers[topic]
    except KeyError:
        raise LookupError(f"nobody handles {topic}") from None
