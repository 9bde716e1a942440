"""Playlists of the partner and of its users."""

from __future__ import annotations

import json
import re

import pytest
import requests

from tests.sandbox.platform import Partner, error_of

PATH = "/1.2/playlists"
TIDE = {"trackId": "88001", "trackTitle": "Tide", "artistAppearsAs": "The Lamplighters", "releaseId": "7001001"}
LANTERN = {"trackId": "88002", "trackTitle": "Lantern Street", "trackVersion": "Live"}


def make(partner: Partner, *tracks: dict, country: str = "GB", user_id: str = "", **details: object):
    body = {"name": "Morning"} | details | ({"tracks": tracks} if tracks else {})
    whose = {"userId": user_id} if user_id else {}
    return partner.request("POST", PATH, body=json.dumps(body), country=country, **whose)


def made(partner: Partner, *tracks: dict, **details) -> str:
    answer = make(partner, *tracks, **details)
    assert answer.status_code == 201, answer.text
    return answer.json()["playlist"]["id"]


def tracks_of(partner: Partner, key: str, **query) -> list[str]:
    answer = partner.request("GET", f"{PATH}/{key}/tracks", country="GB", **query)
    assert answer.status_code == 200, answer.text
    return [track["trackId"] for track in answer.json()["tracks"]]


def names_of(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [playlist["name"] for playlist in answer.json()["playlists"]]


def test_a_playlist_is_made_as_given(partner: Partner, listener: str):
    answer = make(
        partner, TIDE, LANTERN, TIDE, user_id=listener, status="draft", visibility="PUBLIC", description="x" * 600,
        tags=[{"name": "calm", "playlistPosition": 2}, {"name": "new"}], annotations={"ours": "17"},
    )  # fmt: skip
    playlist = answer.json()["playlist"]
    (line,) = partner.platform.journal("playlists", userId=listener)

    assert answer.status_code == 201
    assert set(answer.json()) == {"playlist"}, "without an envelope"
    assert re.fullmatch("[0-9a-f]{24}", playlist["id"])
    assert answer.headers["Location"] == f"{PATH}/{playlist['id']}"
    details = {"name": "Morning", "status": "draft", "visibility": "Public", "description": "x" * 500, "trackCount": 3}
    assert playlist.items() >= (details | {"userId": listener}).items()
    assert playlist["tags"] == [{"name": "calm", "playlistPosition": 2}, {"name": "new"}]
    assert playlist["annotations"] == {"ours": "17"}
    assert [{name: track[name] for name in TIDE} for track in playlist["tracks"][::2]] == [TIDE, TIDE]
    assert playlist["tracks"][1].items() >= (LANTERN | {"source": "7digital", "image": ""}).items()
    assert len({track["id"] for track in playlist["tracks"]}) == 3
    assert line["action"] == "create"
    assert (line["playlistId"], line["trackIds"]) == (playlist["id"], ["88001", "88002", "88001"])


def test_a_new_one_is_private_and_nobody_knows_it_again(partner: Partner, listener: str):
    first, second = (make(partner, user_id=listener).json()["playlist"] for _ in range(2))

    assert first["visibility"] == "Private"
    assert first["id"] != second["id"]
    assert (first["tags"], first["annotations"], first["tracks"]) == ([], {}, [])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{}", 1001),
        ('{"name": ""}', 1001),
        ("[]", 1002),
        ("{", 1002),
        ('{"name": 7}', 1002),
        ('{"name": "a\\u0000"}', 1002),
        ('{"name": "\\ud800"}', 1002),
        (json.dumps({"name": "x" * 256}), 1002),
        ('{"name": "a", "visibility": "secret"}', 1002),
        ('{"name": "a", "tags": ["calm"]}', 1002),
        ('{"name": "a", "tags": [{"name": "calm", "playlistPosition": "1"}]}', 1002),
        ('{"name": "a", "annotations": {"k": 1}}', 1002),
        ('{"name": "a", "annotations": []}', 1002),
        ('{"name": "a", "tracks": {}}', 1002),
        ('{"name": "a", "tracks": [7]}', 1002),
        ('{"name": "a", "tracks": [{"trackId": 7}]}', 1002),
    ],
)
def test_what_is_wrong_with_one_is_said(partner: Partner, body: str, code: int):
    before = partner.platform.journal("playlists")
    assert error_of(partner.request("POST", PATH, body=body, country="GB"))[:2] == (400, code)
    assert partner.platform.journal("playlists") == before


