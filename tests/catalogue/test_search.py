"""What search stands on: words only on the shelves, blocks of the most popular, an index for everything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Listener
from catalogue.models import Release, Track
from catalogue.search import ONE_WORD, found
from tests.helpers import Api, apply_member, apply_members, release_event, track_member

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


def test_a_track_that_moved_on_is_found_when_its_old_release_is_taken_down(phone: Api) -> None:
    apply_member(release_event(1, tracks=[track_member(11, title="Comet")]))
    moved = release_event(2, version=2, tracks=[track_member(11, title="Comet")])
    apply_members([moved, {"id": 1, "version": 2, "takedown": True}])

    assert ids(phone, "q=comet") == [11]


# --- blocks --------------------------------------------------------------------------------------------


@pytest.fixture
def many(shelve: Any) -> list[int]:
    """More tracks than two blocks hold, in the order of their popularity; the least popular matches best."""
    numbers = list(range(1, 2 * ONE_WORD[0] + 21))
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
    size = ONE_WORD[0]
    best = found(Track.objects.all(), text="tide").best(slice(0, len(many)))

    assert [set(best[:size]), set(best[size : 2 * size])] == [set(many[:size]), set(many[size : 2 * size])]
    assert best[2 * size] == many[-1]  # the best match, but only the best of its block


def test_what_vanishes_between_the_two_statements_is_left_out(many: list[int]) -> None:
    class Vanishing(type(found(Track.objects.all(), text="tide"))):  # type: ignore[misc]
        def best(self, page: slice) -> list[int]:
            best: list[int] = super().best(page)
            Track.objects.filter(pk=best[0]).delete()
            return best

    hits = Vanishing(Track.objects.all(), "tide", one_word=True)
    assert len(hits[0:5]) == 4


# --- an index for every question -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "search?q=tide",
        "search?q=lantern+street",
        "search?q=lantren+streat",
        "search?q=harbour&type=release",
        "search?q=lamp&type=artist",
        "search?q=GBQQQ2500001",
        "search?q=5050000000017",
        "search?q=5050000000017&type=release",
        "tracks/100101",
        "tracks?ids=100101,100102,5",
        "tracks?isrc=GBQQQ2500101",
        "tracks/100101/availability?use=download",
        "releases",
        "releases?order=release_date",
        "releases?label=Quay",
        "releases?genre=Pop",
        "releases?ids=1001,1002",
        "releases?upc=5050000000017",
        "releases/1001",
        "artists/501",
        "artists/501/releases",
        "changes",
    ],
)
def test_no_question_reads_a_large_table_from_end_to_end(phone: Api, shelve: Any, path: str) -> None:
    for number in range(1001, 1021):
        shelve(id_=number)
    with CaptureQueriesContext(connection) as asked:
        assert phone.get(f"catalogue/{path}").status_code == 200

    read = [query["sql"] for query in asked if "catalogue_" in query["sql"]]
    assert read
    for statement in read:
        assert not scanned(statement), statement


def scanned(statement: str) -> list[str]:
    """The catalogue's tables that PostgreSQL cannot but read whole to answer the statement."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("SET LOCAL enable_seqscan = on")
    return re.findall(r"Seq Scan on (catalogue_\w+)", plan)
