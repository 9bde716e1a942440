"""A listener gets everything we hold about them, as a ZIP of JSON, and nothing of anybody else's."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4
from zipfile import ZipFile

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import exports, registry
from accounts.exports import expire_exports, make_exports, make_next_export, request_export
from accounts.models import Export, ExportPart, Listener
from billing.models import BillingEvent
from catalogue.models import Track
from tests.accounts.marks import lead_a_life
from tests.helpers import Api, expect_problem, play

pytestmark = pytest.mark.django_db
MINE, THEIRS = "canary-of-mine", "canary-of-theirs"


def asked(phone: Api) -> dict[str, Any]:
    response = phone.post("me/exports")
    assert response.status_code == 202, response.content
    body: dict[str, Any] = json.loads(response.content)
    return body


def fetched(phone: Api, export_id: str) -> dict[str, Any]:
    """The files of an export, by name."""
    response = phone.get(f"me/exports/{export_id}")
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == "application/zip"
    assert response.headers["Cache-Control"] == "no-store"
    content = b"".join(response)
    assert len(content) == int(response.headers["Content-Length"])
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def test_holds_all_of_ones_own_and_nothing_of_anybody_elses(
    make_listener: Callable[..., Listener], api: Callable[[Listener], Api], boss: Client, track: Track
) -> None:
    me, other = make_listener(), make_listener()
    lead_a_life(me, api(me), boss, track, MINE)
    lead_a_life(other, api(other), boss, track, THEIRS)
    export = asked(api(me))

    assert make_exports() == 1

    files = fetched(api(me), export["id"])
    assert set(files) == {
        "account.json", "changes_by_staff.json", "email_addresses.json", "country_history.json", "sessions.json",
        "subscriptions.json", "told_to_the_platform.json", "subscription_history.json",
        "billing_events.json", "plays.json", "streams.json", "streams_issued.json", "devices.json",
        "offline_copies.json", "playlists.json", "playlist_items.json", "purchases.json", "refunds.json",
        "locker.json", "locker_tracks.json", "purchase_events.json", "preview_plays.json",
        "keyed_requests.json",
    }  # fmt: skip
    assert me.user is not None
    assert files["account.json"][0]["email"] == me.user.email
    assert [row["country"] for row in files["country_history.json"]] == ["GB", "FR"]
    assert {row["changed"] for row in files["country_history.json"]} == {"you"}
    text = json.dumps(files)
    for mark in ("key", "device", "subscription", "playlist", "event-1", "postcode", "transaction"):
        assert f"{MINE}-{mark}" in text
    assert f"{MINE}-cardholder" not in text  # was in the letter, and is not in what was read from it
    assert files["plays.json"][0]["played_at"].endswith("Z")
    assert THEIRS not in text
    assert me.platform_id not in text
    assert str(other.pk) not in text


def test_an_event_that_names_somebody_else_is_theirs(
    make_listener: Callable[..., Listener], api: Callable[[Listener], Api], boss: Client, track: Track
) -> None:
    me, other = make_listener(), make_listener()
    lead_a_life(me, api(me), boss, track, MINE)
    data = {"account_id": str(other.pk), "postcode": THEIRS}
    BillingEvent.objects.create(provider="standard", event_id="x", subject=f"{MINE}-subscription", data=data)
    export = asked(api(me))

    make_exports()

    assert [row["event_id"] for row in fetched(api(me), export["id"])["billing_events.json"]] == [f"{MINE}-event-1"]


def test_waits_until_it_is_made(api: Callable[[Listener], Api], listener: Listener) -> None:
    phone = api(listener)
    export = asked(phone)

    assert set(export) == {"id", "state", "requested_at", "expires_at"}
    assert (export["state"], export["expires_at"]) == ("WAITING", None)
    response = phone.get(f"me/exports/{export['id']}")
    assert (response.status_code, json.loads(response.content)) == (202, export)
    assert response.headers["Retry-After"] == "5"
    assert asked(phone)["id"] == export["id"]  # one waits at a time


def test_belongs_to_its_listener_alone(
    api: Callable[[Listener], Api], make_listener: Callable[..., Listener], stranger: Api
) -> None:
    me, other = make_listener(), make_listener()
    export = asked(api(me))
    make_exports()

    theirs = expect_problem(api(other).get(f"me/exports/{export['id']}"), 404, "not_found")
    nobodys = expect_problem(api(other).get(f"me/exports/{uuid4()}"), 404, "not_found")
    assert theirs | {"trace_id": ""} == nobodys | {"trace_id": ""}
    expect_problem(stranger.get(f"me/exports/{export['id']}"), 401, "not_authenticated")
    expect_problem(stranger.post("me/exports"), 401, "not_authenticated")


@pytest.mark.parametrize("name", ["x", "7", "%00", "..", "é"])
def test_there_is_none_under_another_name(api: Callable[[Listener], Api], listener: Listener, name: str) -> None:
    expect_problem(api(listener).get(f"me/exports/{name}"), 404, "not_found")


def test_is_fetched_whatever_is_accepted(api: Callable[[Listener], Api], listener: Listener) -> None:
    export = asked(api(listener))
    make_exports()

    assert api(listener).get(f"me/exports/{export['id']}", Accept="application/zip").status_code == 200


def test_is_taken_away_after_its_days(api: Callable[[Listener], Api], listener: Listener, settings: Settings) -> None:
    export = asked(api(listener))
    make_exports()
    Export.objects.update(expires_at=timezone.now())

    expect_problem(api(listener).get(f"me/exports/{export['id']}"), 404, "export_expired")
    assert expire_exports(now=timezone.now()) == 1
    assert not ExportPart.objects.exists()
    expect_problem(api(listener).get(f"me/exports/{export['id']}"), 404, "export_expired")


def test_a_newer_one_takes_the_place_of_the_older(api: Callable[[Listener], Api], listener: Listener) -> None:
    first = asked(api(listener))
    make_exports()
    second = asked(api(listener))
    assert "account.json" in fetched(api(listener), first["id"])

    make_exports()

    expect_problem(api(listener).get(f"me/exports/{first['id']}"), 404, "export_expired")
    assert "account.json" in fetched(api(listener), second["id"])
    assert set(ExportPart.objects.values_list("export", flat=True)) == {UUID(second["id"])}


def test_one_that_cannot_be_made_is_tried_again_and_then_says_so(
    api: Callable[[Listener], Api], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._tellers, "broken", lambda listener_id: [{"x": object()}])
    export = asked(api(listener))
    now = timezone.now()

    for attempt in range(1, exports.ATTEMPTS + 1):
        assert api(listener).get(f"me/exports/{export['id']}").status_code == 202
        assert make_next_export(now=now)
        assert not make_next_export(now=now)  # it rests
        now += exports.REST * attempt

    expect_problem(api(listener).get(f"me/exports/{export['id']}"), 409, "export_failed")
    assert not ExportPart.objects.exists()
    assert asked(api(listener))["id"] != export["id"]


def test_a_large_one_is_kept_and_sent_in_parts(
    api: Callable[[Listener], Api], subscriber: Listener, track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PART_BYTES", 2000)
    plays = [play(track.pk, played_at=timezone.now().isoformat(), source=uuid4().hex) for _ in range(200)]
    assert json.loads(api(subscriber).post("plays", {"plays": plays}).content)["accepted"] == 200
    export = asked(api(subscriber))

    make_exports()

    assert ExportPart.objects.count() > 3
    told = fetched(api(subscriber), export["id"])["plays.json"]
    assert {row["source"] for row in told} == {each["source"] for each in plays}


@pytest.mark.django_db(transaction=True)
def test_several_workers_share_the_work(make_listener: Callable[..., Listener]) -> None:
    for _ in range(6):
        request_export(listener=make_listener())
    start = Barrier(3)

    def work(_: int) -> int:
        try:
            start.wait(5)
            return make_exports()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as threads:
        assert sum(threads.map(work, range(3))) == 6

    assert set(Export.objects.values_list("state", flat=True)) == {"READY"}


@pytest.mark.django_db(transaction=True)
def test_asking_at_the_same_moment_makes_one(listener: Listener) -> None:
    start = Barrier(4)

    def tap(_: int) -> UUID:
        try:
            start.wait(5)
            return request_export(listener=listener).pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(tap, range(4)))) == 1


def test_asking_costs_little(
    api: Callable[[Listener], Api], listener: Listener, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(6):  # the account, twice; a transaction's two ends, and in it the row and the newest
        asked(api(listener))
