"""The locker is read in each of its spellings, and believed in none that makes no sense."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivemusic import errors
from massivemusic.locker import LockerPage, LockerRelease, LockerTrack, _release, every_page, read_locker
from tests.massivemusic.behaviours import error_json, error_xml, no, ok
from tests.massivemusic.conftest import ClientTo
from tests.massivemusic.stage import Heard, Play, Stage, answer, fields

ARTIST = {"id": 501, "name": "The Lamplighters", "appearsAs": "The Lamplighters feat. Ada", "slug": "lamplighters"}
URLS = [
    {"url": "https://media.example/a?oauth_signature=x", "format": {"id": 17, "description": "MP3 320"}},
    {"format": {"id": 45, "fileFormat": "FLAC", "drmFree": True, "url": "https://media.example/b"}},
    {"format": {"id": 17, "bitRate": "320"}},
]
TRACK: dict[str, Any] = {
    "track": {
        "id": 88001, "title": "Tide", "version": "Live", "artist": ARTIST, "trackNumber": 3, "duration": 204,
        "isrc": "GBQQQ2500001", "explicitContent": True,
    },
    "remainingDownloads": 5,
    "purchaseId": 49193524,
    "purchaseDate": "2026-11-21T12:00:00Z",
    "completeAlbumPurchase": True,
    "downloadUrls": {"downloadUrl": URLS},
    "something": {"new": []},
}  # fmt: skip
RELEASE: dict[str, Any] = {
    "release": {
        "id": 7001001, "title": "Harbour Lights", "version": "", "type": "Album", "barcode": "5050000000017",
        "artist": ARTIST | {"appearsAs": None}, "slug": "x", "image": "http://x/50.jpg",
        "label": {"id": 31, "name": "Quay"}, "licensor": {"id": 4, "name": "Quay Group"},
    },
    "lockerTracks": {"lockerTrack": [TRACK]},
    "available": True,
}  # fmt: skip
READ = LockerRelease(
    release_id=7001001,
    title="Harbour Lights",
    version="",
    artist_name="The Lamplighters",
    tracks=(
        LockerTrack(
            track_id=88001,
            title="Tide",
            version="Live",
            artist_name="The Lamplighters feat. Ada",
            track_number=3,
            isrc="GBQQQ2500001",
            duration_seconds=204,
            remaining_downloads=5,
            purchase_id=49193524,
            purchased_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
            whole_release=True,
            formats=(17, 45),
        ),
    ),
)
XML = """<?xml version="1.0"?><response status="ok" version="1.2"><locker><lockerReleases>
<page>2</page><pageSize>10</pageSize><totalItems>11</totalItems>
<lockerRelease><release id="7001001"><title>Harbour Lights</title><version/>
<artist id="501"><name>The Lamplighters</name><appearsAs/></artist></release>
<lockerTracks><lockerTrack><track id="88001"><title>Tide</title><version>Live</version><trackNumber>3</trackNumber>
<artist id="501"><name>The Lamplighters</name><appearsAs>The Lamplighters feat. Ada</appearsAs></artist>
<duration>204</duration><isrc>GBQQQ2500001</isrc></track><remainingDownloads>5</remainingDownloads>
<purchaseId>49193524</purchaseId><purchaseDate>2026-11-21T12:00:00Z</purchaseDate>
<completeAlbumPurchase>True</completeAlbumPurchase>
<downloadUrls><downloadUrl><url>https://media.example/a</url><format id="17"/></downloadUrl>
<downloadUrl><format id="45"><url>https://media.example/b</url></format></downloadUrl></downloadUrls>
</lockerTrack></lockerTracks><available>true</available></lockerRelease></lockerReleases></locker></response>"""


def locker(releases: object, *, total: object = 1, **head: object) -> str:
    told = {"totalItems": total, "lockerRelease": releases} | head
    return msgspec.json.encode({"status": "ok", "schema": "x", "locker": {"lockerReleases": told}}).decode()


def changed(path: Sequence[str], value: object) -> str:
    """The locker with one value of its one track, or of its release, in place of another."""
    tree: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(RELEASE))
    place = tree["lockerTracks"]["lockerTrack"][0] if path[0] == "lockerTrack" else tree
    names = path[1:] if path[0] == "lockerTrack" else path
    for name in names[:-1]:
        place = place[name]
    if value is Ellipsis:
        del place[names[-1]]
    else:
        place[names[-1]] = value
    return locker([tree])


def test_a_locker_is_asked_for_by_page(client_to: ClientTo) -> None:
    with Stage(ok(locker([]))) as stage:
        client = client_to(stage.origin)
        read_locker(client, user_id="u/1", country="GB")
        read_locker(
            client, user_id="u", country="GB", page=2, page_size=10, release_id=7, track_id=11, purchase_id=4,
            sort="purchaseDate desc",
        )  # fmt: skip
    first, second = (heard.target.partition("?") for heard in stage.heard)
    assert first[0] == "/1.2/user/locker"
    sort = "releaseTitle asc"
    assert fields(first[2]) == {"userId": "u/1", "country": "GB", "page": "1", "pageSize": "50", "sort": sort}
    assert fields(second[2]) == {
        "userId": "u", "country": "GB", "page": "2", "pageSize": "10", "sort": "purchaseDate desc",
        "releaseId": "7", "trackId": "11", "purchaseId": "4",
    }  # fmt: skip
    assert stage.heard[0].method == "GET"


@pytest.mark.parametrize(
    "body",
    [
        XML,
        locker([RELEASE], total=11, page=2, pageSize=10),
        locker(RELEASE, total="11", page="2", pageSize="10"),
        locker([RELEASE | {"lockerTracks": [TRACK]}], total=11, page=2, pageSize=10),
        locker([RELEASE | {"lockerTracks": {"lockerTrack": TRACK}}], total=11, page=2, pageSize=10),
        locker([RELEASE | {"lockerTracks": [TRACK | {"downloadUrls": URLS}]}], total=11, page=2, pageSize=10),
    ],
)
def test_a_locker_is_read_in_each_of_its_shapes(client_to: ClientTo, body: str) -> None:
    with Stage(ok(body)) as stage:
        page = read_locker(client_to(stage.origin), user_id="u", country="GB", page=2, page_size=10)
    assert page == LockerPage(page=2, page_size=10, total_items=11, releases=(READ,))


def test_no_url_is_kept(client_to: ClientTo) -> None:
    with Stage(ok(XML)) as stage:
        page = read_locker(client_to(stage.origin), user_id="u", country="GB")
    assert "http" not in repr(page)


def test_what_is_not_said_is_not_there(client_to: ClientTo) -> None:
    track = {"track": {"id": 1}, "purchaseId": 2}
    with Stage(ok(locker([{"release": {"id": 3}, "lockerTracks": [track]}]))) as stage:
        (release,) = read_locker(client_to(stage.origin), user_id="u", country="GB").releases
    assert (release.title, release.artist_name) == ("", "")
    assert release.tracks == (
        LockerTrack(
            track_id=1,
            title="",
            version="",
            artist_name="",
            track_number=0,
            isrc="",
            duration_seconds=0,
            remaining_downloads=None,
            purchase_id=2,
            purchased_at=None,
            whole_release=False,
            formats=(),
        ),
    )


@pytest.mark.parametrize(
    "body",
    [
        locker([], total=0),
        locker(None, total=0),
        '{"locker":{"lockerReleases":{"totalItems":0}}}',
        '<response status="ok"><locker><lockerReleases><page>1</page><totalItems>0</totalItems></lockerReleases>'
        "</locker></response>",
    ],
)
def test_a_locker_may_be_empty(client_to: ClientTo, body: str) -> None:
    with Stage(ok(body)) as stage:
        page = read_locker(client_to(stage.origin), user_id="u", country="GB", page=3)
    assert page == LockerPage(page=page.page, page_size=50, total_items=0, releases=())


@pytest.mark.parametrize(
    "body",
    ["", "{}", '{"status":"ok"}', '{"locker":null}', '{"locker":{}}', '{"locker":[]}',
     '{"locker":{"lockerReleases":[]}}', '{"locker":{"lockerReleases":{}}}',
     '<response status="ok"><locker/></response>', locker([RELEASE], total=None),
     locker([RELEASE], total="many"), locker([RELEASE], total=-1), locker([RELEASE], total=True),
     locker([RELEASE], total=2**31), locker(["x"]), locker("x"), locker([None]), locker([[]]), locker([{}]),
     locker([RELEASE], page="x")],
    ids=lambda body: body[:60],
)  # fmt: skip
def test_a_locker_that_is_none_is_not_an_empty_one(client_to: ClientTo, body: str) -> None:
    with Stage(ok(body)) as stage, pytest.raises(errors.Unreadable) as caught:
        read_locker(client_to(stage.origin), user_id="u", country="GB")
    assert caught.value.in_doubt


HOSTILE: list[tuple[tuple[str, ...], object]] = [
    (("release",), ...), (("release",), "x"), (("release", "id"), ...), (("release", "id"), 0),
    (("release", "id"), "x"), (("release", "id"), -1), (("release", "id"), 2**31), (("release", "id"), 1.5),
    (("release", "title"), {"a": 1}), (("release", "title"), ["x"]), (("release", "title"), True),
    (("release", "title"), "a\0b"), (("release", "artist"), {"name": []}), (("lockerTracks",), "x"),
    (("lockerTracks",), {"lockerTrack": "x"}), (("lockerTrack", "track"), ...), (("lockerTrack", "track"), []),
    (("lockerTrack", "track", "id"), None), (("lockerTrack", "track", "trackNumber"), "three"),
    (("lockerTrack", "track", "duration"), -1), (("lockerTrack", "track", "isrc"), 1.5),
    (("lockerTrack", "remainingDownloads"), -1), (("lockerTrack", "remainingDownloads"), ""),
    (("lockerTrack", "remainingDownloads"), 10**30), (("lockerTrack", "purchaseId"), ...),
    (("lockerTrack", "purchaseId"), [1]), (("lockerTrack", "purchaseDate"), "soon"),
    (("lockerTrack", "purchaseDate"), 0), (("lockerTrack", "purchaseDate"), "0001-01-01T00:00:00+09:00"),
    (("lockerTrack", "completeAlbumPurchase"), "perhaps"), (("lockerTrack", "completeAlbumPurchase"), 1),
    (("lockerTrack", "downloadUrls"), "x"), (("lockerTrack", "downloadUrls"), [{}]),
    (("lockerTrack", "downloadUrls"), [{"format": "17"}]), (("lockerTrack", "downloadUrls"), [{"format": {}}]),
    (("lockerTrack", "downloadUrls"), [{"format": {"id": "x"}}]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), HOSTILE, ids=repr)
def test_a_locker_is_not_guessed(client_to: ClientTo, path: tuple[str, ...], value: object) -> None:
    with Stage(ok(changed(path, value))) as stage, pytest.raises(errors.Unreadable) as caught:
        read_locker(client_to(stage.origin), user_id="u", country="GB")
    assert "http" not in str(caught.value)


def test_a_title_may_look_like_a_number(client_to: ClientTo) -> None:
    with Stage(ok(changed(("release", "title"), 1984))) as stage:
        (release,) = read_locker(client_to(stage.origin), user_id="u", country="GB").releases
    assert release.title == "1984"


@pytest.mark.parametrize("error", [error_json, error_xml])
def test_a_purchase_without_a_match_is_not_found(client_to: ClientTo, error: Any) -> None:
    with Stage(no("404 No", error(2001, "Purchase not found"))) as stage, pytest.raises(errors.NotFound):
        read_locker(client_to(stage.origin), user_id="u", country="GB", purchase_id=1)


# --- all of it ------------------------------------------------------------------------------------


def pages(*bodies: str) -> Play:
    """A page for each number; beyond the last 1003."""

    def play(sock: socket.socket, heard: Heard) -> bool:
        number = int(fields(heard.target.partition("?")[2])["page"])
        known = number <= len(bodies)
        body = bodies[number - 1] if known else error_json(1003, "out of range")
        sock.sendall(answer("200 OK" if known else "400 No", body))
        return True

    return play


def of(*numbers: int, total: int) -> str:
    return locker([{"release": {"id": number}} for number in numbers], total=total)


def owned(client_to: ClientTo, stage: Stage) -> list[int]:
    return [each.release_id for each in every_page(client_to(stage.origin), user_id="u", country="GB", page_size=2)]


@pytest.mark.parametrize(
    ("bodies", "numbers", "asked"),
    [
        ([of(1, 2, total=3), of(3, total=3)], [1, 2, 3], 2),
        ([of(1, 2, total=2)], [1, 2], 1),
        ([of(total=0)], [], 1),
        ([of(1, 2, total=4)], [1, 2], 2),
        ([of(1, 2, total=3), of(total=2)], [1, 2], 2),
    ],
)
def test_all_pages_are_read(client_to: ClientTo, bodies: list[str], numbers: list[int], asked: int) -> None:
    with Stage(pages(*bodies)) as stage:
        assert owned(client_to, stage) == numbers
    assert len(stage.heard) == asked


def test_a_locker_that_says_it_has_more_is_in_doubt(client_to: ClientTo) -> None:
    with Stage(pages(of(1, 2, total=3), of(total=3))) as stage, pytest.raises(errors.Unreadable, match="fewer"):
        owned(client_to, stage)


def test_a_locker_without_end_ends(client_to: ClientTo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("massivemusic.locker.PAGES", 3)
    with Stage(ok(of(1, total=99))) as stage, pytest.raises(errors.Unreadable, match="no end"):
        owned(client_to, stage)
    assert len(stage.heard) == 3


def test_a_page_that_is_refused_at_once_is_an_error(client_to: ClientTo) -> None:
    with Stage(pages()) as stage, pytest.raises(errors.OutOfRange):
        owned(client_to, stage)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted({*RELEASE, *TRACK})), inner),
    max_leaves=8,
)


@given(release=JUNK, track=JUNK, urls=JUNK)
def test_whatever_is_told_is_read_or_refused(release: Any, track: Any, urls: Any) -> None:
    try:
        _release(RELEASE | {"lockerTracks": [TRACK | {"downloadUrls": urls, "track": track}], "artist": release})
        _release(release if isinstance(release, dict) else {"release": release})
    except errors.Unreadable:
        pass
