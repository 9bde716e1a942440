"""Named points of a delivery at which whoever carries it can be made to die, as a kill -9 there would have it."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from typing import Any, Final, NoReturn

from massivemusic.bucket import Bucket
from massivemusic.deadline import _Connection
from outbox import delivery


def die_at(point: str) -> None:
    """In this process, the next time a delivery comes to that point."""
    POINTS[point]()


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL is not survived")


def before_claim() -> None:
    delivery.claim = lambda message_id: die()


def after_claim() -> None:
    die_after(delivery, "claim", unless=lambda claimed: claimed is None)


def after_commit() -> None:
    die_after(delivery, "finish")


def connected() -> None:
    die_after(_Connection, "connect")


def half_body() -> None:
    on_body(lambda send, data: send(data[: len(data) // 2]))


def full_body() -> None:
    on_body(lambda send, data: send(data))


def reply_unread() -> None:
    def wait(self: Any) -> NoReturn:
        select.select([self.sock], [], [], 30)
        die()

    _Connection.getresponse = wait  # type: ignore[method-assign]


def deposited() -> None:
    """By the other channel: a file is there, and nobody has written that down."""
    die_after(Bucket, "put")


def die_after(owner: Any, name: str, *, unless: Callable[[Any], bool] = lambda _: False) -> None:
    """Once it has done something; go on after answers that do not count."""
    do = getattr(owner, name)

    def done(*args: Any, **kwargs: Any) -> Any:
        answer = do(*args, **kwargs)
        return answer if unless(answer) else die()

    setattr(owner, name, done)


def on_body(pass_on: Callable[[Callable[[Any], None], bytes], None]) -> None:
    """Once so much of the body has left; the head comes first, in one piece."""
    send = _Connection.send

    def sent(self: Any, data: Any) -> None:
        if bytes(data[:5]) == b"POST ":
            send(self, data)
            return
        pass_on(lambda part: send(self, part), data)
        die()

    _Connection.send = sent  # type: ignore[method-assign]


def named(*points: Callable[[], None]) -> dict[str, Callable[[], None]]:
    return {point.__name__: point for point in points}


OF_A_CALL: Final = named(before_claim, after_claim, connected, half_body, full_body, reply_unread, after_commit)
POINTS: Final = OF_A_CALL | named(deposited)
