"""The locker in the guide's pages, filters and sorts, and the URLs for what stands in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.conf import settings as active
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Listener
from downloads.models import LockerRelease, LockerTrack, Purchase
from tests.downloads import shop
from tests.helpers import Api, expect_problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(api: Callable[[Listener], Api], buyer: Listener) -> Api:
    return api(buyer)


def fill(listener: Listener, count: int, *, tracks: int = 1) -> None:
    """A locker of so many releases, as bought elsewhere before: titles and dates run against each other."""
    now = timezone.now()
    releases = LockerRelease.objects.bulk_create(
        LockerRelease(
            listener=listener, release_id=number + 1, title=f"Release {number:05}", artist_name=f"Artist {number % 7}",
            purchased_at=now - timedelta(minutes=number),
        )
        for number in range(count)
    )  # fmt: skip
    LockerTrack.objects.bulk_create(
        LockerTrack(
            release=release, platform_id=release.release_id, track_id=release.release_id * 100 + number,
            title=f"Song {number}", artist_name=release.artist_name, track_number=number, whole_release=True,
            purchased_at=release.purchased_at, remaining_downloads=3, formats=[17, 33], read_at=now, there=True,
        )
        for release in releases
        for number in range(tracks)
    )  # fmt: skip


def asked(phone: Api, query: str = "") -> dict[str, Any]:
    response = phone.get(f"locker?{query}")
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = json.loads(response.content)
    return answer


def test_shows_what_was_bought(phone: Api, buyer: Listener) -> None:
    purchase = shop.sold(buyer)
    shown = asked(phone)

    (release,) = shown["results"]
    assert (shown["page"], shown["page_size"], shown["total_items"], shown["next"]) == (1, 10, 1, None)
    assert (release["id"], release["title"], release["artist_name"]) == (shop.RELEASE, "Low Tide", "The Lamplighters")
    assert "{size}" in release["image_url"]
    assert [track["track_id"] for track in release["tracks"]] == shop.TRACKS
    track = release["tracks"][0]
    assert (track["purchase_id"], track["whole_release"]) == (str(purchase.pk), True)
    assert track["remaining_downloads"] is None
    assert {each["id"] for each in track["formats"]} >= {17, 33}
    assert track["formats"][0].keys() == {"id", "codec", "bitrate", "mime_type"}


def test_is_nobody_elses(phone: Api, make_listener: Callable[..., Listener]) -> None:
    shop.sold(make_listener())

    assert asked(phone)["results"] == []


def test_goes_on_page_by_page(phone: Api, buyer: Listener) -> None:
    fill(buyer, 23)
    seen: list[str] = []
    url: str | None = f"http://testserver/api/v1/locker?page_size=5&sort={'releaseTitle desc'}"
    while url:
        parts = urlsplit(url)
        page = asked(phone, parts.query)
        assert page["total_items"] == 23
        seen += [each["title"] for each in page["results"]]
        url = page["next"]

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 23
    assert asked(phone, "page=9")["results"] == []


@pytest.mark.parametrize("column", ["title", "purchased_at", "artist_name"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_is_sorted_as_asked(phone: Api, buyer: Listener, column: str, order: str) -> None:
    fill(buyer, 20)
    name = {"title": "releaseTitle", "purchased_at": "purchaseDate", "artist_name": "artistName"}[column]

    values = [each[column] for each in asked(phone, f"page_size=50&sort={name}%20{order}")["results"]]

    assert values == sorted(values, reverse=order == "desc")
    assert asked(phone, "page_size=50")["results"][0]["title"] == "Release 00000"


def test_is_filtered_as_the_guide_has_it(phone: Api, buyer: Listener) -> None:
    whole = shop.sold(buyer)
    shop.stock(7002002, tracks=[200200101])
    single = shop.sold(buyer, transaction_id="T-2", release_id=7002002, track_id=200200101)

    def found(query: str) -> list[tuple[int, list[int]]]:
        results = asked(phone, query)["results"]
        return [(each["id"], [track["track_id"] for track in each["tracks"]]) for each in results]

    assert found(f"release_id={shop.RELEASE}") == [(shop.RELEASE, shop.TRACKS)]
    assert found(f"release_id={shop.RELEASE}&track_id={shop.TRACKS[1]}") == [(shop.RELEASE, [shop.TRACKS[1]])]
    assert found(f"release_id={shop.RELEASE}&track_id=200200101") == []
    assert found("release_id=7") == []
    assert found(f"purchase_id={single.pk}") == [(7002002, [200200101])]
    assert found(f"purchase_id={whole.pk}") == [(shop.RELEASE, shop.TRACKS)]
    assert found(f"purchase_id={whole.pk}&release_id=7002002") == []
    expect_problem(phone.get(f"locker?purchase_id={uuid4()}"), 404, "purchase_not_found")


def test_a_purchase_of_which_nothing_is_there_is_still_ones_own(
    phone: Api, buyer: Listener, make_listener: Callable[..., Listener]
) -> None:
    refused = shop.paid(buyer, release_id=99)
    elsewhere = shop.sold(make_listener(), transaction_id="T-2")

    assert asked(phone, f"purchase_id={refused.pk}")["results"] == []
    expect_problem(phone.get(f"locker?purchase_id={elsewhere.pk}"), 404, "purchase_not_found")


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=-1", "page=x", "page=99999999999", "page_size=0", "page_size=51", "page_size=1e1",
        "sort=title", "sort=releaseTitle", "sort=releaseTitle+up", "sort=releaseTitle;drop", "release_id=x",
        "track_id=0", "purchase_id=49193524", "page=٣",
    ],
)  # fmt: skip
def test_refuses_what_makes_no_sense(phone: Api, query: str) -> None:
    expect_problem(phone.get(f"locker?{query}"), 400, "invalid_parameter")


@pytest.mark.parametrize("count", [5, 500])
def test_asks_as_much_of_a_small_locker_as_of_a_large_one(
    phone: Api, buyer: Listener, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fill(buyer, count, tracks=3)
    asked(phone)

    with django_assert_num_queries(2):  # who asks, and the page
        assert len(asked(phone, "page_size=5")["results"]) == 5


class TestFetching:
    @pytest.fixture
    def bought(self, buyer: Listener) -> Purchase:
        return shop.sold(buyer, platform_id=49193524)

    def fetched(self, phone: Api, wish: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
        """Path, kind and query of what a wish is answered with."""
        response = phone.post("downloads", wish)
        assert response.status_code == 201, response.content
        assert response.headers["Cache-Control"] == "no-store"
        issued = json.loads(response.content)
        parts = urlsplit(issued["url"])
        assert issued["url"].startswith(active.MASSIVEMUSIC["media_url"])
        return parts.path, issued["kind"], {name: values[0] for name, values in parse_qs(parts.query).items()}

    def test_a_purchase_is_a_zip(self, phone: Api, bought: Purchase) -> None:
        path, kind, query = self.fetched(phone, {"purchase_id": str(bought.pk)})

        assert (path, kind) == ("/media/user/download/purchase", "zip")
        assert (query["purchaseId"], query["country"]) == ("49193524", "GB")
        assert query["userId"] == bought.listener.platform_id
        assert "oauth_signature" in query

    def test_so_is_a_release(self, phone: Api, bought: Purchase) -> None:
        path, kind, query = self.fetched(phone, {"release_id": shop.RELEASE, "format_id": 17})

        assert (path, kind) == ("/media/user/download/release", "zip")
        assert (query["releaseId"], query["formatId"]) == (str(shop.RELEASE), "17")

    def test_a_track_is_a_file(self, phone: Api, bought: Purchase, settings: Settings) -> None:
        settings.DOWNLOAD_ERROR_URL = "https://shop.example/sorry"
        wish = {"release_id": shop.RELEASE, "track_id": shop.TRACKS[1], "format_id": 33}

        path, kind, query = self.fetched(phone, wish)

        assert (path, kind) == ("/media/user/downloadtrack", "audio")
        assert (query["trackId"], query["errorUrl"]) == (str(shop.TRACKS[1]), "https://shop.example/sorry")

    @pytest.mark.parametrize("url", ["https://evil.example", "//evil.example", "javascript:alert(1)", ""])
    @pytest.mark.parametrize("name", ["errorUrl", "error_url", "errorurl"])
    def test_nobody_names_where_errors_go(self, phone: Api, bought: Purchase, name: str, url: str) -> None:
        wish = {"release_id": shop.RELEASE, "track_id": shop.TRACKS[1], "format_id": 33, name: url}

        _, _, query = self.fetched(phone, wish)

        assert "errorUrl" not in query

    @pytest.mark.parametrize(
        "wish",
        [
            {"release_id": 7, "format_id": 17},
            {"release_id": shop.RELEASE, "track_id": 7, "format_id": 17},
            {"purchase_id": "00000000-0000-0000-0000-000000000007"},
        ],
    )
    def test_what_was_not_bought_is_not_found(self, phone: Api, bought: Purchase, wish: dict[str, Any]) -> None:
        problem = expect_problem(phone.post("downloads", wish), 404, "purchase_not_found")

        assert problem["platform_code"] == 2002

    def test_neither_is_anybody_elses(
        self, api: Callable[[Listener], Api], bought: Purchase, make_listener: Any
    ) -> None:
        other = api(make_listener())
        nothing = other.post("downloads", {"purchase_id": str(uuid4())})

        theirs = other.post("downloads", {"purchase_id": str(bought.pk)})

        same = [json.loads(each.content) | {"trace_id": ""} for each in (nothing, theirs)]
        assert same[0] == same[1]
        expect_problem(other.get(f"purchases/{bought.pk}"), 404, "purchase_not_found")
        expect_problem(
            other.post("downloads", {"release_id": shop.RELEASE, "format_id": 17}), 404, "purchase_not_found"
        )

    def test_who_bought_a_track_has_no_other(self, phone: Api, buyer: Listener) -> None:
        shop.sold(buyer, track_id=shop.TRACKS[0])
        other = {"release_id": shop.RELEASE, "track_id": shop.TRACKS[1], "format_id": 17}

        expect_problem(phone.post("downloads", other), 404, "purchase_not_found")

    @pytest.mark.parametrize("state", ["PENDING", "UNKNOWN"])
    def test_what_is_not_sure_yet_is_told_so(self, phone: Api, buyer: Listener, state: str) -> None:
        purchase = shop.paid(buyer)
        Purchase.objects.update(state=state)

        problem = expect_problem(phone.post("downloads", {"purchase_id": str(purchase.pk)}), 409, "purchase_not_ready")

        assert problem["state"] == state

    @pytest.mark.parametrize("state", ["REFUSED", "REFUNDED"])
    def test_what_is_gone_is_not_found(self, phone: Api, bought: Purchase, state: str) -> None:
        Purchase.objects.update(state=state)

        expect_problem(phone.post("downloads", {"purchase_id": str(bought.pk)}), 404, "purchase_not_found")

    def test_only_in_formats_that_there_are(self, phone: Api, bought: Purchase) -> None:
        wish = {"release_id": shop.RELEASE, "track_id": shop.TRACKS[0], "format_id": 26}
        problem = expect_problem(phone.post("downloads", wish), 400, "invalid_parameter")
        assert problem["errors"][0]["pointer"] == "/format_id"

        LockerTrack.objects.update(formats=[33])
        expect_problem(phone.post("downloads", wish | {"format_id": 17}), 400, "invalid_parameter")
        assert phone.post("downloads", wish | {"format_id": 33}).status_code == 201

    @pytest.mark.parametrize(
        ("wish", "code"),
        [
            ({}, "missing_parameter"), ({"format_id": 17}, "missing_parameter"),
            ({"release_id": shop.RELEASE}, "missing_parameter"),
            ({"release_id": shop.RELEASE, "track_id": shop.TRACKS[0]}, "missing_parameter"),
            ({"purchase_id": "7"}, "invalid_parameter"), ({"release_id": "x", "format_id": 17}, "invalid_parameter"),
            ({"release_id": 0, "format_id": 17}, "invalid_parameter"),
            ({"purchase_id": str(uuid4()), "release_id": 7}, "invalid_parameter"),
        ],
    )  # fmt: skip
    def test_refuses_what_is_no_wish(self, phone: Api, wish: dict[str, Any], code: str) -> None:
        expect_problem(phone.post("downloads", wish), 400, code)


def test_purchases_are_listed_newest_first(phone: Api, buyer: Listener) -> None:
    now = timezone.now()
    for number in range(5):
        shop.paid(buyer, transaction_id=f"T-{number}", at=now - timedelta(minutes=number))

    first = json.loads(phone.get("purchases?limit=3").content)
    rest = json.loads(phone.get(first["next"].replace("http://testserver", "")).content)

    listed = [each["transaction_id"] for each in first["results"] + rest["results"]]
    assert listed == [f"T-{number}" for number in range(5)]
    one = json.loads(phone.get(f"purchases/{first['results'][0]['id']}").content)
    assert one == first["results"][0]
    assert one["state"] == "PENDING"
    assert one["lines"][0]["retail_price"] == "7.99"
