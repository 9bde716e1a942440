"""POST /streams gives a listener one stream at a time, and only what they may hear."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.actions import close_account
from accounts.models import Listener
from catalogue.models import Track
from streaming.api import Streams, read_wish
from streaming.models import StreamGrant, StreamHolder
from subscriptions.models import Plan
from tests.helpers import Api, apply_member, expect_problem, offer, release_event, track_member
from usage.partitions import drop_partitions, ensure_partitions

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(subscriber: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(subscriber)


def wish(track: Track, client_id: str = "phone", **changes: Any) -> dict[str, Any]:
    return {"track_id": track.pk, "format_id": 26, "client_id": client_id} | changes


def expect_stream(response: Any) -> dict[str, Any]:
    assert response.status_code == 201, response.content
    body: dict[str, Any] = json.loads(response.content)
    return body


def test_signs_a_url_for_this_listener_track_and_device(phone: Api, subscriber: Listener, track: Track) -> None:
    response = phone.post("streams", wish(track))

    body = expect_stream(response)
    assert response.headers["Cache-Control"] == "no-store"
    assert set(body) == {"stream_id", "url", "expires_at", "mime_type", "track_id", "format_id", "client_id"}
    assert (body["track_id"], body["format_id"], body["client_id"]) == (track.pk, 26, "phone")
    assert body["mime_type"] == "audio/mpeg"
    parts = urlsplit(body["url"])
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert parts.path == "/stream/subscription"
    assert query["userId"] == subscriber.platform_id
    assert (query["trackId"], query["formatId"], query["clientId"]) == (str(track.pk), "26", "phone")
    assert (query["country"], query["releaseId"]) == ("GB", str(track.release_id))
    assert query["oauth_signature_method"] == "HMAC-SHA1"
    assert str(subscriber.pk) not in body["url"]


def test_offers_a_playlist_instead_of_a_file(phone: Api, track: Track) -> None:
    body = expect_stream(phone.post("streams", wish(track, delivery="hls")))

    assert body["mime_type"] == "application/vnd.apple.mpegurl"
    assert urlsplit(body["url"]).path == "/stream/subscription.m3u8"


def test_takes_one_round_trip(phone: Api, track: Track, django_assert_num_queries: Callable[..., Any]) -> None:
    phone.post("streams", wish(track))
    with django_assert_num_queries(1):
        expect_stream(phone.post("streams", wish(track)))
    with django_assert_num_queries(1):
        expect_stream(phone.post("streams", wish(track, "tablet")))
    with django_assert_num_queries(3):  # the claim, then why not
        expect_problem(phone.post("streams", wish(track)), 409, "playing_elsewhere")


def test_the_release_must_be_the_tracks(phone: Api, track: Track) -> None:
    expect_stream(phone.post("streams", wish(track, release_id=track.release_id)))

    problem = expect_problem(phone.post("streams", wish(track, release_id=7)), 400, "invalid_parameter")
    assert problem["errors"][0]["pointer"] == "/release_id"


def test_a_refusal_is_not_to_be_kept_either(api: Any, listener: Listener, track: Track) -> None:
    assert api(listener).post("streams", wish(track)).headers["Cache-Control"] == "no-store"


def test_needs_a_subscription(listener: Listener, api: Callable[[Listener], Api], track: Track) -> None:
    assert expect_problem(api(listener).post("streams", wish(track)), 403, "no_subscription")["platform_code"] == 2002


@pytest.mark.parametrize(
    ("starts", "ends", "covered"),
    [(-1, 1, True), (-10, -1, False), (1, 10, False), (-10, 0, False)],
)
def test_needs_one_that_covers_now(
    listener: Listener, api: Any, subscribe: Any, track: Track, starts: int, ends: int, covered: bool
) -> None:
    now = timezone.now()
    start, end = now + timedelta(hours=starts), now + timedelta(hours=ends)
    subscribe(
        listener, activated_at=start, starts_at=start, expires_at=max(end, start + timedelta(1)), entitled_until=end
    )

    assert api(listener).post("streams", wish(track)).status_code == (201 if covered else 403)


def test_does_not_know_an_unknown_track(phone: Api) -> None:
    body = phone.post("streams", {"track_id": 999, "format_id": 26, "client_id": "phone"})

    assert expect_problem(body, 404, "track_not_found")["platform_code"] == 2001


FUTURE = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)

UNAVAILABLE: list[tuple[dict[str, Any], str]] = [
    ({"offers": [offer(["US"])]}, "TERRITORY"),
    ({"offers": []}, "USE"),
    ({"offers": [offer(start=FUTURE.isoformat())]}, "NOT_YET"),
    ({"offers": [offer(end="2025-01-01T00:00:00Z")]}, "ENDED"),
    ({"offers": [offer(["US"]), offer(["GB"], end="2025-01-01T00:00:00Z")]}, "ENDED"),
]


@pytest.mark.parametrize(("change", "reason"), UNAVAILABLE)
def test_says_why_a_known_track_cannot_be_played(phone: Api, shelve: Any, change: dict[str, Any], reason: str) -> None:
    (track,) = shelve(tracks=[track_member(9001, **change)])

    body = expect_problem(phone.post("streams", wish(track)), 403, "track_unavailable")

    assert body["reason"] == reason
    assert body["platform_code"] == 2002
    assert ("available_from" in body) == (reason == "NOT_YET")
    if reason == "NOT_YET":
        assert body["available_from"] == FUTURE.isoformat().replace("+00:00", "Z")
    assert not StreamHolder.objects.exists()


@pytest.mark.parametrize(("listed", "streams"), [(set(), True), ({4}, True), ({4, 9}, True), ({9}, False)])
def test_only_licensors_on_the_list_are_heard(
    phone: Api, track: Track, settings: Settings, listed: set[int], streams: bool
) -> None:
    settings.LICENSORS = frozenset(listed)
    response = phone.post("streams", wish(track))
    shown = json.loads(phone.get(f"catalogue/tracks/{track.pk}").content)
    asked = json.loads(phone.get(f"catalogue/tracks/{track.pk}/availability").content)

    assert Track.objects.playable(country="GB", at=timezone.now()).filter(pk=track.pk).exists() is streams
    assert (shown["playable"], asked["available"], response.status_code == 201) == (streams,) * 3
    if not streams:
        assert expect_problem(response, 403, "track_unavailable")["reason"] == "USE"
        assert shown["unplayable_reason"] == "USE"
        assert {rule["rule"]: rule["holds"] for rule in asked["reasons"]}["LICENSOR"] is False


def test_the_end_of_time_is_no_trouble(api: Any, listener: Listener, shelve: Any) -> None:
    last = "9999-12-31T23:59:59.9999999"
    [track] = shelve(tracks=[track_member(1, offers=[offer(start=last), offer(end=last)])])

    expect_problem(api(listener).post("streams", wish(track)), 403, "no_subscription")


def test_a_sale_is_no_right_to_stream(phone: Api, shelve: Any) -> None:
    (track,) = shelve(tracks=[track_member(9001, offers=[], downloadAvailability=[offer()])])

    assert expect_problem(phone.post("streams", wish(track)), 403, "track_unavailable")["reason"] == "USE"


def test_stops_with_the_takedown(phone: Api, shelve: Any, track: Track) -> None:

    apply_member({"id": track.release_id, "version": 2, "takedown": True})

    assert expect_problem(phone.post("streams", wish(track)), 403, "track_unavailable")["reason"] == "TAKEN_DOWN"


def test_stops_when_a_snapshot_drops_the_track(phone: Api, shelve: Any, track: Track) -> None:
    shelve(version=2, tracks=release_event()["tracks"][1:])

    assert expect_problem(phone.post("streams", wish(track)), 403, "track_unavailable")["reason"] == "TAKEN_DOWN"


def test_respects_the_explicit_filter(phone: Api, subscriber: Listener, shelve: Any) -> None:
    (track,) = shelve(tracks=[track_member(9001, explicitContent=True)])
    expect_stream(phone.post("streams", wish(track)))
    Listener.objects.update(explicit_filter=True)

    assert expect_problem(phone.post("streams", wish(track)), 403, "track_unavailable")["reason"] == "EXPLICIT_FILTER"


@pytest.mark.parametrize("format_id", [17, 45, 1, 999])
def test_streams_only_streamable_formats(phone: Api, track: Track, format_id: int) -> None:
    expect_problem(phone.post("streams", wish(track, format_id=format_id)), 400, "invalid_parameter")


def test_ends_at_once_for_a_closed_account(phone: Api, subscriber: Listener, track: Track) -> None:
    close_account(listener=subscriber, now=timezone.now())

    expect_problem(phone.post("streams", wish(track)), 401, "not_authenticated")


BAD_WISHES: list[tuple[Any, str, str]] = [
    ({"format_id": 26, "client_id": "p"}, "missing_parameter", "/track_id"),
    ({"track_id": 1, "client_id": "p"}, "missing_parameter", "/format_id"),
    ({"track_id": 1, "format_id": 26}, "missing_parameter", "/client_id"),
    ({"track_id": 0, "format_id": 26, "client_id": "p"}, "invalid_parameter", "/track_id"),
    ({"track_id": 2**31, "format_id": 26, "client_id": "p"}, "invalid_parameter", "/track_id"),
    ({"track_id": "x", "format_id": 26, "client_id": "p"}, "invalid_parameter", "/track_id"),
    ({"track_id": 1, "format_id": 26, "client_id": ""}, "invalid_parameter", "/client_id"),
    ({"track_id": 1, "format_id": 26, "client_id": "x" * 256}, "invalid_parameter", "/client_id"),
    ({"track_id": 1, "format_id": 26, "client_id": ["p"]}, "invalid_parameter", "/client_id"),
    ({"track_id": 1, "format_id": 26, "client_id": "p", "delivery": "torrent"}, "invalid_parameter", "/delivery"),
]


@pytest.mark.parametrize(("body", "code", "pointer"), BAD_WISHES)
def test_explains_what_is_wrong(phone: Api, body: Any, code: str, pointer: str) -> None:
    errors = expect_problem(phone.post("streams", body), 400, code)["errors"]

    assert {error["pointer"]: error["code"] for error in errors} == {pointer: code}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"track_id": NaN}', 400, "invalid_json"),
        (b'{"client_id": "\\u0000", "track_id": 1, "format_id": 26}', 400, "invalid_json"),
        (b'{"client_id": "\\ud800", "track_id": 1, "format_id": 26}', 400, "invalid_json"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, 400, "invalid_json"),
        (b"[]", 400, "invalid_parameter"),
        (b" " * 65537, 413, "body_too_large"),
    ],
)
def test_refuses_a_hostile_body(phone: Api, body: bytes, status: int, code: str) -> None:
    expect_problem(phone.post("streams", body), status, code)


def test_wants_json(phone: Api) -> None:
    expect_problem(phone.post("streams", b"track_id=1", Content_Type="text/plain"), 415, "unsupported_media_type")


@pytest.mark.parametrize("client_id", ["x" * 255, "📱", " ", "a/b?c&d=e%20"])
def test_takes_any_device_id(phone: Api, track: Track, client_id: str) -> None:
    body = expect_stream(phone.post("streams", wish(track, client_id)))

    assert body["client_id"] == client_id
    assert parse_qs(urlsplit(body["url"]).query, keep_blank_values=True)["clientId"] == [client_id]


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "track_id": st.one_of(st.integers(-1, 2**31), st.none()),
            "format_id": st.one_of(st.integers(-1, 100), st.booleans(), st.none()),
            "accept": st.one_of(st.none(), st.lists(st.sampled_from(["mp3", "aac", "ogg", 7]), max_size=3)),
            "max_bitrate": st.one_of(st.none(), st.integers(-1, 400)),
            "client_id": st.one_of(st.text(max_size=3), st.just("x" * 256), st.none()),
            "release_id": st.one_of(st.none(), st.integers(0, 3)),
            "delivery": st.sampled_from(["hls", "progressive", "HLS", None]),
        },
    )
)
def test_what_is_read_fast_is_what_the_schema_says(body: dict[str, Any]) -> None:
    """Whatever msgspec lets pass, the serializer in the OpenAPI document must let pass too."""
    try:
        read = read_wish(json.dumps(body).encode())
    except Exception:  # noqa: BLE001
        return
    if "\x00" in read.client_id or not read.client_id or (read.format_id is None) is (read.accept is None):
        return

    documented = Streams.Input(data=body)

    assert documented.is_valid(), documented.errors
    assert {name: getattr(read, name) for name in documented.validated_data} == documented.validated_data


# --- a format by what the device can play ---------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "format_id"),
    [
        ({"accept": ["aac", "mp3"]}, 56),
        ({"accept": ["mp3"]}, 26),
        ({"accept": ["MP3", "ogg"]}, 26),
        ({"accept": ["he-aac", "aac"], "max_bitrate": 100}, 55),
        ({"accept": ["he-aac", "aac"], "max_bitrate": 64}, 55),
        ({"accept": ["aac", "mp3", "he-aac"], "max_bitrate": 128}, 26),
    ],
)
def test_chooses_the_best_that_the_device_can_play(
    phone: Api, track: Track, asked: dict[str, Any], format_id: int
) -> None:
    body = wish(track) | asked
    del body["format_id"]

    issued = expect_stream(phone.post("streams", body))

    assert issued["format_id"] == format_id
    assert parse_qs(urlsplit(issued["url"]).query)["formatId"] == [str(format_id)]


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"accept": ["ogg"]}, "/accept"),
        ({"accept": []}, "/accept"),
        ({"accept": ["mp3"], "max_bitrate": 64}, "/accept"),
        ({"accept": "mp3"}, "/accept"),
        ({"accept": ["mp3"] * 21}, "/accept"),
        ({"accept": ["x" * 33]}, "/accept/0"),
        ({"accept": ["mp3"], "max_bitrate": 0}, "/max_bitrate"),
        ({"accept": ["mp3"], "format_id": 26}, "/accept"),
    ],
)
def test_says_when_nothing_fits(phone: Api, track: Track, asked: dict[str, Any], pointer: str) -> None:
    body = wish(track) | asked
    if "format_id" not in asked:
        del body["format_id"]

    errors = expect_problem(phone.post("streams", body), 400, "invalid_parameter")["errors"]

    assert [error["pointer"] for error in errors] == [pointer]


# --- one device -----------------------------------------------------------------------------------


def later(seconds: float) -> None:
    """Let time pass for the holder: everything it remembers moves into the past."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE streaming_streamholder SET
                since = since - %(s)s * interval '1 second',
                plays_until = plays_until - %(s)s * interval '1 second',
                blocks = (SELECT coalesce(jsonb_object_agg(key, value::float8 - %(s)s), '{}') FROM jsonb_each(blocks)),
                others = (SELECT coalesce(jsonb_object_agg(key, value::float8 - %(s)s), '{}') FROM jsonb_each(others))
            """,
            {"s": seconds},
        )


def test_a_second_device_takes_over_and_the_first_is_blocked(phone: Api, track: Track) -> None:
    expect_stream(phone.post("streams", wish(track, "A")))
    expect_stream(phone.post("streams", wish(track, "B")))

    response = phone.post("streams", wish(track, "A"))

    body = expect_problem(response, 409, "playing_elsewhere")
    assert body["platform_code"] == 3201
    assert body["holder"] == "B"
    assert 1 <= int(response.headers["Retry-After"]) <= settings.STREAM_BLOCK_SECONDS
    until = datetime.fromisoformat(body["blocked_until"])
    assert timedelta(seconds=50) < until - timezone.now() <= timedelta(seconds=60)
    expect_stream(phone.post("streams", wish(track, "B")))


def test_after_its_block_the_first_takes_over_in_turn(phone: Api, track: Track) -> None:
    expect_stream(phone.post("streams", wish(track, "A")))
    expect_stream(phone.post("streams", wish(track, "B")))
    later(settings.STREAM_BLOCK_SECONDS + 1)

    expect_stream(phone.post("streams", wish(track, "A")))

    assert expect_problem(phone.post("streams", wish(track, "B")), 409, "playing_elsewhere")["holder"] == "A"


def test_a_third_device_blocks_the_second_and_the_first_stays_blocked(phone: Api, track: Track) -> None:
    for client_id in "ABC":
        expect_stream(phone.post("streams", wish(track, client_id)))

    for client_id in "AB":
        assert expect_problem(phone.post("streams", wish(track, client_id)), 409, "playing_elsewhere")["holder"] == "C"


def test_moving_on_after_the_track_has_ended_blocks_nobody(phone: Api, track: Track) -> None:
    expect_stream(phone.post("streams", wish(track, "A")))
    later(track.duration_seconds + 1)

    expect_stream(phone.post("streams", wish(track, "B")))
    later(track.duration_seconds + 1)

    expect_stream(phone.post("streams", wish(track, "A")))


def test_giving_up_blocks_nobody(phone: Api, track: Track) -> None:
    expect_stream(phone.post("streams", wish(track, "A")))
    assert phone.delete("streams/current?client_id=A").status_code == 204

    expect_stream(phone.post("streams", wish(track, "B")))
    assert phone.delete("streams/current?client_id=B").status_code == 204

    expect_stream(phone.post("streams", wish(track, "A")))


def test_giving_up_what_another_holds_changes_nothing(phone: Api, track: Track) -> None:
    expect_stream(phone.post("streams", wish(track, "A")))

    assert phone.delete("streams/current?client_id=B").status_code == 204

    assert json.loads(phone.get("streams/current").content)["client_id"] == "A"


def test_prefetching_the_next_track_keeps_the_stream(phone: Api, shelve: Any) -> None:
    long, short = shelve(tracks=[track_member(1, duration=300), track_member(2, number=2, duration=10)])
    first = expect_stream(phone.post("streams", wish(long)))
    since = StreamHolder.objects.get().since
    second = expect_stream(phone.post("streams", wish(short)))

    holder = StreamHolder.objects.get()
    assert holder.since == since
    assert holder.plays_until - holder.since >= timedelta(seconds=300)
    assert first["stream_id"] != second["stream_id"]


def test_blocks_are_forgotten_once_they_are_over(phone: Api, track: Track) -> None:
    for number in range(5):
        expect_stream(phone.post("streams", wish(track, f"device {number}")))
        later(settings.STREAM_BLOCK_SECONDS + 1)

    expect_stream(phone.post("streams", wish(track, "last")))

    assert set(StreamHolder.objects.get().blocks) == {"device 4"}


def test_another_listeners_devices_are_no_concern(
    phone: Api, api: Any, make_listener: Any, subscribe: Any, track: Track
) -> None:
    other = make_listener()
    subscribe(other)

    expect_stream(phone.post("streams", wish(track, "A")))
    expect_stream(api(other).post("streams", wish(track, "B")))
    expect_stream(phone.post("streams", wish(track, "A")))


def test_shows_who_holds_the_stream(phone: Api, track: Track) -> None:
    expect_problem(phone.get("streams/current"), 404, "no_stream")
    stream_id = expect_stream(phone.post("streams", wish(track, "A")))["stream_id"]

    response = phone.get("streams/current")

    body = json.loads(response.content)
    assert response.headers["Cache-Control"] == "no-store"
    assert (body["stream_id"], body["client_id"], body["track_id"]) == (stream_id, "A", track.pk)
    assert set(body) == {"stream_id", "client_id", "holder", "track_id", "since", "expires_at"}
    assert body["holder"] == "A"  # it has not said how it is called


@pytest.mark.parametrize(
    ("query", "code"),
    [("", "missing_parameter"), ("?client_id=", "missing_parameter"), ("?client_id=" + "x" * 256, "invalid_parameter")],
)
def test_giving_up_needs_a_device(phone: Api, query: str, code: str) -> None:
    expect_problem(phone.delete(f"streams/current{query}"), 400, code)


# --- several devices ------------------------------------------------------------------------------


@pytest.fixture
def pair(subscriber: Listener) -> None:
    """The listener's plan lets two devices stream."""
    Plan.objects.filter(subscription__listener=subscriber).update(concurrent_streams=2)


