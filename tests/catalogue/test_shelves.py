"""Browsing, and keeping up with what changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Listener
from catalogue.models import Release
from tests.helpers import Api, apply_member, expect_problem, release_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(listener: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(listener)


def read(phone: Api, path: str) -> dict[str, Any]:
    response = phone.get(path)
    assert response.status_code == 200, response.content
    body: dict[str, Any] = json.loads(response.content)
    return body


def ids(phone: Api, path: str) -> list[int]:
    """The ids on every page."""
    found, url = [], f"/api/v1/{path}"
    while url:
        body = read(phone, url.replace("http://testserver", ""))
        found += [each["id"] for each in body["results"]]
        url = body["next"]
    return found


DATES = {1: "2024-05-01T00:00:00Z", 2: None, 3: "2026-01-01", 4: "2024-05-01T00:00:00Z", 5: None, 6: "1999-12-31"}


@pytest.fixture
def shelf(db: None) -> None:
    for number, date in DATES.items():
        label = {"id": 1, "name": "Quay" if number % 2 else "Pier"}
        apply_member(
            release_event(
                number, releaseDate=date, label=label, genres=["Pop", "Folk"][: 1 + number % 2], upc=f"50{number}"
            )
        )
    apply_member(release_event(7, artist={"id": 9, "name": "Else"}, tracks=[]))
    apply_member(release_event(8))
    apply_member({"id": 8, "version": 2, "takedown": True})
    apply_member({"id": 99, "version": 1, "takedown": True})


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("catalogue/artists/501/releases?limit=2", [3, 4, 1, 6, 5, 2]),
        ("catalogue/artists/501/releases?order=release_date&limit=4", [2, 5, 6, 1, 4, 3]),
        ("catalogue/artists/9/releases", [7]),
        ("catalogue/releases?limit=3", [3, 7, 4, 1, 6, 5, 2]),
        ("catalogue/releases?genre=Folk&limit=1", [3, 1, 5]),
        ("catalogue/releases?label=Pier", [4, 6, 2]),
        ("catalogue/releases?label=Pier&genre=Folk", []),
        ("catalogue/releases?label=pier%25", []),
        ("catalogue/releases?ids=5,99,8,1,1000", [5, 1]),
        ("catalogue/releases?upc=504,nothing,50-1", [4, 1]),
    ],
)
def test_finds_what_is_on_the_shelf_in_its_order(phone: Api, path: str, found: list[int]) -> None:
    assert ids(phone, path) == found


@pytest.mark.usefixtures("shelf")
def test_says_what_is_missing(phone: Api) -> None:
    assert read(phone, "catalogue/releases?ids=5,99,8")["missing"] == [99, 8]
    assert read(phone, "catalogue/releases?upc=504,x")["missing"] == ["X"]
    assert read(phone, "catalogue/tracks?isrc=GBQQQ2500101,GB-QQQ-25-00999")["missing"] == ["GBQQQ2500999"]


@pytest.mark.parametrize(
    "query", ["order=title", "ids=", "ids=a", "upc=%00", "genre=%00", f"label={'x' * 600}", "limit=0", "cursor=x"]
)
def test_refuses_a_bad_question(phone: Api, query: str) -> None:
    assert phone.get(f"catalogue/releases?{query}").status_code == 400


@pytest.mark.parametrize("path", ["catalogue/artists/7777/releases", "catalogue/artists/99999999999/releases"])
def test_an_unknown_artist_has_no_releases(phone: Api, path: str) -> None:
    expect_problem(phone.get(path), 404, "artist_not_found")


@pytest.mark.usefixtures("shelf")
def test_a_page_costs_a_constant_number_of_queries(phone: Api, django_assert_num_queries: Any) -> None:
    for limit in (1, 7):
        with django_assert_num_queries(2):  # who asks, and the page
            read(phone, f"catalogue/releases?limit={limit}")


# --- changes -----------------------------------------------------------------------------------------


def changes(phone: Api, since: str = "") -> tuple[list[tuple[int, str]], str]:
    """What has changed, and the cursor to go on from."""
    body = read(phone, f"catalogue/changes?limit=100&since={since}")
    assert body["next"] is None
    for each in body["results"]:
        assert (each["release"] is None) == (each["change"] == "gone")
    return [(each["release_id"], each["change"]) for each in body["results"]], body["cursor"]


def test_tells_what_was_added_changed_and_gone(phone: Api) -> None:
    for number in (1, 2, 3):
        apply_member(release_event(number))
    first, cursor = changes(phone)
    assert first == [(1, "added"), (2, "added"), (3, "added")]
    assert changes(phone, cursor) == ([], cursor)

    apply_member(release_event(4))
    apply_member(release_event(2, version=2, title="Other"))
    apply_member({"id": 1, "version": 2, "takedown": True})
    apply_member(release_event(3, version=0))  # stale: nothing happened
    second, cursor = changes(phone, cursor)
    assert second == [(4, "added"), (2, "changed"), (1, "gone")]

    apply_member(release_event(1, version=3))
    apply_member(release_event(4, version=2))
    assert changes(phone, cursor)[0] == [(1, "added"), (4, "changed")]


def test_goes_on_page_by_page(phone: Api) -> None:
    for number in range(1, 6):
        apply_member(release_event(number))
    found, url = [], "/api/v1/catalogue/changes?limit=2"
    while url:
        body = read(phone, url.replace("http://testserver", ""))
        found += [each["release_id"] for each in body["results"]]
        url = body["next"]

    assert found == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("cursor", ["x", "bm90", "Yy0x", "YzEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "é"])
def test_refuses_a_cursor_it_did_not_make(phone: Api, cursor: str) -> None:
    expect_problem(phone.get(f"catalogue/changes?since={cursor}"), 400, "invalid_parameter")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), max_size=12))
def test_whoever_follows_the_changes_ends_with_the_shelves(phone: Api, history: list[tuple[int, bool, bool]]) -> None:
    """Each entry: a release, whether it is taken down, and whether the reader looks afterwards."""
    Release.objects.all().delete()
    kept: set[int] = set()
    cursor = changes(phone)[1]
    for version, (number, down, look) in enumerate([*history, (1, False, True)], 1):
        apply_member(
            {"id": number, "version": version, "takedown": True} if down else release_event(number, version=version)
        )
        if look:
            told, cursor = changes(phone, cursor)
            for release_id, change in told:
                assert change != "changed" or release_id in kept
                kept = kept - {release_id} if change == "gone" else kept | {release_id}
            assert kept == set(Release.objects.standing().values_list("pk", flat=True))
