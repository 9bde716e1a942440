"""A listener's devices register themselves, are renamed, and are removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.actions import close_account
from accounts.models import Listener
from catalogue.models import Track
from outbox.models import Message
from streaming.devices import prune_devices
from streaming.models import Device, StreamHolder
from tests.helpers import Api, expect_problem
from tests.streaming.conftest import body_of

pytestmark = pytest.mark.django_db
FACTS = {"name": "Ada’s phone", "model": "Pixel 9", "app_version": "2.1"}


def listed(phone: Api) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = body_of(phone.get("devices"))["results"]
    return results


def names(phone: Api) -> set[str]:
    return {device["client_id"] for device in listed(phone)}


def test_a_device_registers_itself(phone: Api) -> None:
    before = timezone.now()
    made = body_of(phone.put("devices/phone", FACTS), 201)

    assert made == {"client_id": "phone", "offline_enabled": False, **FACTS} | {
        "created_at": made["created_at"], "last_seen_at": made["last_seen_at"],
    }  # fmt: skip
    assert listed(phone) == [made]
    assert Device.objects.get().last_seen_at >= before


def test_a_device_is_renamed_and_keeps_what_is_left_out(phone: Api) -> None:
    phone.put("devices/phone", FACTS)
    changed = body_of(phone.put("devices/phone", {"name": "Kitchen", "listener": "x", "offline": "ON"}))

    assert {name: changed[name] for name in FACTS} == FACTS | {"name": "Kitchen"}
    assert changed["offline_enabled"] is False
    assert Device.objects.count() == 1


def test_the_one_seen_last_comes_first(phone: Api) -> None:
    for name in ("a", "b", "a"):
        phone.put(f"devices/{name}", {})

    assert [device["client_id"] for device in listed(phone)] == ["a", "b"]


@pytest.mark.parametrize(
    "client_id", ["a", "x" * 255, "👨‍👩‍👧 phone", "a/b", "a?b&c=d #%", "../..", " spaced ", "☃" * 255]
)
def test_an_id_may_be_any_text(phone: Api, client_id: str) -> None:
    path = f"devices/{quote(client_id, safe='')}"
    assert body_of(phone.put(path, FACTS), 201)["client_id"] == client_id
    assert names(phone) == {client_id}
    assert phone.delete(path).status_code == 204
    assert names(phone) == set()


@pytest.mark.parametrize("client_id", ["x" * 256, "a\x00b", "a\x1fb", "\x7f"])
def test_some_texts_are_no_ids(phone: Api, client_id: str) -> None:
    path = f"devices/{quote(client_id, safe='')}"
    for response in (phone.put(path, {}), phone.delete(path), phone.put(f"{path}/offline", {"enabled": True})):
        expect_problem(response, 400, "invalid_parameter")
    expect_problem(phone.get(f"offline/manifest?client_id={quote(client_id, safe='')}"), 400, "invalid_parameter")
    assert not Device.objects.exists()


def test_an_empty_id_is_none(phone: Api) -> None:
    expect_problem(phone.put("devices/", {}), 404, "not_found")
    expect_problem(phone.get("offline/manifest?client_id="), 400, "missing_parameter")
    expect_problem(phone.delete("offline/copies/1"), 400, "missing_parameter")


@pytest.mark.parametrize("body", [{"name": "x" * 256}, {"name": None}, {"model": ["a"]}, {"app_version": "1" * 65}, []])
def test_facts_are_short_texts(phone: Api, body: Any) -> None:
    expect_problem(phone.put("devices/phone", body), 400, "invalid_parameter")
    assert not Device.objects.exists()


def test_the_same_id_of_another_listener_is_another_device(phone: Api, api: Any, make_listener: Any) -> None:
    other = api(make_listener())
    phone.put("devices/phone", {"name": "mine"})
    unknown = expect_problem(other.delete("devices/phone"), 404, "device_not_found")
    gone = expect_problem(other.delete("devices/nobody's"), 404, "device_not_found")

    assert {**unknown, "trace_id": ""} == {**gone, "trace_id": ""}
    assert other.put("devices/phone", {"name": "theirs"}).status_code == 201
    assert other.delete("devices/phone").status_code == 204
    assert [device["name"] for device in listed(phone)] == ["mine"]


# --- how many -------------------------------------------------------------------------------------


def test_five_new_ones_a_day_and_no_more(phone: Api, settings: Settings) -> None:
    statuses = [phone.put(f"devices/{number}", {}).status_code for number in range(100)]

    assert statuses == [201] * 5 + [429] * 95
    assert phone.put("devices/3", {"name": "known"}).status_code == 200
    refused = phone.put("devices/new", {})
    assert expect_problem(refused, 429, "too_many_new_devices")["limit"] == 5
    assert 86_300 < int(refused.headers["Retry-After"]) <= 86_400


def test_removing_one_makes_no_room_for_a_new_one(phone: Api, settings: Settings) -> None:
    settings.NEW_DEVICES_PER_DAY = 1
    phone.put("devices/a", {})
    phone.delete("devices/a")

    assert phone.put("devices/b", {}).status_code == 429
    assert phone.put("devices/a", {}).status_code == 201, "it is back again, and not new"


def test_there_is_room_again_when_the_retry_says(phone: Api, settings: Settings) -> None:
    settings.NEW_DEVICES_PER_DAY = 2
    phone.put("devices/a", {})
    phone.put("devices/b", {})
    Device.objects.filter(client_id="a").update(created_at=timezone.now() - timedelta(days=1, seconds=-30))

    assert 28 <= int(phone.put("devices/c", {}).headers["Retry-After"]) <= 30
    Device.objects.filter(client_id="a").update(created_at=timezone.now() - timedelta(days=1))
    assert [phone.put(f"devices/{name}", {}).status_code for name in "cd"] == [201, 429]


def test_whoever_left_or_is_banned_registers_nothing(phone: Api, subscriber: Listener) -> None:
    assert subscriber.user is not None
    subscriber.user.is_active = False
    subscriber.user.save()
    expect_problem(phone.put("devices/phone", {}), 401, "not_authenticated")
    close_account(listener=subscriber, now=timezone.now())
    expect_problem(phone.put("devices/phone", {}), 401, "not_authenticated")


# --- seen and removed -----------------------------------------------------------------------------


def test_a_device_is_seen_once_a_minute(phone: Api, device: Device, track: Track) -> None:
    copy = {"track_id": track.pk, "format_id": 26, "client_id": "phone"}
    for call in (lambda: phone.post("offline/copies", copy), lambda: phone.get("offline/manifest?client_id=phone")):
        for ago, seen in ((30, False), (61, True)):
            before = timezone.now() - timedelta(seconds=ago)
            Device.objects.update(last_seen_at=before)
            assert call().status_code < 300
            assert (Device.objects.get().last_seen_at > before) is seen


def test_streams_need_no_registered_device(phone: Api, track: Track) -> None:
    assert phone.post("streams", {"track_id": track.pk, "format_id": 26, "client_id": "x"}).status_code == 201
    assert not Device.objects.exists()


def test_a_removed_device_gives_its_stream_up(phone: Api, track: Track) -> None:
    phone.put("devices/phone", {})
    for name in ("phone", "tablet"):
        wish = {"track_id": track.pk, "format_id": 26, "client_id": name}
        assert phone.post("streams", wish).status_code == 201
        assert phone.delete(f"devices/{name}").status_code == (204 if name == "phone" else 404)

    holder = StreamHolder.objects.get()
    assert (holder.client_id, holder.blocks) == ("tablet", {}), "nobody was displaced"
    assert not Message.objects.filter(topic="device.disable").exists(), "it was never offline"


def test_a_removed_device_is_gone_until_it_registers_again(phone: Api) -> None:
    phone.put("devices/phone", FACTS)
    phone.delete("devices/phone")

    assert listed(phone) == []
    expect_problem(phone.delete("devices/phone"), 404, "device_not_found")
    expect_problem(phone.put("devices/phone/offline", {"enabled": True}), 404, "device_not_found")
    assert body_of(phone.put("devices/phone", {}), 201)["name"] == FACTS["name"]


def test_devices_removed_long_ago_are_forgotten(phone: Api) -> None:
    for name in ("old", "new", "stays"):
        phone.put(f"devices/{name}", {})
    now = timezone.now()
    Device.objects.filter(client_id="old").update(removed_at=now - timedelta(days=31))
    Device.objects.filter(client_id="new").update(removed_at=now - timedelta(days=29))

    assert prune_devices(now=now) == 1
    assert set(Device.objects.values_list("client_id", flat=True)) == {"new", "stays"}


def test_the_list_costs_two_statements(
    phone: Api, device: Device, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(2):  # who asks, and the list
        assert names(phone) == {"phone"}


# --- the desk -------------------------------------------------------------------------------------


def remove(desk: Client, device: Device) -> Any:
    page = reverse("admin:streaming_device_changelist")
    return desk.post(page, {"action": "remove", "_selected_action": [device.pk]}, follow=True)


def test_support_removes_a_device(boss: Client, phone: Api, device: Device) -> None:
    Device.objects.update(offline=Device.Offline.OFF)
    response = remove(boss, device)

    assert "1 device(s) removed" in response.content.decode()
    assert listed(phone) == []
    assert "0 device(s) removed" in remove(boss, device).content.decode()


def test_who_only_looks_cannot_remove_one(clerk: Callable[..., Client], device: Device) -> None:
    desk = clerk("view_device")
    assert desk.get(reverse("admin:streaming_device_changelist")).status_code == 200
    remove(desk, device)

    assert Device.objects.get().removed_at is None


def test_nobody_edits_one(boss: Client, device: Device) -> None:
    page = boss.get(reverse("admin:streaming_device_change", args=[device.pk]))

    assert page.status_code == 200
    assert not page.context["has_change_permission"]
    assert json.dumps(device.client_id).strip('"') in page.content.decode()