@pytest.mark.usefixtures("pair")
def test_a_plan_for_two_displaces_the_one_whose_track_ends_first(phone: Api, track: Track) -> None:
    for device in ("A", "B"):
        expect_stream(phone.post("streams", wish(track, device)))
        later(10)
    expect_stream(phone.post("streams", wish(track, "A")))  # it may go on
    expect_stream(phone.post("streams", wish(track, "C")))

    assert expect_problem(phone.post("streams", wish(track, "B")), 409, "playing_elsewhere")["holder"] == "C"
    expect_stream(phone.post("streams", wish(track, "A")))


@pytest.mark.usefixtures("pair")
def test_a_plan_for_two_counts_no_device_whose_track_has_ended(phone: Api, track: Track) -> None:
    expect_stream(phone.post("streams", wish(track, "A")))
    expect_stream(phone.post("streams", wish(track, "B")))
    later(300)
    for device in ("C", "D", "C"):
        expect_stream(phone.post("streams", wish(track, device)))

    holder = StreamHolder.objects.get()
    assert (holder.client_id, set(holder.others), holder.blocks) == ("C", {"D"}, {})


@pytest.mark.usefixtures("pair")
def test_a_plan_for_two_lets_each_of_them_give_up(phone: Api, track: Track) -> None:
    for device in ("A", "B"):
        expect_stream(phone.post("streams", wish(track, device)))

    assert phone.delete("streams/current?client_id=A").status_code == 204

    expect_stream(phone.post("streams", wish(track, "C")))
    expect_stream(phone.post("streams", wish(track, "B")))
    assert StreamHolder.objects.get().blocks == {}


