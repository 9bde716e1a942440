"""POST /plays takes every honest play once, and says what is wrong with the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Listener, Residence
from catalogue.models import Track
from kernel.values import rfc3339
from tests.helpers import Api, expect_problem, play, zipped
from usage.models import Play, PlayKey

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(subscriber: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(subscriber)


def ago(**spans: float) -> str:
    return rfc3339(timezone.now() - timedelta(**spans))


def move(listener: Listener, country: str, *, since: timedelta) -> None:
    """Let the listener live in a country from so long ago."""
    Residence.objects.create(listener=listener, country=country, since=timezone.now() - since)
    Listener.objects.filter(pk=listener.pk).update(country=country)


def verdict(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.content
    body: dict[str, Any] = json.loads(response.content)
    assert set(body) == {"accepted", "duplicates", "rejected"}
    return body


def test_a_play_reported_late_has_the_country_it_was_played_in(phone: Api, subscriber: Listener, track: Track) -> None:
    subscriber.residences.update(since=timezone.now() - timedelta(days=9))
    move(subscriber, "FR", since=timedelta(days=6))
    move(subscriber, "DE", since=timedelta(days=3))
    days = [10, 8, 7, 5, 4, 2, 1]

    verdict(phone.post("plays", {"plays": [play(track.pk, played_at=ago(days=count)) for count in days]}))

    kept = Play.objects.order_by("played_at").values_list("country", flat=True)
    assert list(kept) == ["GB", "GB", "GB", "FR", "FR", "DE", "DE"]


def test_keeps_a_play_with_the_country_it_had(phone: Api, subscriber: Listener, track: Track) -> None:
    sent = play(track.pk, played_at="2026-11-01T10:00:00+02:00", source="playlist", source_id="p1")

    assert verdict(phone.post("plays", {"plays": [sent]})) == {"accepted": 1, "duplicates": 0, "rejected": []}

    kept = Play.objects.get()
    assert str(kept.play_id) == sent["play_id"]
    assert (kept.listener, kept.country, kept.state) == (subscriber, "GB", "WAITING")
    assert kept.played_at.isoformat() == "2026-11-01T08:00:00+00:00"
    assert (kept.seconds_played, kept.mode, kept.source, kept.source_id) == (120, "online", "playlist", "p1")


def test_counts_a_play_sent_again_once(phone: Api, track: Track) -> None:
    sent = play(track.pk, played_at=ago(minutes=5))

    verdict(phone.post("plays", {"plays": [sent]}))

    assert verdict(phone.post("plays", {"plays": [sent, sent]})) == {"accepted": 0, "duplicates": 2, "rejected": []}
    assert Play.objects.count() == 1


def test_counts_a_twin_within_one_request_once(phone: Api, track: Track) -> None:
    sent = play(track.pk, played_at=ago(minutes=5))

    assert verdict(phone.post("plays", {"plays": [sent, sent]})) == {"accepted": 1, "duplicates": 1, "rejected": []}


@pytest.mark.parametrize("change", [{"seconds_played": 1}, {"track_id": None}, {"played_at": "2026-11-02T10:00:00Z"}])
@pytest.mark.parametrize("together", [True, False])
def test_the_first_stands_where_an_id_comes_back_with_other_content(
    phone: Api, shelve: Callable[..., list[Track]], change: dict[str, Any], together: bool
) -> None:
    one, other = shelve()
    first = play(one.pk, played_at="2026-11-01T10:00:00Z")
    second = first | {name: value or other.pk for name, value in change.items()}

    if together:
        body = verdict(phone.post("plays", {"plays": [first, second]}))
    else:
        verdict(phone.post("plays", {"plays": [first]}))
        body = verdict(phone.post("plays", {"plays": [play(one.pk, played_at=ago(hours=1)), second]}))

    assert body["accepted"] == 1
    assert [(no["index"], no["play_id"], no["code"]) for no in body["rejected"]] == [
        (1, first["play_id"], "play_id_conflict")
    ]
    kept = Play.objects.get(play_id=first["play_id"])
    assert (kept.track_id, kept.seconds_played) == (one.pk, 120)


OFF_THE_MAP: list[tuple[dict[str, Any], str]] = [
    ({"track_id": 999_999_999}, "track_not_found"),
    ({"release_id": 999_999}, "invalid_parameter"),
]


@pytest.mark.parametrize(("change", "code"), OFF_THE_MAP)
def test_one_that_the_catalogue_does_not_know_costs_no_good_twin(
    phone: Api, track: Track, change: Any, code: str
) -> None:
    good = play(track.pk, played_at=ago(minutes=5))

    body = verdict(phone.post("plays", {"plays": [good | change, good | change | {"seconds_played": 7}, good, good]}))

    assert (body["accepted"], body["duplicates"]) == (1, 1)
    assert [(no["index"], no["code"]) for no in body["rejected"]] == [(0, code), (1, code)]
    assert Play.objects.get().track_id == track.pk


@pytest.mark.parametrize(("change", "code"), OFF_THE_MAP)
def test_a_twin_of_a_rejected_one_is_rejected_too(phone: Api, track: Track, change: Any, code: str) -> None:
    bad = play(track.pk, played_at=ago(minutes=5)) | change

    body = verdict(phone.post("plays", {"plays": [bad, play(track.pk, played_at=ago(minutes=1)), bad]}))

    assert (body["accepted"], body["duplicates"]) == (1, 0)
    assert [(no["index"], no["play_id"], no["code"]) for no in body["rejected"]] == [
        (0, bad["play_id"], code),
        (2, bad["play_id"], code),
    ]


@pytest.mark.parametrize(("change", "code"), OFF_THE_MAP)
def test_the_first_stands_against_one_that_the_catalogue_does_not_know(
    phone: Api, track: Track, change: Any, code: str
) -> None:
    good = play(track.pk, played_at=ago(minutes=5))

    for accepted, duplicates in ((1, 0), (0, 1)):
        body = verdict(phone.post("plays", {"plays": [good, good | change]}))

        assert (body["accepted"], body["duplicates"]) == (accepted, duplicates)
        assert [(no["index"], no["code"]) for no in body["rejected"]] == [(1, "play_id_conflict")]


def test_a_listener_cannot_take_anothers_play_id(
    phone: Api, track: Track, make_listener: Any, subscribe: Any, api: Any
) -> None:
    sent = play(track.pk, played_at=ago(minutes=5))
    other = make_listener()
    subscribe(other)

    assert verdict(phone.post("plays", {"plays": [sent]}))["accepted"] == 1
    assert verdict(api(other).post("plays", {"plays": [sent]}))["accepted"] == 1
    assert PlayKey.objects.count() == 2


NOT_TAKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"play_id": "not-a-uuid"}, "invalid_parameter", "play_id"),
    ({"play_id": ...}, "missing_parameter", "play_id"),
    ({"track_id": 2**31}, "invalid_parameter", "track_id"),
    ({"track_id": "abc"}, "invalid_parameter", "track_id"),
    ({"track_id": 999_999_999}, "track_not_found", "track"),
    ({"release_id": ...}, "missing_parameter", "release_id"),
    ({"release_id": 0}, "invalid_parameter", "release_id"),
    ({"release_id": 999_999}, "invalid_parameter", "release_id"),
    ({"format_id": -1}, "invalid_parameter", "format_id"),
    ({"format_id": 999}, "invalid_parameter", "format_id"),
    ({"played_at": "2026-11-01T10:00:00"}, "invalid_parameter", "played_at"),
    ({"played_at": "yesterday"}, "invalid_parameter", "played_at"),
    ({"played_at": "0001-01-01T00:00:00+14:00"}, "invalid_parameter", "played_at"),
    ({"played_at": "9999-12-31T23:59:59-12:00"}, "invalid_parameter", "played_at"),
    ({"played_at": "2026-11-01T10:00:60Z"}, "invalid_parameter", "played_at"),
    ({"played_at": 1790000000}, "invalid_parameter", "played_at"),
    ({"seconds_played": -1}, "invalid_parameter", "seconds_played"),
    ({"seconds_played": 1.5}, "invalid_parameter", "seconds_played"),
    ({"seconds_played": 86401}, "invalid_parameter", "seconds_played"),
    ({"mode": "ONLINE"}, "invalid_parameter", "mode"),
    ({"user_agent": "a\x00b"}, "invalid_parameter", "NUL"),
    ({"user_agent": None}, "invalid_parameter", "user_agent"),
    ({"source": "x" * 129}, "invalid_parameter", "source"),
]


@pytest.mark.parametrize(("change", "code", "named"), NOT_TAKEN)
def test_a_bad_play_costs_no_good_one(phone: Api, track: Track, change: Any, code: str, named: str) -> None:
    good = [play(track.pk, played_at=ago(minutes=minute)) for minute in (1, 2)]
    bad = {name: value for name, value in (good[0] | {"play_id": str(uuid4())} | change).items() if value is not ...}

    body = verdict(phone.post("plays", {"plays": [good[0], bad, good[1]]}))

    assert body["accepted"] == 2
    (no,) = body["rejected"]
    assert (no["index"], no["code"]) == (1, code)
    assert named in no["detail"]
    assert set(no) == {"index", "play_id", "code", "detail"}


@pytest.mark.parametrize("cut", [b"caf\xe9", b"\xff", b"\\ud83d", b"\\udc00x", b"\\u0000"])
@pytest.mark.parametrize("name", ["user_agent", "source", "play_id"])
def test_a_text_that_was_cut_costs_no_good_play(phone: Api, track: Track, name: str, cut: bytes) -> None:
    good, bad = (play(track.pk, played_at=ago(minutes=minute)) | {"source": "a"} for minute in (1, 2))
    body = json.dumps({"plays": [good, bad | {name: "CUT"}]}).encode().replace(b"CUT", cut)

    answer = verdict(phone.post("plays", body))

    assert answer["accepted"] == 1
    assert [no["index"] for no in answer["rejected"]] == [1]


@pytest.mark.parametrize("cut", [b"caf\xe9", b"\xff", b"\\ud83d", b"\\udc00x", b"\\u0000"])
def test_one_whose_text_was_cut_is_told_by_its_id(phone: Api, track: Track, cut: bytes) -> None:
    bad = play(track.pk, played_at=ago(minutes=1), user_agent="CUT")

    (no,) = verdict(phone.post("plays", json.dumps({"plays": [bad]}).encode().replace(b"CUT", cut)))["rejected"]

    assert (no["play_id"], no["code"]) == (bad["play_id"], "invalid_parameter")
    assert "a text holds" in no["detail"]


@pytest.mark.parametrize("bad", [None, 7, "play", [], [[]], {}])
def test_something_that_is_no_play_at_all(phone: Api, track: Track, bad: Any) -> None:
    body = verdict(phone.post("plays", {"plays": [bad, play(track.pk, played_at=ago(minutes=1))]}))

    assert body["accepted"] == 1
    assert body["rejected"][0]["index"] == 0


AGES = [
    (timedelta(days=60, hours=23, minutes=59, seconds=50), 1),
    (timedelta(days=61, seconds=1), 0),
    (timedelta(seconds=-30), 1),  # a phone whose clock runs a little fast
    (timedelta(seconds=-90), 0),
]


@pytest.mark.parametrize(("age", "accepted"), AGES)
def test_takes_what_the_platform_will_take(phone: Api, track: Track, age: timedelta, accepted: int) -> None:
    sent = play(track.pk, played_at=rfc3339(timezone.now() - age))

    assert verdict(phone.post("plays", {"plays": [sent]}))["accepted"] == accepted


def test_cuts_a_long_user_agent(phone: Api, track: Track) -> None:
    phone.post("plays", {"plays": [play(track.pk, played_at=ago(minutes=1), user_agent="é" * 300)]})

    assert Play.objects.get().user_agent == "é" * 256


def test_keeps_a_prefetched_track_that_was_never_played(phone: Api, track: Track) -> None:
    phone.post("plays", {"plays": [play(track.pk, played_at=ago(minutes=1), seconds_played=0)]})

    assert Play.objects.get().seconds_played == 0


@pytest.mark.parametrize("count", [1, 500])
def test_takes_up_to_five_hundred_gzipped(phone: Api, track: Track, count: int) -> None:
    plays = [play(track.pk, played_at=ago(seconds=60 + number)) for number in range(count)]

    response = phone.post("plays", zipped({"plays": plays}), Content_Encoding="gzip")

    assert verdict(response)["accepted"] == count
    assert Play.objects.count() == count


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"plays": []}, 400, "invalid_parameter"),
        ({"plays": [{}] * 501}, 400, "invalid_parameter"),
        ({"plays": {}}, 400, "invalid_parameter"),
        ({}, 400, "missing_parameter"),
        ([], 400, "invalid_parameter"),
        (b"{", 400, "invalid_json"),
        (b'{"plays": [NaN]}', 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_parameter"),
        (b'{"plays": [' + b"[" * 100_000, 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b" " * (1024 * 1024 + 1), 413, "body_too_large"),
    ],
)
def test_refuses_a_body_that_is_no_list_of_plays(phone: Api, body: Any, status: int, code: str) -> None:
    expect_problem(phone.post("plays", body), status, code)


def test_stops_a_gzip_bomb(phone: Api) -> None:
    expect_problem(phone.post("plays", zipped(b"0" * 50_000_000), Content_Encoding="gzip"), 413, "body_too_large")


@pytest.mark.parametrize("body", [b"not gzip", zipped(b"{}")[:-4], zipped(b"{}") + b"more"])
def test_refuses_broken_gzip(phone: Api, body: bytes) -> None:
    expect_problem(phone.post("plays", body, Content_Encoding="gzip"), 400, "bad_content_encoding")


def test_wants_json(phone: Api) -> None:
    expect_problem(
        phone.post("plays", b"plays=1", Content_Type="application/x-www-form-urlencoded"), 415, "unsupported_media_type"
    )


def test_refuses_whoever_never_subscribed(listener: Listener, api: Callable[[Listener], Api], track: Track) -> None:
    body = expect_problem(
        api(listener).post("plays", {"plays": [play(track.pk, played_at=ago(hours=1))]}), 403, "no_subscription"
    )

    assert body["platform_code"] == 2002
    assert not Play.objects.exists()


def test_takes_late_plays_after_a_lapse(phone: Api, subscriber: Listener, track: Track) -> None:
    subscriber.subscriptions.update(entitled_until=timezone.now() - timedelta(minutes=1))

    assert verdict(phone.post("plays", {"plays": [play(track.pk, played_at=ago(hours=1))]}))["accepted"] == 1


@pytest.mark.django_db(transaction=True)
def test_costs_a_constant_number_of_queries(
    phone: Api, track: Track, django_assert_num_queries: Callable[..., Any]
) -> None:
    def report(count: int) -> None:
        plays = [play(track.pk, played_at=ago(seconds=60 + number)) for number in range(count)]
        assert verdict(phone.post("plays", {"plays": plays}))["accepted"] == count

    report(1)
    for count in (1, 400):
        with django_assert_num_queries(4):  # BEGIN, COPY, one statement, COMMIT
            report(count)


@pytest.mark.django_db(transaction=True)
def test_twins_cost_one_query_however_many_they_are(
    phone: Api, track: Track, django_assert_num_queries: Callable[..., Any]
) -> None:
    phone.post("plays", {"plays": [play(track.pk, played_at=ago(minutes=1))]})
    twin = play(track.pk, played_at=ago(minutes=5))
    bad = [twin | {"track_id": 999_999_999, "seconds_played": number} for number in range(400)]

    with django_assert_num_queries(5):  # and what the ledger and the catalogue know of those that were not taken
        body = verdict(phone.post("plays", {"plays": [*bad, twin, *bad[:50]]}))

    assert (body["accepted"], len(body["rejected"])) == (1, 450)


def test_history_shows_where_each_play_stands(phone: Api, track: Track) -> None:
    for hours in (3, 1, 2):
        phone.post("plays", {"plays": [play(track.pk, played_at=ago(hours=hours))]})

    page = json.loads(phone.get("plays?limit=2").content)
    rest = json.loads(phone.get(page["next"].replace("http://testserver", "")).content)

    moments = [one["played_at"] for one in page["results"] + rest["results"]]
    assert moments == sorted(moments, reverse=True)
    assert len(moments) == 3
    assert rest["next"] is None
    assert {one["state"] for one in page["results"]} == {"WAITING"}


def test_history_is_nobody_elses(phone: Api, track: Track, make_listener: Any, api: Any) -> None:
    phone.post("plays", {"plays": [play(track.pk, played_at=ago(hours=1))]})

    assert json.loads(api(make_listener()).get("plays").content)["results"] == []


@pytest.mark.parametrize(
    "query", ["from=yesterday", "to=2026-01-01T00:00:00", "limit=0", "limit=1000", "limit=a", "cursor=cD1ub3RhZGF0ZQ=="]
)
def test_history_refuses_a_bad_query(phone: Api, query: str) -> None:
    assert phone.get(f"plays?{query}").status_code in {400, 404}
