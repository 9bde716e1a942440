"""The platform's popularity files, as they may come."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from massivemusic.popularity import NotAPopularityFile, OddItem, Popularity, read_popularity

TRACK = {"trackId": 7, "searchRank": 3, "searchModifier": 1.5}


def read(content: bytes) -> list[Any]:
    return list(read_popularity(io.BytesIO(content)))


@pytest.mark.parametrize("before", [b"", b" \n\t "])
@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"made": "today", "items": items}])
def test_reads_an_array_alone_or_in_an_object(wrap: Any, before: bytes) -> None:
    items = [TRACK, {"masterArtistId": 8, "searchRank": 1, "more": [{}]}, {"productId": 9, "searchRank": 2.5}]

    assert read(before + json.dumps(wrap(items)).encode()) == [
        Popularity(kind="track", id=7, rank=3, modifier=1.5),
        Popularity(kind="artist", id=8, rank=1, modifier=1.0),
        Popularity(kind="release", id=9, rank=2.5, modifier=1.0),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trackId": None}, "must name one of"),
        ({"productId": 1}, "must name one of"),
        ({"trackId": "7"}, "trackId: not an id"),
        ({"trackId": 0}, "trackId: not an id"),
        ({"trackId": 2**31}, "trackId: not an id"),
        ({"searchRank": None}, "searchRank: must be a number"),
        ({"searchRank": "3"}, "searchRank: must be a number"),
        ({"searchRank": True}, "searchRank: must be a number"),
        ({"searchRank": -1}, "searchRank: must be a number"),
        ({"searchModifier": []}, "searchModifier: must be a number"),
        ({"searchModifier": -0.1}, "searchModifier: must be a number"),
    ],
)
def test_an_odd_item_costs_the_others_nothing(changes: Any, reason: str) -> None:
    odd, good = read(json.dumps([TRACK | changes, TRACK]).encode())

    assert isinstance(odd, OddItem)
    assert odd.index == 0
    assert odd.reason.startswith(reason)
    assert isinstance(good, Popularity)


@pytest.mark.parametrize("item", [1, "x", None, []])
def test_an_item_is_an_object(item: Any) -> None:
    assert read(json.dumps([item]).encode()) == [OddItem(index=0, reason="not an object")]


@pytest.mark.parametrize("content", [b"", b"  ", b"null", b"7", b'"items"', b"\x1f\x8b\x08", b'{"tracks": []}'])
def test_refuses_what_is_no_popularity_file(content: bytes) -> None:
    with pytest.raises(NotAPopularityFile):
        read(content)


@pytest.mark.parametrize("rest", [b",", b"", b", {", b', {"trackId": 8, "sear', b"] and more", b', {"a": "\xff"}]'])
def test_says_where_a_file_is_cut_or_spoilt(rest: bytes) -> None:
    with pytest.raises(NotAPopularityFile, match="item 1: "):
        read(b"[" + json.dumps(TRACK).encode() + rest)
