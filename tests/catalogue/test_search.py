"""What search stands on: words only on the shelves, blocks of the most popular, an index for everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Listener
from catalogue.api import Search
from catalogue.models import Release, Track
from catalogue.search import ONE_WORD, found
from catalogue.shapes import Ear
from kernel.values import COUNTRIES
from tests.helpers import Api, apply_member, apply_members, offer, release_event, statements_noted, track_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(listener: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(listener)


def ids(phone: Api, query: str) -> list[int]:
    return [each["id"] for each in json.loads(phone.get(f"catalogue/search?{query}").content)["results"]]


# --- the shelves ---------------------------------------------------------------------------------------


def test_what_is_off_the_shelves_has_no_words() -> None:
    apply_member(release_event(1, tracks=[track_member(11), track_member(12)]))
    apply_member(release_event(1, version=2, tracks=[track_member(11)]))
    assert set(Track.objects.filter(search=None).values_list("pk", flat=True)) == {12}

    apply_member({"id": 1, "version": 3, "takedown": True})
    assert set(Track.objects.filter(search=None).values_list("pk", flat=True)) == {11, 12}
    assert Release.objects.get(pk=1).search is None

    apply_member(release_event(1, version=4, tracks=[track_member(12)]))
    assert set(Track.objects.filter(search=None).values_list("pk", flat=True)) == {11}
    assert Release.objects.get(pk=1).search is not None


def test_staff_find_what_is_off_the_shelves() -> None:
    apply_member(release_event(1, title="Storm", tracks=[track_member(11, title="Thunder"), track_member(12)]))
    apply_member(release_event(1, version=2, title="Storm", tracks=[track_member(11, title="Thunder")]))
    apply_member({"id": 1, "version": 3, "takedown": True})
    apply_member({"id": 1, "version": 4, "takedown": True})

    assert found(Release, text="storm", words="former_search")[0:9] == [1]
    assert found(Track, text="thunder", words="former_search")[0:9] == [11]
    assert found(Track, text="tide", words="former_search")[0:9] == [12]

    apply_member(release_event(1, version=5, title="Storm", tracks=[track_member(11, title="Thunder")]))
    assert found(Release, text="storm", words="former_search")[0:9] == []
    assert found(Track, text="thunder", words="former_search")[0:9] == []
    assert found(Track, text="tide", words="former_search")[0:9] == [12]


def test_a_track_that_moved_on_is_found_when_its_old_release_is_taken_down(phone: Api) -> None:
    apply_member(release_event(1, tracks=[track_member(11, title="Comet")]))
    moved = release_event(2, version=2, tracks=[track_member(11, title="Comet")])
    apply_members([moved, {"id": 1, "version": 2, "takedown": True}])

    assert ids(phone, "q=comet") == [11]


# --- blocks --------------------------------------------------------------------------------------------


@pytest.fixture
def many(shelve: Any) -> list[int]:
    """More tracks than two blocks hold, in the order of their popularity; the least popular matches best."""
    numbers = list(range(1, 2 * ONE_WORD + 21))
    shelve(tracks=[track_member(n, title="Tide" if n == numbers[-1] else f"Tide and time {n}") for n in numbers])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_track SET popularity = 15 - id / 100.0")
    return numbers


def test_every_match_is_on_one_page_and_no_match_on_two(phone: Api, many: list[int]) -> None:
    path, seen = "/api/v1/catalogue/search?q=tide&limit=7", []
    while path:
        page = json.loads(phone.get(path).content)
        seen += [each["id"] for each in page["results"]]
        path = (page["next"] or "").replace("http://testserver", "")

    assert sorted(seen) == many
    assert len(seen) == len(many)


def test_what_is_far_less_popular_comes_in_a_later_block(many: list[int]) -> None:
    size = ONE_WORD
    best = found(Track, text="tide")[0 : len(many)]

    assert [set(best[:size]), set(best[size : 2 * size])] == [set(many[:size]), set(many[size : 2 * size])]
    assert best[2 * size] == many[-1]  # the best match, but only the best of its block


@pytest.mark.parametrize("kind", ["track", "release"])
def test_what_was_taken_down_after_it_was_found_is_not_shown(kind: str) -> None:
    apply_member(release_event(1, tracks=[track_member(1)]))
    apply_member(release_event(2, tracks=[track_member(2)]))
    apply_member({"id": 1, "version": 2, "takedown": True})
    ear = Ear(country="GB", explicit_filter=False, at=timezone.now())

    assert [each["id"] for each in Search().shown(kind, [1, 2, 99], ear)] == [2]


# --- an index for every question -----------------------------------------------------------------------

QUESTIONS = [
    "search?q=tide7",
    "search?q=tide7+harbour",
    "search?q=tied77+harbour",
    "search?q=harbour&type=release",
    "search?q=lamp&type=artist",
    "search?q=GBQQQ2500101",
    "search?q=5050000000017",
    "search?q=5050000000017&type=release",
    "tracks/101",
    "tracks?ids=101,102,5",
    "tracks?isrc=GBQQQ2500101",
    "tracks/101/availability?use=download",
    "releases",
    "releases?order=release_date",
    "releases?label=Quay7",
    "releases?genre=Genre7",
    "releases?ids=1,2",
    "releases?upc=5050000000017",
    "releases/7",
    "artists/7",
    "artists/7/releases",
    "changes",
]


SOME_COUNTRIES = sorted(COUNTRIES)
WAYS_OF_SMALL_TABLES = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")


def test_no_question_reads_a_large_table_from_end_to_end(phone: Api) -> None:
    apply_members(map(numbered, range(1, 801)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    offenders = {path: whole for path in QUESTIONS if (whole := read_whole_for(phone, path))}

    assert offenders == {}


def numbered(n: int) -> Any:
    """A release like no other."""
    artist = {"id": n, "name": f"Lamplighter {n}"}
    somewhere = [offer([SOME_COUNTRIES[n % 40], SOME_COUNTRIES[40 + n // 40]])]
    tracks = [track_member(n * 100 + each, title=f"Tide{n} {each}", artist=artist, offers=somewhere) for each in (1, 2)]
    label = {"id": n, "name": f"Quay{n}", "licensor": {"id": 4, "name": "Quay Group"}}
    return release_event(
        n, upc=f"50500000{n:05}", artist=artist, label=label, genres=[f"Genre{n}"], tracks=tracks, title=f"Harbour {n}"
    )


def read_whole_for(phone: Api, path: str) -> list[str]:
    """The catalogue's tables that are read whole to answer a request."""
    with statements_noted() as asked:
        assert phone.get(f"catalogue/{path}").status_code == 200
    about_the_mirror = [(sql, params) for sql, params in asked if "catalogue_" in sql]
    assert about_the_mirror, path
    return [table for sql, params in about_the_mirror for table in scanned(sql, params)]


def scanned(sql: str, params: Any) -> list[str]:
    """The catalogue's tables that PostgreSQL cannot but read whole to answer the statement."""
    with connection.cursor() as cursor:
        for way in WAYS_OF_SMALL_TABLES:
            cursor.execute(f"SET LOCAL {way} = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0][0]["Plan"]
        for way in WAYS_OF_SMALL_TABLES:
            cursor.execute(f"RESET {way}")
    return list(read_whole(plan, limited=False))


def read_whole(node: dict[str, Any], *, limited: bool) -> Iterator[str]:
    """Scans without a condition on an index; walking along an index until a limit is reached is none."""
    limited = limited or node["Node Type"] == "Limit"
    name = node.get("Relation Name", "")
    walked = "Index" in node["Node Type"] and (limited or "Index Cond" in node)
    if name.startswith("catalogue_") and not walked and node["Node Type"] != "Bitmap Heap Scan":
        yield name
    for below in node.get("Plans", []):
        yield from read_whole(below, limited=limited)