def test_a_country_is_required_in_the_query(partner: Partner):
    key = made(partner)
    for method, path in [("POST", PATH), ("GET", PATH), ("GET", f"{PATH}/{key}"), ("DELETE", f"{PATH}/{key}")]:
        answer = partner.request(method, path, body='{"name": "a", "country": "GB"}' if method == "POST" else None)
        assert error_of(answer) == (400, 1001, 'Missing "country" parameter'), (method, path)


def test_a_users_playlists_are_that_users(partner: Partner, listener: str):
    key, other = made(partner, TIDE, user_id=listener), partner.new_user()

    answer = partner.request("GET", "/1.2/user/playlists", userId=listener, country="GB")
    assert [each["id"] for each in answer.json()["playlists"]] == [key]
    assert names_of(partner.request("GET", "/1.2/user/playlists", userId=other, country="GB")) == []
    assert partner.request("GET", f"{PATH}/{key}", userId=listener, country="GB").status_code == 200
    for whose in ({}, {"userId": other}):
        assert error_of(partner.request("GET", f"{PATH}/{key}", country="GB", **whose))[:2] == (404, 2001)
    assert error_of(make(partner, user_id="nobody"))[:2] == (404, 2001)


def test_lists_come_page_by_page(partner: Partner, listener: str):
    for number in range(12):
        made(partner, user_id=listener, name=f"n{number}")

    def page(**query: object) -> requests.Response:
        return partner.request("GET", "/1.2/user/playlists", userId=listener, country="GB", **query)

    first = page().json()
    assert (first["page"], first["pageSize"], first["totalItems"], len(first["playlists"])) == (1, 10, 12, 10)
    assert names_of(page(page=2)) == ["n10", "n11"]
    assert names_of(page(page=3, pageSize=5)) == ["n10", "n11"]
    assert len(names_of(page(pageSize=50))) == 12
    for query in ({"page": 0}, {"page": 3}, {"pageSize": 0}, {"pageSize": 51}):
        assert error_of(page(**query))[:2] == (400, 1003), query
    assert error_of(page(page="two"))[:2] == (400, 1002)


def test_the_partners_own_are_listed_by_status_and_tag(partner: Partner):
    made(partner, name="one", status="draft-x", tags=[{"name": "calm-x"}])
    made(partner, name="two", status="draft-x")

    assert names_of(partner.request("GET", PATH, country="GB", status="draft-x")) == ["one", "two"]
    assert names_of(partner.request("GET", PATH, country="GB", status="draft-x", tags="calm-x")) == ["one"]


def test_details_change_without_the_tracks(partner: Partner):
    key = made(partner, TIDE, description="slowly", annotations={"ours": "17"})

    answer = partner.request("POST", f"{PATH}/{key}/details", body='{"name": "Evening"}', country="GB")

    assert answer.status_code == 200
    assert answer.headers["Location"] == f"{PATH}/{key}"
    shown = partner.request("GET", f"{PATH}/{key}/details", country="GB").json()["playlist"]
    assert (shown["name"], shown["description"], shown["annotations"]) == ("Evening", "slowly", {"ours": "17"})
    assert "tracks" not in shown
    assert tracks_of(partner, key) == ["88001"]
    empty = partner.request("POST", f"{PATH}/{key}/details", body='{"name": ""}', country="GB")
    assert error_of(empty)[:2] == (400, 1001)


def test_replacing_leaves_nothing_of_what_was(partner: Partner):
    key = made(partner, TIDE, LANTERN, description="slowly")

    body = json.dumps({"name": "Evening", "tracks": [LANTERN]})
    answer = partner.request("POST", f"{PATH}/{key}", body=body, country="GB")

    assert answer.json()["playlist"]["id"] == key
    assert answer.json()["playlist"]["description"] == ""
    assert tracks_of(partner, key) == ["88002"]
    assert error_of(partner.request("POST", f"{PATH}/{key}", body="{}", country="GB"))[:2] == (400, 1001)


