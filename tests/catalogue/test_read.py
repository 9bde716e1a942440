"""What phones see of the catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Listener
from catalogue.models import Offer, Region, Track
from catalogue.regions import region_id
from catalogue.rules import Reason, Use, Window, judge
from catalogue.words import fold, query_words, tsquery_of
from tests.helpers import Api, apply_member, expect_problem, offer, track_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(listener: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(listener)


def titles(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [found["title"] for found in json.loads(response.content)["results"]]


def test_a_track_carries_all_that_a_phone_shows(phone: Api, track: Track) -> None:
    shown = json.loads(phone.get(f"catalogue/tracks/{track.pk}").content)

    assert shown == {
        "id": track.pk,
        "title": "Tide",
        "version": "",
        "artist": {"id": 501, "name": "The Lamplighters"},
        "release": {"id": 7001001, "title": "Harbour Lights"},
        "isrc": track.isrc,
        "duration_seconds": 204,
        "explicit": False,
        "track_number": 1,
        "disc_number": 1,
        "image_url": shown["image_url"],
        "playable": True,
        "unplayable_reason": None,
    }
    assert shown["image_url"].endswith("/static/img/sleeveart/00/070/010/0007001001_{size}.jpg")


def test_a_release_carries_its_tracks_in_order(phone: Api, shelve: Any) -> None:
    shelve(
        tracks=[
            track_member(3, title="C", discNumber=2),
            track_member(2, title="B", number=2),
            track_member(1, title="A"),
        ]
    )

    shown = json.loads(phone.get("catalogue/releases/7001001").content)

    assert shown["title"] == "Harbour Lights"
    assert [each["title"] for each in shown["tracks"]] == ["A", "B", "C"]


def test_what_is_elsewhere_is_shown_and_not_playable(phone: Api, shelve: Any) -> None:
    shelve(tracks=[track_member(1, offers=[offer(["US"])])])

    shown = json.loads(phone.get("catalogue/tracks/1").content)

    assert (shown["playable"], shown["unplayable_reason"]) == (False, "TERRITORY")


def test_a_release_that_was_taken_down_is_not_shown(phone: Api, track: Track) -> None:
    apply_member({"id": track.release_id, "version": 9, "takedown": True})

    expect_problem(phone.get(f"catalogue/releases/{track.release_id}"), 404, "release_not_found")
    assert json.loads(phone.get(f"catalogue/tracks/{track.pk}").content)["unplayable_reason"] == "TAKEN_DOWN"
    assert titles(phone.get("catalogue/search?q=tide")) == []


@pytest.mark.parametrize("path", ["tracks/999", "tracks/0", "tracks/99999999999", "releases/999", "artists/999"])
def test_the_unknown_is_not_found(phone: Api, path: str) -> None:
    expect_problem(phone.get(f"catalogue/{path}"), 404, f"{path.split('/')[0][:-1]}_not_found")


def test_a_batch_keeps_its_order_and_lists_what_is_missing(phone: Api, shelve: Any) -> None:
    one, two = shelve()

    body = json.loads(phone.get(f"catalogue/tracks?ids={two.pk},999,{one.pk},{two.pk}").content)

    assert [each["id"] for each in body["results"]] == [two.pk, one.pk]
    assert body["missing"] == [999]


def test_a_recording_is_found_by_its_isrc(phone: Api, track: Track) -> None:
    written = f"{track.isrc[:2]}-{track.isrc[2:5]}-{track.isrc[5:7]}-{track.isrc[7:]}".lower()

    assert titles(phone.get(f"catalogue/tracks?isrc={written}")) == ["Tide"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "missing_parameter"),
        ("?ids=", "missing_parameter"),
        ("?ids=1,x", "invalid_parameter"),
        ("?ids=1,,2", "invalid_parameter"),
        ("?ids=-1", "invalid_parameter"),
        ("?ids=99999999999", "invalid_parameter"),
        ("?ids=" + "9" * 5000, "invalid_parameter"),
        ("?ids=" + ",".join(["1"] * 51), "invalid_parameter"),
        ("?ids=%00", "invalid_parameter"),
        ("?ids=%D9%A1", "invalid_parameter"),
    ],
)
def test_a_batch_refuses_what_are_no_ids(phone: Api, query: str, code: str) -> None:
    expect_problem(phone.get(f"catalogue/tracks{query}"), 400, code)


def test_answers_not_modified_when_nothing_changed(phone: Api, track: Track) -> None:
    first = phone.get(f"catalogue/tracks/{track.pk}")

    again = phone.get(f"catalogue/tracks/{track.pk}", If_None_Match=first.headers["ETag"])

    assert not first.headers["ETag"].startswith("W/")
    assert (again.status_code, again.content) == (304, b"")


# --- search ----------------------------------------------------------------------------------------


@pytest.fixture
def shop(shelve: Any) -> None:
    shelve(
        tracks=[
            track_member(1, title="Café del Mär"),
            track_member(2, title="Don’t Look Back", subtitle="Live"),
            track_member(3, title="夜に駆ける", artist={"id": 7, "name": "YOASOBI"}),
            track_member(4, title="Straße im Regen", artist={"id": 8, "name": "Søren Ærø"}),
            track_member(5, title="Tide"),
        ]
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("cafe mar", ["Café del Mär"]),
        ("CAFÉ", ["Café del Mär"]),
        ("caf", ["Café del Mär"]),
        ("don't look", ["Don’t Look Back"]),
        ("dont live", ["Don’t Look Back"]),
        ("夜に", ["夜に駆ける"]),
        ("yoasobi", ["夜に駆ける"]),
        ("soren strasse", ["Straße im Regen"]),
        ("lamplighters tid", ["Tide"]),
        ("harbour tide", ["Tide"]),
        ("nothing like it", []),
        ("!!! & | : *", []),
        ("'); drop table", []),
    ],
)
def test_finds_by_words_across_title_artist_and_release(phone: Api, shop: None, query: str, found: list[str]) -> None:
    from urllib.parse import quote

    assert titles(phone.get(f"catalogue/search?q={quote(query)}")) == found


def test_finds_releases_and_artists_too(phone: Api, shop: None) -> None:
    assert titles(phone.get("catalogue/search?q=nowhere&type=release")) == []
    assert titles(phone.get("catalogue/search?q=harb&type=release")) == ["Harbour Lights"]
    names = [each["name"] for each in json.loads(phone.get("catalogue/search?q=soren&type=artist").content)["results"]]
    assert names == ["Søren Ærø"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("駆け", ["夜に駆ける"]),
        ("夜駆", ["夜に駆ける"]),
        ("lamplihgters tide", ["Tide"]),
        ("strase", ["Straße im Regen"]),
        ("yoasbi", ["夜に駆ける"]),
        ("harbor tide", ["Tide"]),
        ("zzzzzzz tide", []),
        ("gb-qqq-25-00002", ["Don’t Look Back"]),
        ("GBQQQ2500002", ["Don’t Look Back"]),
        ("5050000000017", ["Café del Mär", "Don’t Look Back", "夜に駆ける", "Straße im Regen", "Tide"]),
    ],
)
def test_finds_what_was_meant(phone: Api, shop: None, query: str, found: list[str]) -> None:
    from urllib.parse import quote

    assert titles(phone.get(f"catalogue/search?q={quote(query)}")) == found


def test_a_title_counts_for_more_than_the_release_it_is_on(phone: Api, shelve: Any) -> None:
    shelve(id_=1, title="Rain", tracks=[track_member(1, title="Sun"), track_member(2, title="Wind")])
    shelve(id_=2, title="Other", tracks=[track_member(3, title="Rain")])

    assert titles(phone.get("catalogue/search?q=rain"))[0] == "Rain"


def test_the_popular_come_first_among_equals(phone: Api, shelve: Any) -> None:
    shelve(tracks=[track_member(number, title="Rain", number=number) for number in (1, 2, 3)])
    Track.objects.filter(pk=2).update(popularity=50)

    found = json.loads(phone.get("catalogue/search?q=rain").content)["results"]
    assert [each["id"] for each in found] == [2, 1, 3]


def test_pages_through_results(phone: Api, shelve: Any) -> None:
    shelve(tracks=[track_member(number, title=f"Tide {number}", number=number) for number in range(1, 8)])
    path, seen = "/api/v1/catalogue/search?q=tide&limit=3", []

    while path:
        page = json.loads(phone.get(path).content)
        seen += [each["id"] for each in page["results"]]
        path = (page["next"] or "").replace("http://testserver", "")

    assert sorted(seen) == list(range(1, 8))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "missing_parameter"),
        ("?q=%20", "missing_parameter"),
        ("?q=" + "x" * 201, "invalid_parameter"),
        ("?q=%00", "invalid_parameter"),
        ("?q=a&type=song", "invalid_parameter"),
        ("?q=a&limit=0", "invalid_parameter"),
        ("?q=a&limit=101", "invalid_parameter"),
        ("?q=a&limit=-1", "invalid_parameter"),
        ("?q=a&limit=1e3", "invalid_parameter"),
        ("?q=a&cursor=nonsense", "invalid_parameter"),
        ("?q=a&cursor=bzk5OTk5", "invalid_parameter"),
    ],
)
def test_refuses_a_bad_search(phone: Api, query: str, code: str) -> None:
    expect_problem(phone.get(f"catalogue/search{query}"), 400, code)


def test_costs_a_constant_number_of_queries(phone: Api, shelve: Any, django_assert_num_queries: Any) -> None:
    shelve(tracks=[track_member(number, title="Tide", number=number) for number in range(1, 51)])

    for limit in (1, 50):
        with django_assert_num_queries(4):  # the listener, the words, the best ids, their tracks
            assert len(titles(phone.get(f"catalogue/search?q=tide&limit={limit}"))) == limit


@given(st.text(max_size=40))
def test_any_text_makes_a_query_postgresql_can_read(text: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT to_tsquery('simple', %s)", [tsquery_of(query_words(text.replace("\x00", "")))])
        assert cursor.fetchone() is not None


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


# --- availability ------------------------------------------------------------------------------------


def test_names_every_rule_that_was_asked(phone: Api, shelve: Any) -> None:
    shelve(tracks=[track_member(1, offers=[offer(["US"])])])

    body = json.loads(phone.get("catalogue/tracks/1/availability").content)

    assert body["available"] is False
    holds = {rule["rule"]: rule["holds"] for rule in body["reasons"]}
    assert holds == {
        "TAKEN_DOWN": True, "LICENSOR": True, "USE": True, "TERRITORY": False, "EXPLICIT_FILTER": True,
    }  # fmt: skip

    body = json.loads(phone.get("catalogue/tracks/1/availability?country=US").content)
    assert {rule["rule"] for rule in body["reasons"] if rule["holds"]} == {reason.value for reason in Reason}


@pytest.mark.parametrize(
    ("query", "available"),
    [
        ("", True),
        ("?country=US", False),
        ("?use=download", False),
        ("?at=2019-12-31T23:59:59Z", False),
        ("?at=2020-01-01T00:00:00Z", True),
        ("?at=2020-01-01T01:00:00%2B01:00", True),
    ],
)
def test_can_ask_about_another_country_use_or_time(phone: Api, track: Track, query: str, available: bool) -> None:
    assert json.loads(phone.get(f"catalogue/tracks/{track.pk}/availability{query}").content)["available"] is available


def test_asks_for_each_use_by_itself(phone: Api, shelve: Any) -> None:
    shelve(tracks=[track_member(1, offers=[], adSupportedStreamingAvailability=[offer()])])

    available = {
        use: json.loads(phone.get(f"catalogue/tracks/1/availability?use={use}").content)["available"]
        for use in ("stream", "download", "ad_stream")
    }

    assert available == {"stream": False, "download": False, "ad_stream": True}


@pytest.mark.parametrize("query", ["?country=gb", "?use=steal", "?at=noon", "?at=2020-01-01T00:00:00"])
def test_refuses_a_bad_question(phone: Api, track: Track, query: str) -> None:
    expect_problem(phone.get(f"catalogue/tracks/{track.pk}/availability{query}"), 400, "invalid_parameter")


SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = st.integers(-3, 3).map(lambda days: SOME_DAY + timedelta(days=days))
OFFERS = st.lists(st.tuples(st.sampled_from(["GB", "US"]), DAYS, st.one_of(st.none(), DAYS)), max_size=4).map(
    lambda offers: [each for each in offers if each[2] is None or each[2] > each[1]]
)


@settings(max_examples=60, deadline=None)
@given(OFFERS, DAYS)
def test_the_database_and_the_rules_agree(offers: list[Any], at: datetime) -> None:
    Offer.objects.all().delete()
    apply_member(
        {"id": 77, "version": 1, "artist": {"id": 1, "name": "A"}, "tracks": [{"id": 78, "title": "T"}]},
    )
    for country, start, end in offers:
        region, _ = Region.objects.get_or_create(id=region_id((country,)), defaults={"territories": [country]})
        Offer.objects.create(release_id=77, track_id=78, use=Use.STREAM, region=region, starts_at=start, ends_at=end)

    windows = [Window(here=country == "GB", starts_at=start, ends_at=end) for country, start, end in offers]
    verdict = judge(windows=windows, use=Use.STREAM, country="GB", at=at)

    assert Track.objects.playable(country="GB", at=at).exists() == verdict.playable
