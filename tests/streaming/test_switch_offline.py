"""A device is let keep tracks here and at the platform, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Listener
from massivemusic.devices import read_offline
from outbox import circuit
from outbox.actions import discard
from outbox.models import Circuit, Message
from outbox.platform import platform
from streaming.models import Device
from streaming.offline import STUCK, begin, settle_stuck, switch_of, take_place, tell_off
from streaming.tasks import prune, settle
from subscriptions.models import Plan, Subscription
from tests.helpers import Api, expect_problem
from tests.sandbox.platform import Platform
from tests.streaming.conftest import body_of, drain, switch, tell_subscription

pytestmark = pytest.mark.django_db
PATH = "/1.2/user/unlimitedStreaming/offline"
FAR = timezone.now() + timedelta(days=9)
ON = {"offline_enabled": True, "max_tracks": 4000}


@pytest.fixture(autouse=True)
def registered(phone: Api) -> None:
    assert phone.put("devices/phone", {}).status_code == 201


def state() -> str:
    return Device.objects.get(client_id="phone").offline


def is_on_there(listener: Listener, client_id: str = "phone") -> bool:
    status = read_offline(platform(), user_id=listener.platform_id, client_id=client_id, country="GB")
    return status.enabled


def told(sandbox: Platform) -> list[bool]:
    """What the platform accepted, in order."""
    return [line["offlineEnabled"] for line in sandbox.journal("devices")]


def is_enabled(phone: Api) -> bool:
    return bool(body_of(phone.get("devices"))["results"][0]["offline_enabled"])


# --- on and off -----------------------------------------------------------------------------------


def test_on_and_off_and_on_again(known: Platform, phone: Api, subscriber: Listener) -> None:
    assert body_of(switch(phone, True)) == ON
    assert (state(), is_enabled(phone), is_on_there(subscriber)) == ("ON", True, True)
    assert body_of(switch(phone, False)) == ON | {"offline_enabled": False}
    assert (state(), is_enabled(phone), is_on_there(subscriber)) == ("OFF", False, False)
    assert body_of(switch(phone, True)) == ON
    assert not Message.objects.filter(topic="device.disable").exists(), "nothing had to wait"


def test_twice_is_once(known: Platform, phone: Api) -> None:
    assert [body_of(switch(phone, True)) for _ in range(2)] == [ON, ON]
    first = Device.objects.get().generation
    switch(phone, True)
    assert Device.objects.get().generation == first, "its key stays"
    assert [switch(phone, False).status_code for _ in range(2)] == [200, 200]
    assert told(known) == [True, True, True, False]


@pytest.mark.parametrize("body", [{}, {"enabled": None}, {"enabled": "perhaps"}, {"enabled": [True]}, []])
def test_the_wish_is_a_truth(phone: Api, body: Any) -> None:
    assert phone.put("devices/phone/offline", body).status_code == 400
    assert state() == "OFF"


def test_another_listeners_device_is_none(known: Platform, api: Any, make_listener: Any, subscribe: Any) -> None:
    other = make_listener()
    subscribe(other)

    expect_problem(switch(api(other), False), 404, "device_not_found")

    assert not Device.objects.filter(listener=other).exists()


def test_one_that_has_not_registered_yet_is_registered(known: Platform, phone: Api, subscriber: Listener) -> None:
    answer = phone.put("devices/tablet/offline", {"enabled": True})

    assert answer.status_code == 200, answer.content
    device = Device.objects.get(listener=subscriber, client_id="tablet")
    assert (device.offline, device.name) == ("ON", "")


def test_a_removed_device_is_off_there_too(known: Platform, phone: Api, subscriber: Listener) -> None:
    switch(phone, True)
    assert phone.delete("devices/phone").status_code == 204
    assert (state(), is_on_there(subscriber)) == ("OFF", False)


def test_support_removes_one_there_too(known: Platform, phone: Api, subscriber: Listener, boss: Client) -> None:
    switch(phone, True)
    page = reverse("admin:streaming_device_changelist")
    boss.post(page, {"action": "remove", "_selected_action": [Device.objects.get().pk]})
    assert not is_on_there(subscriber)


# --- who may --------------------------------------------------------------------------------------


def test_a_subscription_is_needed(sandbox: Platform, phone: Api, subscriber: Listener) -> None:
    Subscription.objects.update(entitled_until=timezone.now())

    assert expect_problem(switch(phone, True), 403, "no_subscription")["platform_code"] == 2002
    assert told(sandbox) == []


def test_a_plan_with_the_right_is_needed(sandbox: Platform, phone: Api) -> None:
    Subscription.objects.update(plan="standard-unlimited-streaming")

    assert expect_problem(switch(phone, True), 403, "offline_not_in_plan")["platform_code"] == 1003
    assert switch(phone, False).status_code == 200
    assert (told(sandbox), state()) == ([], "OFF")


def test_the_better_of_two_plans_counts(known: Platform, phone: Api, subscriber: Listener, subscribe: Any) -> None:
    plan = Plan.objects.get(code="standard-unlimited-streaming")
    subscribe(subscriber, external_id="longer", plan=plan, expires_at=timezone.now() + timedelta(days=25))
    assert switch(phone, True).status_code == 200


def test_the_platform_may_know_of_no_right(known: Platform, phone: Api, subscriber: Listener) -> None:
    tell_subscription(known, subscriber, planCode="standard-unlimited-streaming")

    expect_problem(switch(phone, True), 403, "offline_not_in_plan")
    assert state() == "OFF"


def test_one_that_is_on_ends_when_the_platform_says_so(known: Platform, phone: Api, subscriber: Listener) -> None:
    switch(phone, True)
    tell_subscription(known, subscriber, planCode="standard-unlimited-streaming")

    expect_problem(switch(phone, True), 403, "offline_not_in_plan")
    assert is_enabled(phone) is False
    assert drain() == ["DONE"]
    assert (state(), is_on_there(subscriber)) == ("OFF", False), "and its place there is free"


def test_a_platform_that_has_not_heard_of_the_subscription_is_given_time(
    known: Platform, phone: Api, subscriber: Listener
) -> None:
    tell_subscription(known, subscriber, planCode="standard-unlimited-streaming")
    Message.objects.create(topic="subscription.tell", key="1", lane=subscriber.platform_id)

    response = switch(phone, True)
    expect_problem(response, 503, "platform_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert state() == "OFF"


def test_a_platform_that_has_not_heard_of_the_listener_is_given_time(sandbox: Platform, phone: Api) -> None:
    expect_problem(switch(phone, True), 503, "platform_unavailable")
    assert state() == "OFF"


# --- places ---------------------------------------------------------------------------------------


def several(phone: Api, *names: str) -> list[int]:
    return [(phone.put(f"devices/{name}", {}).status_code, switch(phone, True, name).status_code)[1] for name in names]


def test_the_plan_says_how_many_places_there_are(known: Platform, phone: Api) -> None:
    assert several(phone, "phone", "b", "c") == [200] * 3
    phone.put("devices/d", {})
    problem = expect_problem(switch(phone, True, "d"), 409, "device_limit_reached")

    assert (problem["limit"], problem["platform_code"]) == (3, 1003)
    assert told(known) == [True] * 3, "the platform was not even asked"
    assert switch(phone, True, "c").status_code == 200
    assert switch(phone, False, "b").status_code == 200
    assert switch(phone, True, "d").status_code == 200


def test_a_removed_device_leaves_its_place(known: Platform, phone: Api) -> None:
    Plan.objects.update(offline_devices=1)
    assert several(phone, "phone", "b") == [200, 409]
    phone.delete("devices/phone")
    assert switch(phone, True, "b").status_code == 200


def test_the_platform_may_have_fewer_places(known: Platform, phone: Api) -> None:
    Plan.objects.update(offline_devices=4)
    assert several(phone, "phone", "b", "c", "d") == [200, 200, 200, 409]

    assert expect_problem(switch(phone, True, "d"), 409, "device_limit_reached")["limit"] == 4
    assert Device.objects.with_places().count() == 3


# --- the platform away ------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["error_500", "error_in_200", "rate_limited", "redirect"])
def test_a_platform_in_trouble_changes_nothing(known: Platform, phone: Api, behaviour: str) -> None:
    known.order(behaviour, PATH)
    response = switch(phone, True)

    problem = expect_problem(response, 503, "platform_unavailable")
    assert problem.get("platform_code") == (9001 if behaviour.startswith("error") else None)
    assert int(response.headers["Retry-After"]) >= 1
    assert (state(), told(known)) == ("OFF", [])
    assert body_of(switch(phone, True)) == ON


@pytest.mark.parametrize("behaviour", ["lost_answer", "truncated"])
def test_a_lost_answer_is_read_back_and_not_sent_again(known: Platform, phone: Api, behaviour: str) -> None:
    known.order(behaviour, PATH)

    assert body_of(switch(phone, True)) == ON
    assert told(known) == [True]


@pytest.mark.parametrize("behaviour", ["refused", "garbage_xml"])
def test_what_did_not_arrive_is_sent_again(known: Platform, phone: Api, behaviour: str) -> None:
    known.order(behaviour, PATH)

    assert body_of(switch(phone, True)) == ON
    assert told(known) == [True]


@pytest.mark.parametrize("behaviour", ["lost_answer", "refused"])
def test_where_nobody_knows_the_device_is_off_in_the_end(
    known: Platform, phone: Api, subscriber: Listener, behaviour: str
) -> None:
    known.order(behaviour, PATH, times=2)

    expect_problem(switch(phone, True), 503, "platform_unavailable")
    assert (state(), is_enabled(phone)) == ("DISABLING", False)
    assert drain() == ["DONE"]
    assert (state(), is_on_there(subscriber)) == ("OFF", False)


def test_asking_again_takes_it_on_from_there(known: Platform, phone: Api, subscriber: Listener) -> None:
    known.order("lost_answer", PATH, times=2)
    switch(phone, True)

    assert body_of(switch(phone, True)) == ON
    assert drain() == ["DONE"]
    assert (state(), is_on_there(subscriber)) == ("ON", True), "the message was too late to count"


@pytest.mark.parametrize("behaviour", ["error_500", "rate_limited", "breaker"])
def test_a_doubt_is_not_forgotten_by_a_try_that_did_nothing(
    known: Platform, phone: Api, subscriber: Listener, behaviour: str
) -> None:
    known.order("lost_answer", PATH, times=2)
    switch(phone, True)
    if behaviour == "breaker":
        Circuit.objects.update_or_create(name=circuit.PLATFORM, defaults={"open_until": FAR})
    else:
        known.order(behaviour, PATH)
    expect_problem(switch(phone, True), 503, "platform_unavailable")
    Circuit.objects.all().delete()

    assert is_on_there(subscriber)
    drain()
    assert (state(), is_on_there(subscriber)) == ("OFF", False)


def test_one_that_is_on_stays_so_while_the_platform_is_away(known: Platform, phone: Api, subscriber: Listener) -> None:
    switch(phone, True)
    for behaviour in ("error_500", "lost_answer", "refused"):
        known.order(behaviour, PATH, times=3)
        expect_problem(switch(phone, True), 503, "platform_unavailable")
        known.clear_faults()

    assert (state(), is_on_there(subscriber), drain()) == ("ON", True, [])


def test_off_is_off_at_once_and_told_later(known: Platform, phone: Api, subscriber: Listener) -> None:
    Plan.objects.update(offline_devices=1)
    phone.put("devices/b", {})
    switch(phone, True)
    known.order("refused", PATH, times=3)

    assert body_of(switch(phone, False))["offline_enabled"] is False
    assert (state(), is_enabled(phone)) == ("DISABLING", False)
    known.clear_faults()
    expect_problem(switch(phone, True, "b"), 409, "device_limit_reached")
    drain()
    assert (state(), is_on_there(subscriber)) == ("OFF", False)
    assert switch(phone, True, "b").status_code == 200


def test_a_removal_is_told_later_too(known: Platform, phone: Api, subscriber: Listener) -> None:
    switch(phone, True)
    known.order("error_500", PATH)

    assert phone.delete("devices/phone").status_code == 204
    assert is_on_there(subscriber)
    assert drain() == ["DONE"]
    assert (state(), is_on_there(subscriber)) == ("OFF", False)


def test_an_open_breaker_is_not_knocked_at(known: Platform, phone: Api) -> None:
    switch(phone, True)
    for _ in range(circuit.FAILURES_TO_OPEN):
        circuit.failed(circuit.PLATFORM)
    phone.put("devices/b", {})

    expect_problem(switch(phone, True, "b"), 503, "platform_unavailable")
    assert Device.objects.with_places().count() == 1
    assert switch(phone, False).status_code == 200
    assert told(known) == [True]
    Circuit.objects.all().delete()
    assert drain() == ["DONE"]
    assert told(known) == [True, False]


def test_failures_open_the_breaker(known: Platform, phone: Api) -> None:
    known.order("error_500", PATH, times=50)
    for _ in range(circuit.FAILURES_TO_OPEN):
        switch(phone, True)

    assert not circuit.allows(circuit.PLATFORM)


# --- crashes and crossings ----------------------------------------------------------------------------


@pytest.fixture
def half_on(known: Platform, subscriber: Listener) -> Device:
    """The platform was told, and then the process died."""
    take_place(listener_id=subscriber.pk, client_id="phone", now=timezone.now())
    assert state() == "ENABLING"
    return Device.objects.get()


def test_a_crash_is_swept_up(half_on: Device, known: Platform, subscriber: Listener) -> None:
    now = timezone.now()
    assert settle_stuck(now=now) == 0, "it might still be under way"
    assert settle_stuck(now=now + STUCK) == 1
    assert settle_stuck(now=now + STUCK * 2) == 0, "the outbox has it"
    assert drain() == ["DONE"]
    assert (state(), is_on_there(subscriber)) == ("OFF", False)


def test_a_crash_while_switching_off_is_swept_up_too(known: Platform, phone: Api, subscriber: Listener) -> None:
    switch(phone, True)
    begin(Device.objects.get(), Device.Offline.DISABLING, now=timezone.now())

    assert settle_stuck(now=timezone.now() + STUCK) == 1
    drain()
    assert (state(), is_on_there(subscriber)) == ("OFF", False)


def test_the_timetable_sweeps_and_prunes(half_on: Device) -> None:
    Device.objects.update(switched_at=timezone.now() - STUCK)
    scheduled = {entry["task"] for entry in django_settings.CELERY_BEAT_SCHEDULE.values()}

    assert {settle.name, prune.name} <= scheduled
    assert settle() == 1
    prune()
    assert Device.objects.exists()


def test_the_next_try_settles_a_crash(half_on: Device, phone: Api) -> None:
    assert body_of(switch(phone, True)) == ON


def test_a_place_that_a_crash_holds_is_held(half_on: Device, phone: Api) -> None:
    Plan.objects.update(offline_devices=1)
    assert several(phone, "b") == [409]
    settle_stuck(now=timezone.now() + STUCK)
    drain()
    assert switch(phone, True, "b").status_code == 200


def test_a_message_that_a_person_drops_frees_the_place(half_on: Device, known: Platform) -> None:
    settle_stuck(now=timezone.now() + STUCK)
    Message.objects.filter(topic="device.disable").update(state=Message.State.DEAD)

    assert discard(Message.objects.filter(topic="device.disable")) == 1
    assert state() == "OFF"


def test_a_late_off_does_not_undo_an_on(known: Platform, phone: Api, subscriber: Listener) -> None:
    switch(phone, True)
    stale = switch_of(Device.objects.get(), subscriber)
    begin(Device.objects.get(), Device.Offline.DISABLING, now=timezone.now())
    assert body_of(switch(phone, True)) == ON

    tell_off(stale)
    assert (state(), is_on_there(subscriber)) == ("ON", False)
    assert body_of(switch(phone, True)) == ON
    assert is_on_there(subscriber), "whoever asks again has it told again"


@pytest.mark.usefixtures("known")
def test_a_switch_takes_few_statements(phone: Api, django_assert_max_num_queries: Callable[..., Any]) -> None:
    with django_assert_max_num_queries(14):
        switch(phone, True)
