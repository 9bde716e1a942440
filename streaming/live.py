"""Who holds a listener's stream, told at once to the devices that wait to hear of it.

One connection of a process listens to PostgreSQL, which says whose holder has changed
(a trigger of `streaming_streamholder`), and asks for all of them every few seconds, in case it did not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Set
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from django.utils import timezone
from psycopg.rows import dict_row

from kernel.values import rfc3339
from streaming.models import Device, StreamHolder
from web.live import event

State = dict[str, Any]
Connection = psycopg.AsyncConnection[dict[str, Any]]

CHANNEL: Final = "streamholder"
LOOK_SECONDS: Final = 5.0  # between looks at everybody's holder
GATHER_SECONDS: Final = 0.02  # in which further changes join one look
BEAT_SECONDS: Final = 15.0  # between signs of life to a client
AGAIN_SECONDS: Final = 1.0  # before PostgreSQL is tried again
DEVICES: Final = 8  # of a listener, which wait at one process
LAST_SECONDS: Final = 600.0  # then the client comes anew, with a token that still holds
HOLDERS: Final = """
    SELECT listener_id, client_id, coalesce(nullif(d.name, ''), client_id) AS holder,
           stream_id, track_id, since, plays_until, blocks
      FROM streaming_streamholder LEFT JOIN streaming_device d USING (listener_id, client_id)
     WHERE listener_id = ANY (%s)
"""

log = logging.getLogger(__name__)


def holder_of(listener_id: UUID) -> State | None:
    """The row from which `told` reads."""
    row = StreamHolder.objects.filter(listener_id=listener_id).values().first()
    return None if row is None else row | {"holder": name_of(listener_id, row["client_id"])}


def name_of(listener_id: UUID, client_id: str) -> str:
    """What a device is called, or its id where it has no name."""
    named = Device.objects.filter(listener_id=listener_id, client_id=client_id).exclude(name="")
    return named.values_list("name", flat=True).first() or client_id


def told(row: State | None, *, client_id: str, now: datetime) -> State:
    """The state as one device is told it: who plays, and until when it is itself refused."""
    if row is None:
        return {"client_id": None, "blocked_until": None}
    end = row["blocks"].get(client_id, 0)
    blocked = rfc3339(datetime.fromtimestamp(end, tz=UTC)) if end > now.timestamp() else None
    if row["plays_until"] <= now:
        return {"client_id": None, "blocked_until": blocked}
    return {
        "client_id": row["client_id"],
        "holder": row["holder"],
        "stream_id": str(row["stream_id"]),
        "track_id": row["track_id"],
        "since": rfc3339(row["since"]),
        "expires_at": rfc3339(row["plays_until"]),
        "blocked_until": blocked,
    }


class Waiting:
    """A device that waits, and the state it was told last."""

    def __init__(self, client_id: str, state: State) -> None:
        self.client_id, self.state = client_id, state
        self.stirred = asyncio.Event()
        self.over = False

    def tell(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self.stirred.set()

    def end(self) -> None:
        self.over = True
        self.stirred.set()


class Hub:
    """The devices that wait at this process, by listener, and the one connection that hears for them all."""

    def __init__(self) -> None:
        self.waiting: dict[UUID, list[Waiting]] = {}
        self.work: asyncio.Task[None] | None = None

    def join(self, listener_id: UUID, device: Waiting) -> None:
        """Begin to hear for a device. Its own earlier stream ends, and the oldest of too many."""
        others = self.waiting.setdefault(listener_id, [])
        twins = [each for each in others if each.client_id == device.client_id]
        for each in twins or others[: max(0, len(others) + 1 - DEVICES)]:
            each.end()
        others.append(device)
        if self.work is None or self.work.done():
            self.work = asyncio.ensure_future(self.run())

    def leave(self, listener_id: UUID, device: Waiting) -> None:
        others = self.waiting[listener_id]
        others.remove(device)
        if not others:
            del self.waiting[listener_id]

    async def run(self) -> None:
        """Hear and tell until nobody waits any more."""
        while self.waiting:
            try:
                async with await connect() as heard:
                    await self.hear(heard)
            except psycopg.Error as error:
                log.warning("streams are not heard of: %s", type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)

    async def hear(self, heard: Connection) -> None:
        await heard.execute(f"LISTEN {CHANNEL}")
        await self.look(heard, set(self.waiting))
        while self.waiting:
            changed = {UUID(each.payload) async for each in heard.notifies(timeout=LOOK_SECONDS, stop_after=1)}
            if changed:
                changed |= {UUID(each.payload) async for each in heard.notifies(timeout=GATHER_SECONDS)}
            await self.look(heard, changed & self.waiting.keys() if changed else set(self.waiting))

    async def look(self, heard: Connection, listeners: Set[UUID]) -> None:
        """Read these listeners' holders and tell their devices."""
        if not listeners:
            return
        found = await heard.execute(HOLDERS, [list(listeners)])
        rows = {row["listener_id"]: row for row in await found.fetchall()}
        now = timezone.now()
        for listener_id in listeners:
            for device in self.waiting.get(listener_id, []):
                device.tell(told(rows.get(listener_id), client_id=device.client_id, now=now))


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


async def connect() -> Connection:
    """A connection of our own beside Django's, which belong to threads."""
    params = connection.get_connection_params() | {"cursor_factory": None, "context": None}
    return await psycopg.AsyncConnection.connect(**params, autocommit=True, row_factory=dict_row)


async def changes(listener_id: UUID, client_id: str, state: State) -> AsyncGenerator[bytes]:
    """An event for each state that differs from the one before, and a sign of life where there is none."""
    hub = _hubs.setdefault(asyncio.get_running_loop(), Hub())
    device = Waiting(client_id, state)
    hub.join(listener_id, device)
    end = time.monotonic() + LAST_SECONDS
    try:
        while not device.over and (left := end - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(device.stirred.wait(), min(left, BEAT_SECONDS))
            except TimeoutError:
                yield b": still here\n\n"
            else:
                device.stirred.clear()
                if not device.over:
                    yield event("stream", device.state)
    finally:
        hub.leave(listener_id, device)
