"""Who carries which topic. Handlers are found by name, so the outbox imports none of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from outbox.circuit import PLATFORM

Record = Callable[[], None]
"""What to write once the platform has answered; runs in the transaction that finishes the message."""


@dataclass(kw_only=True)
class Delivery:
    """One attempt at one message, as its handler sees it.

    A handler of a call that must never be made twice calls `commit(record)` right before the call;
    from then on a lost answer leaves the message in doubt instead of sending it again. The record
    is written together with that, or not at all when the message is no longer this worker's.
    """

    message_id: int
    topic: str
    key: str
    body: Mapping[str, Any]
    attempt: int
    commit: Callable[[Record], None]


Handler = Callable[[Delivery], Record | None]
Hook = Callable[[Mapping[str, Any]], None]
"""Takes a message's body and writes in our rows what its end means; runs in the transaction that ends it."""


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """A topic's handler, whom it talks to, and what is written when a message does not simply end well.

    `doubt`: nobody knows whether the call was done. `later`: it was not, and will be tried again.
    `late`: its deadline passed unsent, so it is dropped and its lane goes on; without this hook it
    waits for a person. `given_up`: a person dropped it.
    """

    topic: str
    handler: Handler
    neighbour: str = PLATFORM
    doubt: Hook | None = None
    later: Hook | None = None
    late: Hook | None = None
    given_up: Hook | None = None


_carriers: dict[str, Carrier] = {}


def handles(topic: str, *, neighbour: str = PLATFORM, **hooks: Hook) -> Callable[[Handler], Handler]:
    """Register the decorated function as the topic's one handler, with the hooks of its Carrier.

    The function talks to the neighbour, whose breaker is its own, outside any transaction, and returns what to record.
    Without `doubt`, a message may be delivered twice and the handler must survive that.
    """

    def register(handler: Handler) -> Handler:
        if topic in _carriers and _carriers[topic].handler is not handler:
            raise ValueError(f"two handlers for {topic}")
        _carriers[topic] = Carrier(topic=topic, handler=handler, neighbour=neighbour, **hooks)
        return handler

    return register


def topics_by_neighbour() -> dict[str, list[str]]:
    """What is carried to each neighbour."""
    topics: dict[str, list[str]] = defaultdict(list)
    for carrier in _carriers.values():
        topics[carrier.neighbour].append(carrier.topic)
    return topics


def carrier_of(topic: str) -> Carrier:
    """The topic's carrier. Raises LookupError for a topic nobody handles."""
    try:
        return _carriers[topic]
    except KeyError:
        raise LookupError(f"nobody handles {topic}") from None


def topics() -> list[str]:
    """Every topic that somebody handles."""
    return sorted(_carriers)
