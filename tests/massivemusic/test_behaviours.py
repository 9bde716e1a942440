"""Every behaviour of the platform becomes one result that says what asking again is worth."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from massivemusic.client import Client
from massivemusic.errors import PlatformError
from massivemusic.locker import read_locker
from massivemusic.sales import Sale, deliver_item, refund_release
from massivemusic.usage import PlayReport, log_plays
from massivemusic.users import create_user
from tests.massivemusic.behaviours import MORE, OK, THE_36, Behaviour
from tests.massivemusic.conftest import ClientTo
from tests.massivemusic.stage import Stage, answer, closed_port, full_port, says

PLAYS = [
    PlayReport(
        track_id=track,
        release_id=7,
        format_id=56,
        mode="online",
        played_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
        seconds_played=204,
        user_agent="Pixel 9; Tonearm 1.0",
    )
    for track in (1, 2)
]
SALE = Sale(
    user_id="listener 1",
    release_id=7,
    track_id=None,
    country="GB",
    transaction_id="t-1",
    retail_price=Decimal("7.99"),
    currency="GBP",
)


def report(client: Client) -> None:
    assert log_plays(client, user_id="listener 1", country="GB", plays=PLAYS) == 2


def register(client: Client) -> None:
    create_user(client, user_id="listener 1", country="GB")


def sell(client: Client) -> None:
    assert deliver_item(client, SALE).purchase_id == 49193524


def look(client: Client) -> None:
    assert read_locker(client, user_id="listener 1", country="GB").total_items == 0


def refund(client: Client) -> None:
    refund_release(client, purchase_id=49193524, release_id=7, country="GB")


@contextlib.contextmanager
def staged(behaviour: Behaviour, trap: Stage) -> Iterator[str]:
    """The origin of a platform that behaves so; it must hear of the call once, never twice."""
    match behaviour.name:
        case "refused":
            with closed_port() as port:
                yield f"http://127.0.0.1:{port}"
            return
        case "queue full":
            with full_port() as port:
                yield f"http://127.0.0.1:{port}"
            return
        case "dns failure":
            yield "http://no-such-host.invalid"
            return
        case "tls failure":
            with Stage(says(answer("200 OK", OK))) as stage:
                yield stage.origin.replace("http:", "https:")
            return
        case "301 other host" | "307 loopback" | "302 loop":
            to = {301: f"http://localhost:{trap.port}/", 307: f"{trap.origin}/", 302: "/1.2/user/create"}
            location = f"Location: {to[behaviour.status or 0]}"
            play = says(answer(f"{behaviour.status} Elsewhere", "", location), keep=True)
        case _:
            assert behaviour.play is not None
            play = behaviour.play
    with Stage(play) as stage:
        yield stage.origin
        assert len(stage.heard_in_the_end()) == 1


def test_the_36_are_36() -> None:
    assert len({behaviour.name for behaviour in THE_36}) == 36


@pytest.mark.parametrize("behaviour", THE_36 + MORE, ids=lambda behaviour: behaviour.name)
@pytest.mark.parametrize("call", [report, register, sell, look, refund])
def test_means_one_thing(
    behaviour: Behaviour, call: Callable[[Client], None], client_to: ClientTo, trap: Stage
) -> None:
    with staged(behaviour, trap) as origin:
        client = client_to(origin, connect_seconds=behaviour.patience, total_seconds=behaviour.patience)
        started = time.monotonic()
        if behaviour.kind is None:
            call(client)
            return
        with pytest.raises(PlatformError) as caught:
            call(client)
        seconds = time.monotonic() - started

    error = caught.value
    assert type(error) is behaviour.kind
    assert (error.code, error.status) == (behaviour.code, behaviour.status)
    assert (error.permanent, error.in_doubt) == (behaviour.fate == "pointless", behaviour.fate == "in doubt")
    if behaviour.retry_after is None:
        assert error.retry_after is None
    else:
        assert error.retry_after == pytest.approx(behaviour.retry_after, abs=2)
    assert seconds <= behaviour.patience + 3
    assert seconds >= behaviour.patience - 0.01 or not behaviour.slow
    assert trap.connections == 0