def test_tracks_are_added_at_the_end_and_listed_by_another_name_of_their_id(partner: Partner):
    key = made(partner, TIDE)

    answer = partner.request("POST", f"{PATH}/{key}/tracks", body=json.dumps([LANTERN, TIDE]), country="GB")

    told = answer.json()["playlist"]["tracks"]
    assert [track["trackId"] for track in told] == ["88001", "88002", "88001"]
    assert all(re.fullmatch("[0-9a-f]{24}", track["playlistItemId"]) and "id" not in track for track in told)
    listed = partner.request("GET", f"{PATH}/{key}/tracks", country="GB", pageSize=2)
    assert {name: listed.json()[name] for name in ("page", "pageSize", "totalItems")} == {
        "page": 1, "pageSize": 2, "totalItems": 3,
    }  # fmt: skip
    assert [track["playlistItemId"] for track in listed.json()["tracks"]] == [t["playlistItemId"] for t in told[:2]]
    assert tracks_of(partner, key, pageSize=2, page=2) == ["88001"]
    too_large = partner.request("GET", f"{PATH}/{key}/tracks", country="GB", pageSize=501)
    assert error_of(too_large)[:2] == (400, 1003)
    for body, code in (("[]", 1001), ("{}", 1002), ("[[]]", 1002)):
        assert error_of(partner.request("POST", f"{PATH}/{key}/tracks", body=body, country="GB"))[:2] == (400, code)


def test_a_deleted_one_is_gone(partner: Partner):
    key = made(partner, TIDE)

    assert partner.request("DELETE", f"{PATH}/{key}", country="GB").status_code == 200
    for method, path, body in [
        ("GET", f"{PATH}/{key}", None),
        ("DELETE", f"{PATH}/{key}", None),
        ("POST", f"{PATH}/{key}", '{"name": "a"}'),
        ("POST", f"{PATH}/{key}/details", '{"name": "a"}'),
        ("POST", f"{PATH}/{key}/tracks", json.dumps([TIDE])),
        ("GET", f"{PATH}/{key}/tracks", None),
    ]:
        assert error_of(partner.request(method, path, body=body, country="GB"))[:2] == (404, 2001), (method, path)
    lines = partner.platform.journal("playlists", playlistId=key)
    assert [line["action"] for line in lines] == ["create", "delete"]


def test_every_change_is_journalled_in_its_order(partner: Partner):
    key = made(partner, TIDE, name="a")
    partner.request("POST", f"{PATH}/{key}/details", body='{"name": "b"}', country="GB")
    partner.request("POST", f"{PATH}/{key}/tracks", body=json.dumps([LANTERN]), country="GB")
    partner.request("POST", f"{PATH}/{key}", body='{"name": "c"}', country="GB")

    lines = partner.platform.journal("playlists", playlistId=key)

    assert [(line["action"], line.get("name"), line.get("trackIds")) for line in lines] == [
        ("create", "a", ["88001"]), ("details", "b", None), ("tracks", None, ["88002"]), ("replace", "c", []),
    ]  # fmt: skip


def test_xml_wraps_what_repeats(partner: Partner):
    key = made(partner, TIDE, tags=[{"name": "calm"}], annotations={"ours": "a & b"})

    text = partner.request("GET", f"{PATH}/{key}", accept="*/*", country="GB").text

    assert f'<response status="ok" version="1.2"><playlist id="{key}"><name>Morning</name>' in text
    assert "<tags><tag><name>calm</name></tag></tags>" in text
    assert '<annotations><annotation key="ours">a &amp; b</annotation></annotations>' in text
    assert "<trackId>88001</trackId>" in text


def test_what_is_uncertain_is_a_choice(differently):
    partner = Partner(
        differently(
            SANDBOX_PLAYLIST_LISTS="brief",
            SANDBOX_PLAYLIST_ANSWERS="nothing",
            SANDBOX_PLAYLIST_MAX_TRACKS="1",
            SANDBOX_WORKERS="1",
        )
    )
    user_id = partner.new_user()
    key = made(partner, TIDE, user_id=user_id, annotations={"ours": "17"})
    (listed,) = partner.request("GET", "/1.2/user/playlists", userId=user_id, country="GB").json()["playlists"]

    assert (listed["id"], "annotations" in listed) == (key, False)
    assert error_of(make(partner, TIDE, LANTERN))[:2] == (400, 1002)
    path = f"{PATH}/{key}"
    assert partner.request("POST", path, body='{"name": "a"}', userId=user_id, country="GB").status_code == 204
    assert partner.request("DELETE", path, userId=user_id, country="GB").status_code == 204
    partner.close()
