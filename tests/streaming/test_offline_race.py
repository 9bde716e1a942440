"""Devices that ask for a place in the same instant: as many get one as there are, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from accounts.models import Listener
from kernel.errors import Refusal
from massivemusic.devices import read_offline
from outbox.platform import platform
from streaming.devices import TooManyNewDevices, register_device
from streaming.models import Device
from streaming.offline import DeviceLimitReached, take_place
from tests.helpers import Api, token_for
from tests.sandbox.platform import Platform, eventually
from tests.streaming.conftest import drain, switch

pytestmark = pytest.mark.django_db(transaction=True)

DEVICES, PLACES, ROUNDS = 20, 3, 20
NAMES = [f"device-{number}" for number in range(DEVICES)]
Ask = Callable[[Listener, str], None]


class Crowd:
    """Threads with connections of their own that all ask at once, again and again."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(DEVICES)
        self.start = Barrier(DEVICES)

    def rush(self, ask: Callable[[str], Any]) -> list[Any]:
        """What each was answered."""

        def one(name: str) -> Any:
            self.start.wait(10)
            return ask(name)

        return list(self.pool.map(one, NAMES))

    def leave(self) -> None:
        self.rush(lambda _: connections.close_all())
        self.pool.shutdown()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.leave()


@pytest.fixture
def devices(subscriber: Listener) -> list[Device]:
    now = timezone.now()
    rows = [Device(listener=subscriber, client_id=name, created_at=now, last_seen_at=now) for name in NAMES]
    return Device.objects.bulk_create(rows)


def gets_through(ask: Ask, listener: Listener, refusal: type[Refusal]) -> Callable[[str], bool]:
    def asked(name: str) -> bool:
        try:
            ask(listener, name)
        except refusal:
            return False
        return True

    return asked


def take(listener: Listener, name: str) -> None:
    """As PUT /devices/{client_id}/offline does it."""
    take_place(listener_id=listener.pk, client_id=name, now=timezone.now())


def count_then_write(meeting: Barrier) -> Ask:
    """The same the naive way."""

    def naive(listener: Listener, name: str) -> None:
        held = Device.objects.filter(listener=listener).with_places().count()
        meeting.wait(5)
        if held >= PLACES:
            raise DeviceLimitReached(PLACES)
        ready = Device.objects.filter(listener=listener, client_id=name)
        ready.update(offline=Device.Offline.ENABLING, switched_at=timezone.now())

    return naive


@pytest.mark.usefixtures("devices")
def test_three_of_twenty_get_a_place(crowd: Crowd, subscriber: Listener) -> None:
    for _ in range(ROUNDS):
        Device.objects.update(offline=Device.Offline.OFF)
        assert crowd.rush(gets_through(take, subscriber, DeviceLimitReached)).count(True) == PLACES
        assert Device.objects.with_places().count() == PLACES


@pytest.mark.usefixtures("devices")
def test_counting_before_writing_would_not_do(crowd: Crowd, subscriber: Listener) -> None:
    asked = gets_through(count_then_write(Barrier(DEVICES)), subscriber, DeviceLimitReached)

    assert crowd.rush(asked).count(True) > PLACES


@pytest.mark.usefixtures("devices")
def test_three_of_twenty_are_enabled_at_the_platform(crowd: Crowd, subscriber: Listener, known: Platform) -> None:
    token = token_for(subscriber)
    statuses = crowd.rush(lambda name: switch(Api(Client(), token=token), True, name).status_code)

    assert sorted(statuses) == [200] * PLACES + [409] * (DEVICES - PLACES)
    on = set(Device.objects.filter(offline=Device.Offline.ON).values_list("client_id", flat=True))
    assert {line["clientId"] for line in known.journal("devices")} == on


def test_five_of_twenty_are_registered(crowd: Crowd, subscriber: Listener) -> None:
    def register(listener: Listener, name: str) -> None:
        register_device(listener_id=listener.pk, client_id=name, facts={}, now=timezone.now())

    for _ in range(10):
        Device.objects.all().delete()
        assert crowd.rush(gets_through(register, subscriber, TooManyNewDevices)).count(True) == 5


def test_one_device_is_registered_once(crowd: Crowd, subscriber: Listener) -> None:
    def register(_: str) -> bool:
        return register_device(listener_id=subscriber.pk, client_id="phone", facts={}, now=timezone.now())[1]

    assert crowd.rush(register).count(True) == 1


def test_many_who_switch_one_device_on_all_hear_that_it_is(crowd: Crowd, subscriber: Listener, known: Platform) -> None:
    token = token_for(subscriber)
    Api(Client(), token=token).put("devices/phone", {})

    assert crowd.rush(lambda _: switch(Api(Client(), token=token), True).status_code) == [200] * DEVICES


def test_a_removal_wins_over_an_answer_that_is_on_its_way(subscriber: Listener, known: Platform) -> None:
    """The platform hears "off" before the "on" that was sent first."""
    phone = Api(Client(), token=token_for(subscriber))
    phone.put("devices/phone", {})
    known.order("slow", "/1.2/user/unlimitedStreaming/offline")
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(switch(Api(Client(), token=token_for(subscriber)), True).status_code)
        connection.close()

    slow = Thread(target=ask)
    slow.start()
    eventually(lambda: Device.objects.get().offline == Device.Offline.ENABLING)
    eventually(lambda: not known.control("GET", "faults").json()["faults"])
    assert phone.delete("devices/phone").status_code == 204
    assert Device.objects.get().offline == Device.Offline.OFF
    slow.join()

    assert statuses == [404]
    assert Device.objects.get().offline == Device.Offline.DISABLING
    drain()
    there = read_offline(platform(), user_id=subscriber.platform_id, client_id="phone", country="GB")
    assert (there.enabled, Device.objects.get().offline) == (False, Device.Offline.OFF)
