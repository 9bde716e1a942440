"""Popularity comes from the platform's files, and ranks what search finds."""

from __future__ import annotations

import gzip
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalogue.models import Artist, Release, Track
from catalogue.search import found
from tests.helpers import apply_member, release_event, track_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mirror() -> None:
    apply_member(release_event(1, tracks=[track_member(number, title="Rain") for number in (11, 12, 13)]))
    apply_member(release_event(2, artist={"id": 502, "name": "Others"}, tracks=[track_member(21)]))


def imported(tmp_path: Path, items: Any, *options: str) -> str:
    """Import a file of these items; what the command said."""
    path = tmp_path / "popularity.json"
    path.write_bytes(items if isinstance(items, bytes) else json.dumps(items).encode())
    out = StringIO()
    call_command("import_popularity", str(path), *options, stdout=out, stderr=out)
    return out.getvalue()


def popularities() -> dict[int, float]:
    return dict(Track.objects.order_by("pk").values_list("pk", "popularity"))


def test_places_become_doublings_of_interest(tmp_path: Path) -> None:
    items = [
        {"trackId": 11, "searchRank": 1},
        {"trackId": 12, "searchRank": 2},
        {"trackId": 13, "searchRank": 2, "searchModifier": 4},
        {"trackId": 21, "searchRank": 10**9},
        {"masterArtistId": 502, "searchRank": 1000},
        {"productId": 2, "searchRank": 1_000_000},
    ]
    said = imported(tmp_path, items)

    assert popularities() == {11: 19.9, 12: 18.9, 13: 20.9, 21: 0.0}
    assert Artist.objects.get(pk=502).popularity == 10.0
    assert Release.objects.get(pk=2).popularity == 1.0
    assert "4 track(s) named: 4 in the mirror, 3 changed" in said
    assert "1 artist(s) named: 1 in the mirror, 1 changed" in said


def test_the_most_popular_are_found_first(tmp_path: Path) -> None:
    imported(tmp_path, [{"trackId": 13, "searchRank": 5}, {"trackId": 12, "searchRank": 90}])

    assert found(Track, text="rain")[0:10] == [13, 12, 11]


def test_scores_are_the_other_way_round(tmp_path: Path) -> None:
    imported(tmp_path, [{"trackId": 11, "searchRank": 1}, {"trackId": 12, "searchRank": 1023}], "--scores")

    assert popularities() == {11: 1.0, 12: 10.0, 13: 0.0, 21: 0.0}


def test_what_a_file_does_not_name_keeps_its_popularity(tmp_path: Path) -> None:
    imported(tmp_path, [{"trackId": 11, "searchRank": 1}, {"productId": 1, "searchRank": 1}])
    imported(tmp_path, [{"trackId": 12, "searchRank": 1}])

    assert popularities() == {11: 19.9, 12: 19.9, 13: 0.0, 21: 0.0}


def test_a_whole_file_speaks_for_all_of_its_kinds(tmp_path: Path) -> None:
    imported(tmp_path, [{"trackId": 11, "searchRank": 1}, {"productId": 1, "searchRank": 1}])
    imported(tmp_path, [{"trackId": 12, "searchRank": 1}], "--whole")

    assert popularities() == {11: 0.0, 12: 19.9, 13: 0.0, 21: 0.0}
    assert Release.objects.get(pk=1).popularity == 19.9


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    items = [{"trackId": 11, "searchRank": 500_000}]
    assert "1 in the mirror, 1 changed" in imported(tmp_path, items)
    assert "1 in the mirror, 0 changed" in imported(tmp_path, items)
    items[0]["searchRank"] = 510_000
    assert "1 in the mirror, 0 changed" in imported(tmp_path, items)


def test_the_better_of_two_places_counts_and_strangers_do_not(tmp_path: Path) -> None:
    ranks = [(11, 50), (11, 1), (11, 70), (99, 1)]
    said = imported(tmp_path, [{"trackId": id_, "searchRank": rank} for id_, rank in ranks])

    assert popularities()[11] == 19.9
    assert "4 track(s) named: 1 in the mirror, 1 changed" in said


def test_odd_items_are_named_by_their_reason(tmp_path: Path) -> None:
    said = imported(tmp_path, [{}, {"trackId": 11, "searchRank": 1}, {"trackId": 12}, {"trackId": 13}])

    assert popularities()[11] == 19.9
    assert "1 item(s) passed over, the first at 0: must name one of" in said
    assert "2 item(s) passed over, the first at 2: searchRank" in said


def test_a_gzipped_file_is_unpacked(tmp_path: Path) -> None:
    imported(tmp_path, gzip.compress(b'[{"trackId": 11, "searchRank": 1}]'))

    assert popularities()[11] == 19.9


@pytest.mark.parametrize(
    "content",
    [
        b'[{"trackId": 11, "searchRank": 1}, {"trackId"',
        b"nothing",
        gzip.compress(b'[{"trackId": 11, "searchRank": 1}]')[:-9],
        gzip.compress(b'[{"trackId": 11, "searchRank": 1}]')[:12] + b"spoilt",
        b"\x1f\x8bno gzip",
    ],
    ids=["cut", "no JSON", "gzip cut", "gzip spoilt", "no gzip"],
)
def test_a_spoilt_file_changes_nothing(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CommandError, match="nothing of it was taken"):
        imported(tmp_path, content)

    assert set(popularities().values()) == {0.0}


def test_a_new_version_of_a_release_keeps_its_popularity(tmp_path: Path) -> None:
    imported(tmp_path, [{"trackId": 11, "searchRank": 1}])
    apply_member(release_event(1, version=2, tracks=[track_member(11, title="Rain, again")]))

    assert popularities()[11] == 19.9
