"""GET /streams/events: a device learns at once that another has taken over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.utils import timezone

from accounts.models import Listener
from catalogue.models import Track
from streaming import live
from streaming.holder import claim_stream, release_stream
from streaming.live import changes, holder_of, told
from tests.helpers import Api, expect_problem
from web.live import KEY

pytestmark = pytest.mark.django_db(transaction=True)
NOBODY = {"client_id": None, "blocked_until": None}
State = dict[str, Any]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.3)


def claim(listener: Listener, track: Track, device: str) -> bool:
    grant = claim_stream(
        listener_id=listener.pk, client_id=device, stream_id=uuid4(), track_id=track.pk, format_id=26,
        now=timezone.now(), block_seconds=60,
    )  # fmt: skip
    return grant is not None


async def in_thread(work: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Work on a database connection of its own, which is closed afterwards."""

    def run() -> Any:
        try:
            return work(*args, **named)
        finally:
            connections.close_all()

    return await sync_to_async(run, thread_sensitive=False)()


async def heard(events: AsyncGenerator[bytes]) -> State:
    """The state of the next event."""
    async with asyncio.timeout(2):
        while (event := await anext(events)).startswith(b":"):
            pass
    kind, data = event.decode().removesuffix("\n\n").split("\n")
    assert kind == "event: stream"
    state: State = json.loads(data.removeprefix("data: "))
    return state


def play(story: Callable[[], Awaitable[None]]) -> None:
    """Run it on a loop of its own, as each process has one, until nobody is heard for any more."""

    async def whole() -> None:
        await story()
        if (hub := live._hubs.get(asyncio.get_running_loop())) and hub.work:
            await hub.work

    asyncio.run(whole())


def test_the_displaced_device_hears_of_it_at_once(
    subscriber: Listener, track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 3.0)  # longer than anybody here waits

    async def story() -> None:
        async with (
            aclosing(changes(subscriber.pk, "phone", NOBODY)) as phone,
            aclosing(changes(subscriber.pk, "tablet", NOBODY)) as tablet,
        ):
            first = asyncio.gather(heard(phone), heard(tablet))
            assert await in_thread(claim, subscriber, track, "phone")
            assert [state["client_id"] for state in await first] == ["phone", "phone"]

            assert await in_thread(claim, subscriber, track, "tablet")
            to_phone, to_tablet = await asyncio.gather(heard(phone), heard(tablet))

        assert to_phone["client_id"] == to_tablet["client_id"] == "tablet"
        assert to_phone["blocked_until"] > to_phone["since"]
        assert to_tablet["blocked_until"] is None
        assert to_tablet["track_id"] == track.pk

    play(story)


def test_giving_up_is_heard_of_too(subscriber: Listener, track: Track) -> None:
    claim(subscriber, track, "phone")

    async def story() -> None:
        state = await in_thread(lambda: told(holder_of(subscriber.pk), client_id="tablet", now=timezone.now()))
        async with aclosing(changes(subscriber.pk, "tablet", state)) as tablet:
            nothing = asyncio.ensure_future(heard(tablet))
            await in_thread(release_stream, listener_id=subscriber.pk, client_id="phone")
            assert await nothing == NOBODY

    play(story)


def test_nobody_hears_of_other_listeners(
    subscriber: Listener, track: Track, make_listener: Any, subscribe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.3)
    other = make_listener()
    subscribe(other)

    async def story() -> None:
        async with aclosing(changes(subscriber.pk, "phone", NOBODY)) as mine:
            waiting = asyncio.ensure_future(anext(mine))
            await in_thread(claim, other, track, "phone")
            assert (await waiting).startswith(b":")

    play(story)


