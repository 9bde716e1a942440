"""Which of our use cases an event belongs to. They are found by name; billing imports none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rest_framework import serializers


@dataclass(frozen=True, kw_only=True)
class Happened:
    """An event as its handler sees it: what it is about, when it happened, what it says."""

    provider: str
    event_id: str
    subject: str
    occurred_at: datetime
    data: Mapping[str, Any]


Handle = Callable[[Happened], None]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A kind of event: the shape of its data, the field that says what it is about, who handles it."""

    shape: type[serializers.Serializer[Any]]
    subject: str
    handle: Handle


_readers: dict[str, Reader] = {}


def on_billing(type_: str, *, shape: type[serializers.Serializer[Any]], subject: str) -> Callable[[Handle], Handle]:
    """Register the decorated function for events of one type.

    It runs in a transaction, may run again for the same event, and raises when it cannot do its
    work yet (the event is tried again, and after a while waits for a person).
    """

    def register(handle: Handle) -> Handle:
        _readers[type_] = Reader(shape=shape, subject=subject, handle=handle)
        return handle

    return register


def reader_of(type_: str) -> Reader | None:
    """The reader of an event type, None for a type nobody here handles."""
    return _readers.get(type_)