def test_a_plan_for_fewer_displaces_as_many_as_are_too_many(phone: Api, subscriber: Listener, track: Track) -> None:
    plans = Plan.objects.filter(subscription__listener=subscriber)
    plans.update(concurrent_streams=3)
    for device in ("A", "B", "C"):
        expect_stream(phone.post("streams", wish(track, device)))
    plans.update(concurrent_streams=1)

    expect_stream(phone.post("streams", wish(track, "D")))

    assert set(StreamHolder.objects.get().blocks) == {"A", "B", "C"}


# --- grants ---------------------------------------------------------------------------------------


def test_what_was_issued_is_written_down(phone: Api, subscriber: Listener, track: Track) -> None:
    issued = expect_stream(phone.post("streams", wish(track, "A")))
    expect_stream(phone.post("streams", wish(track, "B")))
    expect_problem(phone.post("streams", wish(track, "A")), 409, "playing_elsewhere")

    first, second = StreamGrant.objects.order_by("issued_at")

    assert (str(first.stream_id), first.listener_id, first.client_id) == (issued["stream_id"], subscriber.pk, "A")
    assert (first.track_id, first.release_id, first.format_id) == (track.pk, track.release_id, 26)
    assert (first.country, first.offline, second.client_id) == ("GB", False, "B")


def test_grants_lie_in_the_partition_of_their_month(phone: Api, track: Track) -> None:
    expect_stream(phone.post("streams", wish(track, "A")))

    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM streaming_grant")
        [(name,)] = cursor.fetchall()
    assert name == f"streaming_grant_{timezone.now():%Y_%m}"


def test_old_grants_are_dropped_month_by_month() -> None:
    now = datetime(2031, 6, 15, tzinfo=UTC)
    ensure_partitions(now=now, table="streaming_grant")

    gone = drop_partitions(now=now, table="streaming_grant", months=2)

    assert gone[-1] == "streaming_grant_2031_03"
    assert "streaming_grant_2031_04" not in gone
    assert drop_partitions(now=now, table="streaming_grant", months=2) == []
