"""Playlists are told in the platform's words, and read in each of its spellings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from massivemusic import errors
from massivemusic.client import Client
from massivemusic.playlists import (
    Listed,
    PlaylistDetails,
    PlaylistTrack,
    add_tracks,
    create_playlist,
    delete_playlist,
    partner_playlists,
    playlist_tracks,
    read_playlist,
    replace_playlist,
    update_details,
    user_playlists,
)
from tests.massivemusic.behaviours import error_json, no, ok
from tests.massivemusic.conftest import ClientTo
from tests.massivemusic.stage import Play, Stage, answer, says

KEY = "54d4cb1ff9e3de0b8c5b2a11"
TOLD = f'{{"playlist":{{"id":"{KEY}","name":"Morning","visibility":"Private"}}}}'
DETAILS = PlaylistDetails(
    name="Morning",
    description="slowly",
    visibility="public",
    status="published",
    tags=("calm",),
    annotations={"a": "1"},
)
DETAILS_SENT = {
    "name": "Morning",
    "description": "slowly",
    "visibility": "public",
    "status": "published",
    "tags": [{"name": "calm"}],
    "annotations": {"a": "1"},
}
TRACK = PlaylistTrack(
    track_id="88001",
    title="Tide",
    version="Live",
    artist="The Lamplighters",
    release_id="7001001",
    release_title="Harbour Lights",
    release_artist="Various Artists",
    release_version="Deluxe",
)
TRACK_SENT = {
    "trackId": "88001",
    "trackTitle": "Tide",
    "trackVersion": "Live",
    "artistAppearsAs": "The Lamplighters",
    "releaseId": "7001001",
    "releaseTitle": "Harbour Lights",
    "releaseArtistAppearsAs": "Various Artists",
    "releaseVersion": "Deluxe",
}
WHERE: Any = {"country": "GB", "user_id": "u 1", "playlist_id": KEY}
MINE: Any = {"country": "GB", "user_id": None, "playlist_id": KEY}
CALLS: list[tuple[Callable[[Client], object], str, str, Any]] = [
    (
        lambda client: create_playlist(client, country="GB", user_id="u 1", details=DETAILS, tracks=[TRACK]),
        "POST", "/1.2/playlists?country=GB&userId=u%201", DETAILS_SENT | {"tracks": [TRACK_SENT]},
    ),
    (
        lambda client: create_playlist(client, country="GB", user_id=None, details=DETAILS),
        "POST", "/1.2/playlists?country=GB", DETAILS_SENT | {"tracks": []},
    ),
    (
        lambda client: read_playlist(client, **WHERE),
        "GET", f"/1.2/playlists/{KEY}/details?country=GB&userId=u%201", None,
    ),
    (
        lambda client: replace_playlist(client, **MINE, details=DETAILS, tracks=[TRACK]),
        "POST", f"/1.2/playlists/{KEY}?country=GB", DETAILS_SENT | {"tracks": [TRACK_SENT]},
    ),
    (
        lambda client: update_details(client, **WHERE, details=DETAILS),
        "POST", f"/1.2/playlists/{KEY}/details?country=GB&userId=u%201", DETAILS_SENT,
    ),
    (
        lambda client: add_tracks(client, **WHERE, tracks=[TRACK, TRACK]),
        "POST", f"/1.2/playlists/{KEY}/tracks?country=GB&userId=u%201", [TRACK_SENT, TRACK_SENT],
    ),
    (lambda client: delete_playlist(client, **MINE), "DELETE", f"/1.2/playlists/{KEY}?country=GB", None),
]  # fmt: skip


@pytest.mark.parametrize(("call", "method", "target", "body"), CALLS)
def test_what_is_meant_is_sent(
    client_to: ClientTo, call: Callable[[Client], object], method: str, target: str, body: Any
) -> None:
    with Stage(ok(TOLD)) as stage:
        call(client_to(stage.origin))
    (heard,) = stage.heard
    assert (heard.method, heard.target) == (method, target)
    assert (msgspec.json.decode(heard.body) if heard.body else None) == body


def test_a_name_of_theirs_stays_one_step_of_the_path(client_to: ClientTo) -> None:
    with Stage(ok()) as stage:
        delete_playlist(client_to(stage.origin), country="GB", user_id=None, playlist_id="a/../b?c")
    assert stage.heard[0].target == "/1.2/playlists/a%2F..%2Fb%3Fc?country=GB"


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "204 No Content"])
def test_replacing_changing_adding_and_deleting_need_no_word_in_answer(client_to: ClientTo, status: str) -> None:
    with Stage(says(answer(status), keep=True)) as stage:
        client = client_to(stage.origin)
        replace_playlist(client, **WHERE, details=DETAILS)
        update_details(client, **WHERE, details=DETAILS)
        add_tracks(client, **WHERE, tracks=[TRACK])
        delete_playlist(client, **WHERE)


@pytest.mark.parametrize(
    "body", ["", "{}", '{"playlist":null}', '{"playlist":{}}', '{"playlist":{"id":""}}', '{"id":1}']
)
def test_a_new_one_without_an_id_is_a_doubt(client_to: ClientTo, body: str) -> None:
    with Stage(ok(body)) as stage, pytest.raises(errors.Unreadable) as caught:
        create_playlist(client_to(stage.origin), country="GB", user_id=None, details=DETAILS)
    assert caught.value.in_doubt


@pytest.mark.parametrize("call", [each[0] for each in CALLS])
def test_what_is_not_there_is_said(client_to: ClientTo, call: Callable[[Client], object]) -> None:
    with Stage(no("404 No", error_json(2001, "Playlist not found"))) as stage, pytest.raises(errors.NotFound):
        call(client_to(stage.origin))


# --- Both spellings --------------------------------------------------------------------------------------

IN_JSON = (
    '{"playlist":{"id":"1a","name":"Morning","description":"slowly","visibility":"Public","status":"draft","userId":"u",'
    '"trackCount":3,"tags":[{"name":"calm","playlistPosition":1},{"name":"new"}],"annotations":{"ours":"17"}}}'
)
IN_XML = (
    '<response status="ok"><playlist id="1a"><name>Morning</name><description>slowly</description><userId>u</userId>'
    "<visibility>public</visibility><status>draft</status><trackCount>3</trackCount>"
    "<tags><tag><name>calm</name></tag><tag><name>new</name></tag></tags>"
    '<annotations><annotation key="ours">17</annotation></annotations></playlist></response>'
)


@pytest.mark.parametrize("body", [IN_JSON, IN_XML])
def test_a_playlist_is_read_in_either_encoding(client_to: ClientTo, body: str) -> None:
    with Stage(ok(body)) as stage:
        told = read_playlist(client_to(stage.origin), **WHERE)

    assert (told.id, told.name, told.description, told.user_id, told.track_count) == ("1a", "Morning", "slowly", "u", 3)
    assert (told.visibility, told.status, told.tags) == ("public", "draft", ("calm", "new"))
    assert told.annotations == {"ours": "17"}


@pytest.mark.parametrize(
    ("part", "annotations"),
    [
        ("", None),
        (',"annotations":null', {}),
        (',"annotations":{}', {}),
        (',"annotations":{"annotation":{"key":"a","#text":"1"}}', {"a": "1"}),
        (',"annotations":[]', {}),
    ],
)
def test_no_notes_and_no_word_of_notes_are_two_things(client_to: ClientTo, part: str, annotations: Any) -> None:
    with Stage(ok(f'{{"playlist":{{"id":"1a"{part}}}}}')) as stage:
        assert read_playlist(client_to(stage.origin), **WHERE).annotations == annotations


@pytest.mark.parametrize("key", ["id", "playlistItemId"])
def test_what_is_on_it_is_read_under_either_name(client_to: ClientTo, key: str) -> None:
    body = (
        f'{{"page":1,"pageSize":500,"totalItems":1,"tracks":[{{"{key}":"9f","trackId":"88001","trackTitle":"Tide"}}]}}'
    )
    with Stage(ok(body)) as stage:
        found = list(playlist_tracks(client_to(stage.origin), **WHERE))

    assert found == [Listed(item_id="9f", track_id="88001", title="Tide", artist="")]
    assert stage.heard[0].target == f"/1.2/playlists/{KEY}/tracks?country=GB&userId=u%201&page=1&pageSize=500"


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ('{"page":1,"pageSize":50,"totalItems":2,"playlists":[{"id":"a"},{"id":"b"}]}', "ab"),
        ('{"status":"ok","playlists":{"page":1,"pageSize":50,"totalItems":1,"playlist":[{"id":"a"}]}}', "a"),
        ('{"playlists":{"totalItems":1,"playlist":{"id":"a"}}}', "a"),
        ('{"playlist":[{"id":"a"},{"id":"b"}]}', "ab"),
        ('{"totalItems":1,"playlists":{"id":"a"}}', "a"),
        ('{"totalItems":"0","playlists":null}', ""),
        ('<response><totalItems>1</totalItems><playlists><playlist id="a"/></playlists></response>', "a"),
        ("<response><page>1</page><totalItems>0</totalItems><playlists/></response>", ""),
        ('<response><playlists><playlist id="a"/><playlist id="b"/></playlists></response>', "ab"),
    ],
)
def test_lists_are_read_with_and_without_envelope(client_to: ClientTo, body: str, ids: str) -> None:
    with Stage(ok(body)) as stage:
        client = client_to(stage.origin)
        assert [each.id for each in user_playlists(client, country="GB", user_id="u")] == list(ids)
        assert [each.id for each in partner_playlists(client, country="GB")] == list(ids)
    assert [heard.target for heard in stage.heard] == [
        "/1.2/user/playlists?country=GB&userId=u&page=1&pageSize=50",
        "/1.2/playlists?country=GB&page=1&pageSize=50",
    ]


@pytest.mark.parametrize(
    "body", ["", "{}", '{"playlist":"a"}', '{"playlists":[1]}', '{"playlists":[{"name":"no id"}]}']
)
def test_a_list_is_not_guessed(client_to: ClientTo, body: str) -> None:
    with Stage(ok(body)) as stage, pytest.raises(errors.Unreadable):
        list(partner_playlists(client_to(stage.origin), country="GB"))


# --- Page by page ----------------------------------------------------------------------------------------


def pages(*bodies: str) -> Play:
    """One answer after the other; a page beyond the last is out of range."""
    left = list(bodies)

    def play(sock: Any, heard: Any) -> bool:
        refusal = answer("400 No", error_json(1003, "The page is out of range"))
        sock.sendall(answer("200 OK", left.pop(0)) if left else refusal)
        return True

    return play


def page(*ids: int, total: int | None) -> str:
    head = "" if total is None else f'"totalItems":{total},'
    return f'{{{head}"playlists":[{",".join(f"""{{"id":"{each}"}}""" for each in ids)}]}}'


@pytest.mark.parametrize(
    ("answers", "count", "calls"),
    [
        ([page(*range(50), total=51), page(50, total=51)], 51, 2),
        ([page(*range(50), total=50)], 50, 1),
        ([page(*range(10), total=15), page(*range(10, 15), total=15)], 15, 2),  # smaller pages than asked for
        ([page(*range(50), total=None), page(50, total=None)], 51, 2),
        ([page(*range(50), total=90)], 50, 2),  # it has become shorter meanwhile
        ([page(*range(50), total=90), page(total=90)], 50, 2),
    ],
)
def test_all_pages_are_read_and_no_more(client_to: ClientTo, answers: list[str], count: int, calls: int) -> None:
    with Stage(pages(*answers)) as stage:
        found = list(partner_playlists(client_to(stage.origin, total_seconds=3), country="GB"))
    assert ([each.id for each in found], len(stage.heard)) == ([str(number) for number in range(count)], calls)


def test_a_first_page_out_of_range_is_a_refusal(client_to: ClientTo) -> None:
    with Stage(pages()) as stage, pytest.raises(errors.OutOfRange):
        list(partner_playlists(client_to(stage.origin), country="GB"))


def test_a_list_without_end_is_left(client_to: ClientTo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("massivemusic.playlists.PAGES", 3)
    with Stage(ok(page(1, total=1000))) as stage, pytest.raises(errors.Unreadable, match="no end"):
        list(partner_playlists(client_to(stage.origin), country="GB"))
    assert len(stage.heard) == 3
