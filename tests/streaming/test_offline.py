"""A device keeps tracks on a lease, under keys of its own, and is told what must go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

import pytest
import requests
from django.conf import settings as django_settings
from django.utils import timezone
from pytest_django import Settings

from accounts.actions import close_account
from accounts.models import Listener
from catalogue.models import Track
from streaming.copies import check_in, prune_copies
from streaming.keys import copy_key, key_id
from streaming.models import Device, OfflineCopy, StreamGrant, StreamHolder
from streaming.rules import LATE, NAMED, STEP
from subscriptions.models import Subscription
from tests.helpers import Api, apply_member, expect_problem, offer, release_event, track_member
from tests.sandbox.platform import Partner, Platform
from tests.streaming.conftest import body_of, switch
from usage.models import Play

pytestmark = pytest.mark.django_db
FUTURE = (timezone.now() + timedelta(days=30)).replace(microsecond=0)


def wish(track_id: int, **changes: Any) -> dict[str, Any]:
    return {"track_id": track_id, "format_id": 26, "client_id": "phone"} | changes


def keep(phone: Api, track: Track, **changes: Any) -> dict[str, Any]:
    return body_of(phone.post("offline/copies", wish(track.pk, **changes)), 201)


def manifest(phone: Api, client_id: str = "phone") -> dict[str, Any]:
    return body_of(phone.get(f"offline/manifest?client_id={quote(client_id, safe='')}"))


def kept(phone: Api) -> list[int]:
    return [copy["track_id"] for copy in manifest(phone)["copies"]]


def removals(phone: Api) -> dict[int, str]:
    told = manifest(phone)
    assert told["copies"] == []
    return {removal["track_id"]: removal["reason"] for removal in told["removals"]}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- one track ------------------------------------------------------------------------------------


def test_a_track_to_keep(phone: Api, subscriber: Listener, device: Device, track: Track) -> None:
    response = phone.post("offline/copies", wish(track.pk))
    copy = body_of(response, 201)

    assert response.headers["Cache-Control"] == "no-store"
    assert set(copy) == {
        "stream_id", "url", "expires_at", "mime_type", "track_id", "format_id", "client_id", "release_id",
        "lease_ends_at", "key_id", "key",
    }  # fmt: skip
    parts = urlsplit(copy["url"])
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert parts.path == "/offline/subscription"
    assert (query["userId"], query["clientId"], query["country"]) == (subscriber.platform_id, "phone", "GB")
    assert (query["trackId"], query["formatId"], query["releaseId"]) == (str(track.pk), "26", str(track.release_id))
    assert (copy["release_id"], copy["mime_type"]) == (track.release_id, "audio/mpeg")
    grant = StreamGrant.objects.get()
    assert (str(grant.stream_id), grant.offline, grant.client_id) == (copy["stream_id"], True, "phone")


def test_a_playlist_to_keep(phone: Api, device: Device, track: Track) -> None:
    copy = keep(phone, track, delivery="hls")

    assert urlsplit(copy["url"]).path == "/offline/subscription.m3u8"
    assert copy["mime_type"] == "application/vnd.apple.mpegurl"


def test_it_is_neither_a_stream_nor_a_play(phone: Api, device: Device, track: Track) -> None:
    assert phone.post("streams", wish(track.pk, client_id="tablet")).status_code == 201
    keep(phone, track)

    assert StreamHolder.objects.get().client_id == "tablet"
    assert not StreamHolder.objects.get().blocks
    assert not Play.objects.exists()


def test_asking_again_renews(phone: Api, device: Device, track: Track) -> None:
    first = keep(phone, track)
    OfflineCopy.objects.update(lease_ends_at=timezone.now())
    again = keep(phone, track, format_id=56)

    assert {name: first[name] for name in ("key", "key_id", "stream_id")} == {
        name: again[name] for name in ("key", "key_id", "stream_id")
    }
    row = OfflineCopy.objects.get()
    assert (row.format_id, row.lease_ends_at) == (56, instant(again["lease_ends_at"]))


def test_a_lease_ends_with_what_is_paid(phone: Api, device: Device, track: Track, settings: Settings) -> None:
    paid = Subscription.objects.get().entitled_until
    assert instant(keep(phone, track)["lease_ends_at"]) == paid
    settings.OFFLINE_LEASE_DAYS = 3
    lease = instant(keep(phone, track)["lease_ends_at"])
    assert timedelta(days=3, minutes=-1) < lease - timezone.now() <= timedelta(days=3)


UNAVAILABLE: list[tuple[dict[str, Any], str]] = [
    ({"offers": [offer(["US"])]}, "TERRITORY"),
    ({"offers": []}, "USE"),
    ({"offers": [offer(start=FUTURE.isoformat())]}, "NOT_YET"),
    ({"offers": [offer(end="2025-01-01T00:00:00Z")]}, "ENDED"),
]


@pytest.mark.parametrize(("change", "reason"), UNAVAILABLE)
def test_what_may_not_be_streamed_may_not_be_kept(
    phone: Api, device: Device, shelve: Any, change: dict[str, Any], reason: str
) -> None:
    (track,) = shelve(tracks=[track_member(9001, **change)])
    kept_no = expect_problem(phone.post("offline/copies", wish(track.pk)), 403, "track_unavailable")
    streamed_no = expect_problem(phone.post("streams", wish(track.pk)), 403, "track_unavailable")

    assert kept_no["reason"] == reason
    assert {**kept_no, "trace_id": ""} == {**streamed_no, "trace_id": ""}
    assert not OfflineCopy.objects.exists()


def test_what_streams_refuse_is_refused(phone: Api, device: Device, track: Track) -> None:
    def post(**changes: Any) -> Any:
        return phone.post("offline/copies", wish(track.pk) | changes)

    expect_problem(post(track_id=999), 404, "track_not_found")
    expect_problem(post(format_id=17), 400, "invalid_parameter")
    expect_problem(post(release_id=7), 400, "invalid_parameter")
    expect_problem(post(client_id=""), 400, "invalid_parameter")
    expect_problem(post(client_id="x" * 256), 400, "invalid_parameter")
    expect_problem(post(track_id=2**31), 400, "invalid_parameter")
    expect_problem(phone.post("offline/copies", {}), 400, "missing_parameter")
    Subscription.objects.update(entitled_until=timezone.now())
    expect_problem(post(), 403, "no_subscription")
    Subscription.objects.update(plan="standard-unlimited-streaming", entitled_until=FUTURE - timedelta(days=20))
    assert expect_problem(post(), 403, "offline_not_in_plan")["platform_code"] == 1003


@pytest.mark.parametrize("change", [{"offline": "OFF"}, {"offline": "ENABLING"}, {"offline": "DISABLING"}])
def test_only_an_enabled_device_keeps(phone: Api, device: Device, track: Track, change: dict[str, Any]) -> None:
    Device.objects.update(**change)
    problem = expect_problem(phone.post("offline/copies", wish(track.pk)), 409, "device_not_authorised")
    assert problem["platform_code"] == 2002


def test_only_ones_own_device_keeps(api: Any, make_listener: Any, subscribe: Any, device: Device, track: Track) -> None:
    other = make_listener()
    subscribe(other)
    expect_problem(api(other).post("offline/copies", wish(track.pk)), 409, "device_not_authorised")
    expect_problem(api(other).get("offline/manifest?client_id=phone"), 404, "device_not_found")


def test_so_many_tracks_and_no_more(phone: Api, device: Device, shelve: Any) -> None:
    first, second, third = shelve(tracks=[track_member(9000 + n, number=n) for n in (1, 2, 3)])
    Device.objects.update(max_tracks=2)
    keep(phone, first)
    keep(phone, second)
    assert expect_problem(phone.post("offline/copies", wish(third.pk)), 409, "offline_tracks_full")["limit"] == 2
    keep(phone, second)
    assert phone.delete(f"offline/copies/{first.pk}?client_id=phone").status_code == 204
    keep(phone, third)
    assert kept(phone) == [second.pk, third.pk]
    Device.objects.update(generation=2)
    keep(phone, first)
    keep(phone, third)
    assert kept(phone) == [first.pk, third.pk], "what has lost its key counts no longer"


def test_without_a_limit_there_is_none(phone: Api, device: Device, track: Track) -> None:
    Device.objects.update(max_tracks=None)
    keep(phone, track)
    assert manifest(phone)["max_tracks"] is None


def test_dropping_is_harmless(phone: Api, api: Any, make_listener: Any, device: Device, track: Track) -> None:
    keep(phone, track)
    other = api(make_listener())
    assert other.delete(f"offline/copies/{track.pk}?client_id=phone").status_code == 204
    assert phone.delete(f"offline/copies/{track.pk}?client_id=tablet").status_code == 204
    assert phone.delete(f"offline/copies/{2**40}?client_id=phone").status_code == 204
    assert kept(phone) == [track.pk]


def test_a_ban_counts_at_once(phone: Api, subscriber: Listener, device: Device, track: Track) -> None:
    for _ in range(20):
        keep(phone, track)
        subscriber.user.is_active = False  # type: ignore[union-attr]
        subscriber.user.save()  # type: ignore[union-attr]
        expect_problem(phone.post("offline/copies", wish(track.pk)), 401, "not_authenticated")
        expect_problem(phone.get("offline/manifest?client_id=phone"), 401, "not_authenticated")
        subscriber.user.is_active = True  # type: ignore[union-attr]
        subscriber.user.save()  # type: ignore[union-attr]
    close_account(listener=subscriber, now=timezone.now())
    expect_problem(phone.post("offline/copies", wish(track.pk)), 401, "not_authenticated")


# --- keys -----------------------------------------------------------------------------------------


def by_hand(listener_id: UUID, device_id: UUID, track_id: int, number: int) -> bytes:
    """HKDF-SHA256 as RFC 5869 writes it."""
    extracted = hmac.digest(b"tonearm offline copy 1", django_settings.OFFLINE_KEY_SECRET.encode(), hashlib.sha256)
    info = listener_id.bytes + device_id.bytes + track_id.to_bytes(4, "big") + number.to_bytes(4, "big")
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def test_a_key_is_derived(phone: Api, subscriber: Listener, device: Device, track: Track) -> None:
    key = base64.b64decode(keep(phone, track)["key"])

    assert len(key) == 32
    assert key == by_hand(subscriber.pk, device.pk, track.pk, 1)


def test_every_key_is_another(device: Device, settings: Settings) -> None:
    me, other = UUID(int=1), UUID(int=2)
    facts = {"listener_id": me, "device_id": me, "track_id": 1, "number": 1}
    changes: list[dict[str, Any]] = [{}, {"listener_id": other}, {"device_id": other}, {"track_id": 2}, {"number": 2}]
    keys = {copy_key(**(facts | change)) for change in changes}
    names = {key_id(device_id=me, number=1), key_id(device_id=other, number=1), key_id(device_id=me, number=2)}
    settings.OFFLINE_KEY_SECRET = "another"
    assert len(keys | {copy_key(**facts)}) == 6  # type: ignore[arg-type]
    assert len(names | {key_id(device_id=me, number=1)}) == 4


def test_no_key_is_kept_or_logged(phone: Api, device: Device, track: Track, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    copy = keep(phone, track)
    row = OfflineCopy.objects.values().get()

    assert copy["key"] not in caplog.text + str(row)
    assert "key" not in json.dumps(manifest(phone)).replace("key_id", "")


def test_switching_off_and_on_rotates_the_key(phone: Api, known: Platform, track: Track) -> None:
    phone.put("devices/phone", {})
    switch(phone, True)
    first = keep(phone, track)
    switch(phone, False)
    switch(phone, True)
    assert removals(phone) == {track.pk: "OFFLINE_OFF"}, "what was kept has lost its key"
    second = keep(phone, track)

    assert first["key"] != second["key"]
    assert first["key_id"] != second["key_id"]
    assert [copy["key_id"] for copy in manifest(phone)["copies"]] == [second["key_id"]]


def test_removing_and_coming_back_rotates_the_key(phone: Api, known: Platform, track: Track) -> None:
    phone.put("devices/phone", {})
    switch(phone, True)
    first = keep(phone, track)
    phone.delete("devices/phone")
    phone.put("devices/phone", {})
    switch(phone, True)

    assert keep(phone, track)["key"] != first["key"]


# --- check-in -------------------------------------------------------------------------------------


def test_a_manifest_says_what_may_be_kept(phone: Api, device: Device, track: Track) -> None:
    copy = keep(phone, track)
    response = phone.get("offline/manifest?client_id=phone")
    told = body_of(response)

    assert response.headers["Cache-Control"] == "no-store"
    assert told.pop("server_time").endswith("Z")
    named = {name: copy[name] for name in ("track_id", "release_id", "format_id", "lease_ends_at", "key_id")}
    assert told == {
        "client_id": "phone", "offline_enabled": True, "max_tracks": 4000, "copies": [named], "removals": [],
    }  # fmt: skip


def test_a_check_in_renews(phone: Api, device: Device, track: Track) -> None:
    paid = instant(keep(phone, track)["lease_ends_at"])
    for before, after in [
        (paid - timedelta(days=9), paid),
        (paid - STEP, paid),
        (paid - STEP + timedelta(seconds=1), paid - STEP + timedelta(seconds=1)),
        (paid + timedelta(days=9), paid),
        (timezone.now() - LATE + timedelta(minutes=1), paid),
    ]:
        OfflineCopy.objects.update(lease_ends_at=before)
        assert [instant(copy["lease_ends_at"]) for copy in manifest(phone)["copies"]] == [after]
        assert OfflineCopy.objects.get().lease_ends_at == after


def test_a_late_check_in_renews_nothing(phone: Api, device: Device, track: Track) -> None:
    keep(phone, track)
    OfflineCopy.objects.update(lease_ends_at=timezone.now() - LATE)

    assert removals(phone) == {track.pk: "LEASE_ENDED"}


@pytest.mark.parametrize(("change", "reason"), UNAVAILABLE)
def test_a_track_that_may_be_kept_no_longer_is_named(
    phone: Api, device: Device, shelve: Any, change: dict[str, Any], reason: str
) -> None:
    stays, goes = shelve(tracks=[track_member(9001), track_member(9002, number=2)])
    keep(phone, stays)
    keep(phone, goes)
    shelve(version=2, tracks=[track_member(9001), track_member(9002, number=2, **change)])
    told = manifest(phone)

    assert [copy["track_id"] for copy in told["copies"]] == [9001]
    assert told["removals"] == [{"track_id": 9002, "reason": reason}]
    assert manifest(phone)["removals"] == told["removals"], "it stays named"


def test_a_takedown_and_an_explicit_filter_are_named(
    phone: Api, subscriber: Listener, device: Device, shelve: Any
) -> None:
    (track,) = shelve(tracks=[track_member(9001, explicitContent=True)])
    keep(phone, track)
    Listener.objects.update(explicit_filter=True)
    assert removals(phone) == {9001: "EXPLICIT_FILTER"}
    Listener.objects.update(explicit_filter=False)
    assert kept(phone) == [9001]
    apply_member({"id": track.release_id, "version": 2, "takedown": True})
    assert removals(phone) == {9001: "TAKEN_DOWN"}


def test_a_track_that_the_mirror_has_lost_is_taken_down(phone: Api, device: Device, track: Track) -> None:
    keep(phone, track)
    OfflineCopy.objects.update(track_id=424242)
    assert removals(phone) == {424242: "TAKEN_DOWN"}


def test_everything_goes_with_what_carried_it(phone: Api, device: Device, track: Track) -> None:
    keep(phone, track)
    Subscription.objects.update(plan="standard-unlimited-streaming")
    assert removals(phone) == {track.pk: "SUBSCRIPTION_ENDED"}
    Subscription.objects.update(plan="premium-unlimited-streaming", entitled_until=timezone.now())
    assert removals(phone) == {track.pk: "SUBSCRIPTION_ENDED"}
    Device.objects.update(offline="DISABLING")
    assert removals(phone) == {track.pk: "OFFLINE_OFF"}
    Device.objects.update(removed_at=timezone.now())
    told = manifest(phone)
    assert told["removals"] == [{"track_id": track.pk, "reason": "DEVICE_REMOVED"}]
    assert told["offline_enabled"] is False


def test_a_subscription_that_comes_back_brings_the_leases_back(phone: Api, device: Device, track: Track) -> None:
    keep(phone, track)
    now = timezone.now()
    OfflineCopy.objects.update(lease_ends_at=now - timedelta(days=2))
    Subscription.objects.update(entitled_until=now - timedelta(days=2))
    assert removals(phone) == {track.pk: "SUBSCRIPTION_ENDED"}
    Subscription.objects.update(entitled_until=now + timedelta(days=9))
    assert kept(phone) == [track.pk]


def test_copies_are_named_for_a_while_and_then_forgotten(phone: Api, device: Device, track: Track) -> None:
    keep(phone, track)
    end = OfflineCopy.objects.get().lease_ends_at

    assert prune_copies(now=end + LATE + NAMED - timedelta(seconds=1)) == 0
    assert prune_copies(now=end + LATE + NAMED) == 1


def test_a_check_in_costs_the_same_whatever_is_kept(
    phone: Api, device: Device, shelve: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    tracks = shelve(tracks=[track_member(9000 + n, number=n) for n in range(1, 30)])
    for some in (tracks[:1], tracks):
        for track in some:
            keep(phone, track)
        with django_assert_num_queries(5):
            assert len(kept(phone)) == len(some)
        OfflineCopy.objects.update(lease_ends_at=timezone.now())
        with django_assert_num_queries(6):
            manifest(phone)


def test_asking_for_a_track_costs_little(
    phone: Api, device: Device, track: Track, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    with django_assert_max_num_queries(13):
        keep(phone, track)


def test_four_thousand_tracks_cost_no_more_statements_than_one(
    phone: Api, subscriber: Listener, device: Device, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    offers = [offer(), offer(["US"])]
    for release in range(40):
        members = [track_member(10_000 + release * 100 + n, number=n, offers=offers) for n in range(100)]
        apply_member(release_event(100 + release, tracks=members))
    lease = timezone.now() + timedelta(days=1)
    OfflineCopy.objects.bulk_create(
        OfflineCopy(
            device=device, track_id=track.pk, release_id=track.release_id, format_id=26, key_number=1,
            lease_ends_at=lease,
        )
        for track in Track.objects.all()
    )  # fmt: skip

    with django_assert_max_num_queries(5):
        told = check_in(listener_id=subscriber.pk, client_id="phone", now=timezone.now())

    assert (len(told.copies), told.removals) == (4000, [])


# --- the platform ---------------------------------------------------------------------------------


def test_the_platform_sends_the_audio_for_as_long_as_the_device_is_enabled(
    phone: Api, subscriber: Listener, known: Platform
) -> None:
    phone.put("devices/phone", {})
    switch(phone, True)
    there = known.track()
    apply_member(release_event(tracks=[track_member(there)]))
    copy = body_of(phone.post("offline/copies", wish(there)), 201)
    audio = requests.get(copy["url"], timeout=10)
    shelf = known.control("GET", f"audio/{there}/26").json()

    assert (audio.status_code, len(audio.content)) == (200, shelf["bytes"])
    (line,) = known.journal("streams")
    assert (line["offline"], line["clientId"]) == (True, "phone")
    phone.delete("devices/phone")
    expect_problem(phone.post("offline/copies", wish(there)), 409, "device_not_authorised")
    partner = Partner(known)
    refused = partner.stream(subscriber.platform_id, there, path="/offline/subscription", clientId="phone")
    assert refused.status_code == 403
    partner.close()
