"""GET /1.2/user/locker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from defusedxml.ElementTree import fromstring

from tests.sandbox.platform import Partner, Platform, error_of
from tests.sandbox.receiver import Receiver

PATH = "/1.2/user/locker"
MP3, FLAC = 17, 45


@pytest.fixture
def buyer(partner: Partner) -> str:
    return partner.new_user()


@pytest.fixture
def collector(partner: Partner, buyer: str) -> str:
    """Somebody with a release of each of twelve artists and titles, bought in the order of their ids."""
    for release in worldwide(partner.platform)[:12]:
        partner.sold(buyer, release["id"])
    return buyer


def worldwide(platform: Platform) -> list[dict]:
    return [
        release
        for release in platform.releases(taken_down=False, pre_release=False)
        if len(release["territories"]) > 200
    ]


def titles(locker: dict) -> list[str]:
    return [each["release"]["title"] for each in locker["lockerRelease"]]


def ids(locker: dict) -> list[int]:
    return [each["release"]["id"] for each in locker["lockerRelease"]]


def tracks(locker: dict) -> list[tuple[int, int]]:
    """Tracks and the purchases that brought them."""
    return [
        (track["track"]["id"], track["purchaseId"])
        for each in locker["lockerRelease"]
        for track in each["lockerTracks"]["lockerTrack"]
    ]


def test_a_release_is_there_with_all_its_tracks(partner: Partner, buyer: str):
    release = partner.platform.release()
    purchase = partner.sold(buyer, release["id"], packageId=9)
    answer = partner.request("GET", PATH, userId=buyer, country="GB")
    tree = answer.json()
    (owned,) = tree["locker"]["lockerReleases"]["lockerRelease"]
    first = owned["lockerTracks"]["lockerTrack"][0]
    known = release["tracks"][0]

    assert sorted(tree) == ["locker", "schema", "status", "version"]
    assert {name: tree["locker"]["lockerReleases"][name] for name in ("page", "pageSize", "totalItems")} == {
        "page": 1, "pageSize": 10, "totalItems": 1,
    }  # fmt: skip
    assert (owned["release"]["id"], owned["release"]["title"]) == (release["id"], release["title"])
    assert owned["release"]["artist"]["name"] == owned["release"]["artist"]["appearsAs"] == release["artist"]
    assert owned["available"] is True
    assert tracks(tree["locker"]["lockerReleases"]) == [(track["id"], purchase) for track in release["tracks"]]
    assert (first["track"]["title"], first["track"]["isrc"]) == (known["title"], known["isrc"])
    assert first["track"]["duration"] == round(known["duration_seconds"])
    assert (first["remainingDownloads"], first["completeAlbumPurchase"]) == (5, True)
    assert first["purchaseDate"].endswith("Z")
    (url,) = first["downloadUrls"]["downloadUrl"]
    assert url["format"] == {"id": FLAC, "fileFormat": "FLAC", "drmFree": True}
    assert url["url"].startswith(f"{partner.platform.url}/media/user/downloadtrack?")
    image = partner.fetch(owned["release"]["image"])
    assert (image.status_code, image.headers["Content-Type"]) == (200, "image/jpeg")


def test_a_locker_is_told_in_xml_with_ids_as_attributes(partner: Partner, buyer: str):
    release = partner.platform.release()
    purchase = partner.sold(buyer, release["id"], trackId=release["tracks"][1]["id"])
    answer = partner.request("GET", PATH, accept="*/*", userId=buyer, country="GB")
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    (owned,) = fromstring(answer.content).findall("locker/lockerReleases/lockerRelease")
    (track,) = owned.findall("lockerTracks/lockerTrack")

    assert owned.find("release").get("id") == str(release["id"])
    assert owned.find("release/artist").get("id")
    assert track.find("track").get("id") == str(release["tracks"][1]["id"])
    assert track.findtext("purchaseId") == str(purchase)
    assert track.findtext("completeAlbumPurchase") == "false"
    formats = [url.find("format").get("id") for url in track.findall("downloadUrls/downloadUrl")]
    assert formats[0] == str(MP3)
    assert owned.findtext("available") == "true"


def test_a_url_may_stand_inside_of_its_format(contrarian: Partner, buyer: str):
    contrarian.sold(buyer, contrarian.platform.release()["id"], packageId=9)
    (owned,) = contrarian.locker(buyer)["lockerRelease"]
    (url,) = owned["lockerTracks"]["lockerTrack"][0]["downloadUrls"]["downloadUrl"]
    assert list(url) == ["format"]
    assert url["format"]["url"].startswith("http://")
    assert owned["lockerTracks"]["lockerTrack"][0]["remainingDownloads"] == 2


def test_an_empty_locker_is_one(partner: Partner, buyer: str):
    empty = {"page": 1, "pageSize": 10, "totalItems": 0, "lockerRelease": []}
    assert partner.locker(buyer) == empty
    text = partner.request("GET", PATH, accept="*/*", userId=buyer, country="GB").text
    inside = "<page>1</page><pageSize>10</pageSize><totalItems>0</totalItems>"
    assert text.endswith(f"<locker><lockerReleases>{inside}</lockerReleases></locker></response>")


def test_what_was_bought_twice_is_there_twice(partner: Partner, buyer: str):
    release = partner.platform.release()
    one, two = release["tracks"][0]["id"], release["tracks"][1]["id"]
    single, other = (partner.sold(buyer, release["id"], trackId=track) for track in (two, one))
    whole = partner.sold(buyer, release["id"])
    locker = partner.locker(buyer)
    assert locker["totalItems"] == 1
    assert sorted(tracks(locker)) == sorted(
        [(two, single), (one, other), *((track["id"], whole) for track in release["tracks"])]
    )


def test_a_refund_empties_the_locker_of_its_sale_alone(partner: Partner, buyer: str):
    release = partner.platform.release()
    kept, back = (partner.sold(buyer, release["id"]) for _ in range(2))
    path = f"/1.2/user/purchase/{back}/release/{release['id']}"
    assert partner.request("DELETE", path, country="GB").status_code == 200
    assert {purchase for _, purchase in tracks(partner.locker(buyer))} == {kept}
    assert error_of(partner.request("GET", PATH, userId=buyer, country="GB", purchaseId=back))[:2] == (404, 2001)


def test_a_locker_is_its_owners(partner: Partner, collector: str):
    other = partner.new_user()
    purchase = tracks(partner.locker(collector))[0][1]
    assert partner.locker(other)["totalItems"] == 0
    answer = partner.request("GET", PATH, userId=other, country="GB", purchaseId=purchase)
    assert error_of(answer) == (404, 2001, f"Purchase not found: {purchase}")


def test_what_is_taken_down_stays_and_says_so(partner: Partner, buyer: str, receiver: Receiver):
    release = partner.platform.releases(type="Single", taken_down=False, pre_release=False)[-1]
    purchase = partner.sold(buyer, release["id"], country=release["territories"][0])
    for what, available in (("takedown", False), ("revive", True)):
        order = {"what": what, "release_id": release["id"], "url": receiver.url}
        assert partner.platform.control("POST", "publish", order).status_code == 200
        (owned,) = partner.locker(buyer)["lockerRelease"]
        assert owned["available"] is available
        wish = {"userId": buyer, "purchaseId": purchase, "country": "GB"}
        url = partner.signed_url("/media/user/download/purchase", **wish)
        assert partner.session.head(url, timeout=30).status_code == (200 if available else 403)


# --- filters --------------------------------------------------------------------------------------


def test_filters_leave_what_was_meant(partner: Partner, collector: str):
    whole = partner.locker(collector, pageSize=50)
    owned = whole["lockerRelease"][3]
    release = owned["release"]["id"]
    track, purchase = tracks({"lockerRelease": [owned]})[0]

    assert ids(partner.locker(collector, releaseId=release)) == [release]
    assert tracks(partner.locker(collector, purchaseId=purchase)) == tracks({"lockerRelease": [owned]})
    assert tracks(partner.locker(collector, releaseId=release, trackId=track)) == [(track, purchase)]
    assert tracks(partner.locker(collector, trackId=track)) == [(track, purchase)]
    assert tracks(partner.locker(collector, releaseId=release, trackId=track, purchaseId=purchase)) == [
        (track, purchase)
    ]


@pytest.mark.parametrize("elsewhere", [{"releaseId": 1}, {"trackId": 1}, {"releaseId": 1, "trackId": 1}])
def test_a_filter_without_a_match_is_an_empty_locker(partner: Partner, collector: str, elsewhere: dict):
    assert partner.locker(collector, **elsewhere)["totalItems"] == 0


def test_a_track_of_another_release_is_no_match(partner: Partner, collector: str):
    one, other = partner.locker(collector)["lockerRelease"][:2]
    track = other["lockerTracks"]["lockerTrack"][0]["track"]["id"]
    assert partner.locker(collector, releaseId=one["release"]["id"], trackId=track)["totalItems"] == 0


# --- pages and sorts ------------------------------------------------------------------------------


def test_pages_hold_everything_once(partner: Partner, collector: str):
    whole = ids(partner.locker(collector, pageSize=50))
    pages = [partner.locker(collector, page=page, pageSize=5) for page in (1, 2, 3)]
    assert [number for page in pages for number in ids(page)] == whole
    assert [len(ids(page)) for page in pages] == [5, 5, 2]
    assert {page["totalItems"] for page in pages} == {12}
    assert len(ids(partner.locker(collector))) == 10


@pytest.mark.parametrize("change", [{"page": 4, "pageSize": 5}, {"page": 0}, {"pageSize": 0}, {"pageSize": 51}])
def test_a_page_that_is_none_is_refused(partner: Partner, collector: str, change: dict):
    answer = partner.request("GET", PATH, userId=collector, country="GB", **change)
    assert error_of(answer)[:2] == (400, 1003)


KEYS: dict[str, Callable[[dict], object]] = {
    "releaseTitle": lambda owned: owned["release"]["title"].lower(),
    "artistName": lambda owned: owned["release"]["artist"]["name"].lower(),
    "purchaseDate": lambda owned: owned["lockerTracks"]["lockerTrack"][0]["purchaseId"],
}


@pytest.mark.parametrize("column", KEYS)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_sorts(partner: Partner, collector: str, column: str, order: str):
    owned = partner.locker(collector, pageSize=50, sort=f"{column} {order}")["lockerRelease"]
    keys = [KEYS[column](each) for each in owned]
    ascii_only = [key for key in keys if str(key).isascii()]  # the rest is as PostgreSQL's collation has it
    assert ascii_only == sorted(ascii_only, reverse=order == "desc")
    assert len(keys) == 12
    assert len(set(keys)) > 3


def test_the_title_is_what_it_is_sorted_by_otherwise(partner: Partner, collector: str):
    assert partner.locker(collector) == partner.locker(collector, sort="RELEASETITLE ASC")


def test_what_was_bought_again_counts_as_new(partner: Partner, collector: str):
    oldest = ids(partner.locker(collector, sort="purchaseDate asc"))[0]
    partner.sold(collector, oldest)
    locker = partner.locker(collector, sort="purchaseDate desc")
    assert ids(locker)[0] == oldest
    assert locker["totalItems"] == 12


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"userId": ""}, 1001, 'Missing "userId" parameter'),
        ({"country": ""}, 1001, 'Missing "country" parameter'),
        ({"country": "ZZ"}, 1002, "country is not valid"),
        ({"releaseId": "x"}, 1002, 'Invalid value for "releaseId": x'),
        ({"trackId": "-1"}, 1002, 'Invalid value for "trackId": -1'),
        ({"purchaseId": 2**31}, 1002, f'Invalid value for "purchaseId": {2**31}'),
        ({"page": "one"}, 1002, 'Invalid value for "page": one'),
        ({"pageSize": "1.5"}, 1002, 'Invalid value for "pageSize": 1.5'),
        ({"sort": "price asc"}, 1002, 'Invalid value for "sort": price asc'),
        ({"sort": "releaseTitle"}, 1002, 'Invalid value for "sort": releaseTitle'),
        ({"sort": "releaseTitle up"}, 1002, 'Invalid value for "sort": releaseTitle up'),
        ({"userId": "nobody"}, 2001, "User not found: nobody"),
    ],
)
def test_what_is_wrong_is_named(partner: Partner, buyer: str, change: dict, code: int, message: str):
    answer = partner.request("GET", PATH, **({"userId": buyer, "country": "GB"} | change))
    assert error_of(answer) == (404 if code == 2001 else 400, code, message)


def test_pagesize_and_userid_are_read_in_any_case(partner: Partner, collector: str):
    answer = partner.request("GET", PATH, userid=collector, COUNTRY="gb", pagesize=3, releaseID="")
    assert len(answer.json()["locker"]["lockerReleases"]["lockerRelease"]) == 3