def test_what_postgresql_did_not_say_is_found_by_looking(
    subscriber: Listener, track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHANNEL", "another_channel")

    async def story() -> None:
        async with aclosing(changes(subscriber.pk, "phone", NOBODY)) as phone:
            state = asyncio.ensure_future(heard(phone))
            await in_thread(claim, subscriber, track, "tablet")
            assert (await state)["client_id"] == "tablet"

    play(story)


def test_a_lost_connection_is_made_again(subscriber: Listener, track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AGAIN_SECONDS", 0.05)

    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE '%WHERE listener_id = ANY%'"
                " AND pid <> pg_backend_pid()"
            )

    async def story() -> None:
        async with aclosing(changes(subscriber.pk, "phone", NOBODY)) as phone:
            first = asyncio.ensure_future(heard(phone))
            await in_thread(claim, subscriber, track, "phone")
            await first
            await in_thread(cut)
            second = asyncio.ensure_future(heard(phone))
            await in_thread(claim, subscriber, track, "tablet")
            assert (await second)["client_id"] == "tablet"

    play(story)


def test_a_device_that_comes_again_ends_its_earlier_stream(subscriber: Listener) -> None:
    async def story() -> None:
        waiting = [changes(subscriber.pk, "phone", NOBODY) for _ in range(2)]
        assert await first_to_end(waiting) == [0]

    play(story)


def test_so_many_devices_of_a_listener_wait_and_no_more(subscriber: Listener) -> None:
    async def story() -> None:
        waiting = [changes(subscriber.pk, f"device {number}", NOBODY) for number in range(live.DEVICES + 1)]
        assert await first_to_end(waiting) == [0]

    play(story)


async def first_to_end(streams: Sequence[AsyncGenerator[bytes]]) -> list[int]:
    """Which of the streams ends before it has said anything; the others are left waiting, and then alone."""
    futures = [asyncio.ensure_future(anext(each)) for each in streams]
    done, still = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED, timeout=5)
    for each in still:
        each.cancel()
    await asyncio.wait(futures)
    return [number for number, each in enumerate(futures) if each in done and ended(each)]


def ended(future: asyncio.Future[bytes]) -> bool:
    return isinstance(future.exception(), StopAsyncIteration)


def test_it_ends_after_a_while_so_that_the_token_is_shown_again(
    subscriber: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LAST_SECONDS", 0.2)

    async def story() -> None:
        beats = [event async for event in changes(subscriber.pk, "phone", NOBODY)]
        assert set(beats) <= {b": still here\n\n"}

    play(story)


# --- the door ---------------------------------------------------------------------------------------------------------


def events(phone: Api, query: str = "client_id=phone") -> Any:
    return phone.get(f"streams/events?{query}")


def test_begins_with_the_state_as_it_is(subscriber: Listener, track: Track, api: Callable[[Listener], Api]) -> None:
    claim(subscriber, track, "phone")
    claim(subscriber, track, "tablet")
    api(subscriber).put("devices/tablet", {"name": "Ada’s tablet"})

    response = events(api(subscriber))

    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    retry, event, _ = response.content.decode().split("\n\n")
    assert retry == "retry: 3000"
    state = json.loads(event.split("data: ")[1])
    assert (state["client_id"], state["holder"], state["track_id"]) == ("tablet", "Ada’s tablet", track.pk)
    assert json.loads(api(subscriber).get("streams/current").content)["holder"] == "Ada’s tablet"
    assert state["blocked_until"] is not None
    assert KEY in response.wsgi_request.META


def test_begins_with_nothing_where_nothing_plays(listener: Listener, api: Callable[[Listener], Api]) -> None:
    assert '"client_id": null' in events(api(listener)).content.decode()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "missing_parameter"),
        ("client_id=", "missing_parameter"),
        ("client_id=" + "x" * 256, "invalid_parameter"),
        ("client_id=a%00b", "invalid_parameter"),
    ],
)
def test_wants_to_know_which_device_asks(
    listener: Listener, api: Callable[[Listener], Api], query: str, code: str
) -> None:
    expect_problem(events(api(listener), query), 400, code)


@pytest.mark.parametrize("client_id", ["x" * 255, "%F0%9F%8E%A7"])
def test_takes_any_name_of_a_device(listener: Listener, api: Callable[[Listener], Api], client_id: str) -> None:
    assert events(api(listener), f"client_id={client_id}").status_code == 200


def test_is_for_those_who_are_signed_in(stranger: Api) -> None:
    expect_problem(events(stranger), 401, "not_authenticated")
