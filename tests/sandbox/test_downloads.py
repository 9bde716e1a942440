"""The media host: what was bought, track by track or as one ZIP."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests

from sandbox.audio.frames import mp3_frames
from tests.sandbox.platform import Partner, Platform, error_of
from tests.sandbox.test_faults import shake, target_of

PURCHASE, RELEASE, TRACK = "/media/user/download/purchase", "/media/user/download/release", "/media/user/downloadtrack"
NO_LICENCE = (403, 2002, "No license found for the download request")
USED = "OAuth authentication error: nonce already used"


@pytest.fixture
def release(platform: Platform) -> dict:
    """A single with a title that is not ASCII, sold in the whole world."""
    return next(each for each in platform.releases(type="Single") if each["title"] == "Garde la clé")


@pytest.fixture
def ep(platform: Platform) -> dict:
    return min(
        (each for each in platform.releases(type="EP", taken_down=False) if len(each["territories"]) > 200),
        key=lambda each: sum(track["duration_seconds"] for track in each["tracks"]),
    )


@pytest.fixture
def buyer(partner: Partner) -> str:
    return partner.new_user()


@pytest.fixture
def purchase(partner: Partner, buyer: str, release: dict) -> int:
    return partner.sold(buyer, release["id"])


def purchase_url(partner: Partner, buyer: str, purchase: object, **change: object) -> str:
    return partner.signed_url(PURCHASE, **({"userId": buyer, "purchaseId": purchase, "country": "GB"} | change))


def release_url(partner: Partner, buyer: str, release: dict, **change: object) -> str:
    wish = {"userId": buyer, "releaseId": release["id"], "formatId": 17, "country": "GB"}
    return partner.signed_url(RELEASE, **(wish | change))


def track_url(partner: Partner, buyer: str, release: dict, number: int = 0, **change: object) -> str:
    wish = {
        "userId": buyer, "trackId": release["tracks"][number]["id"], "releaseId": release["id"], "formatId": 17,
        "country": "GB",
    }  # fmt: skip
    return partner.signed_url(TRACK, **(wish | change))


def remaining(partner: Partner, buyer: str) -> list[int]:
    (owned,) = partner.locker(buyer)["lockerRelease"]
    return [track["remainingDownloads"] for track in owned["lockerTracks"]["lockerTrack"]]


def sums(platform: Platform, release: dict, format_id: int) -> list[str]:
    facts = [platform.control("GET", f"audio/{track['id']}/{format_id}").json() for track in release["tracks"]]
    return [fact["sha256"] for fact in facts]


def name_of(answer: requests.Response) -> str:
    return unquote(answer.headers["Content-Disposition"].partition("filename*=utf-8''")[2])


# --- ZIPs -----------------------------------------------------------------------------------------


def test_a_purchase_is_one_archive_of_real_audio(partner: Partner, buyer: str, release: dict, purchase: int):
    answer = partner.fetch(purchase_url(partner, buyer, purchase))

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert "Transfer-Encoding" not in answer.headers
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert re.fullmatch(rf"{release['artist']} - Garde la clé 20\d\d-\d\d-\d\d\.zip", name_of(answer))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        assert zipped.testzip() is None
        assert zipped.namelist() == [f"{release['artist']} - Garde la clé/01 Garde la clé.mp3"]
        sound = zipped.read(zipped.namelist()[0])
    assert [hashlib.sha256(sound).hexdigest()] == sums(partner.platform, release, 17)
    seconds = sum(frame.seconds for frame in mp3_frames(sound))
    assert seconds == pytest.approx(release["tracks"][0]["duration_seconds"], abs=0.2)


def test_a_purchase_comes_in_the_best_format_of_its_package(partner: Partner, buyer: str, release: dict):
    purchase = partner.sold(buyer, release["id"], packageId=9)
    answer = partner.fetch(purchase_url(partner, buyer, purchase))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        (name,) = zipped.namelist()
        assert name.endswith(".flac")
        assert zipped.read(name).startswith(b"fLaC")
    (line,) = partner.platform.journal("downloads", purchaseId=purchase)
    assert (line["formatId"], line["delivery"]) == (45, "zip")


def test_a_release_is_an_archive_of_what_is_owned_of_it(partner: Partner, buyer: str, ep: dict):
    third, first = (partner.sold(buyer, ep["id"], trackId=ep["tracks"][number]["id"]) for number in (2, 0))
    answer = partner.fetch(release_url(partner, buyer, ep))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        found = [hashlib.sha256(zipped.read(name)).hexdigest() for name in sorted(zipped.namelist())]
    known = sums(partner.platform, ep | {"tracks": [ep["tracks"][0], ep["tracks"][2]]}, 17)
    assert found == known
    lines = partner.platform.journal("downloads", userId=buyer)
    assert {line["purchaseId"] for line in lines} == {first, third}


def test_a_release_bought_twice_is_there_once(partner: Partner, buyer: str, release: dict, purchase: int):
    again = partner.sold(buyer, release["id"])
    for number in range(10):
        answer = partner.fetch(release_url(partner, buyer, release))
        assert answer.status_code == 200
        assert len(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) == 1
        assert sum(remaining(partner, buyer)) == 9 - number
    assert {line["purchaseId"] for line in partner.platform.journal("downloads", userId=buyer)} == {purchase, again}
    assert error_of(partner.fetch(release_url(partner, buyer, release)))[:2] == (403, 2002)


def test_a_head_tells_the_length_and_costs_nothing(partner: Partner, buyer: str, release: dict, purchase: int):
    for url in (
        purchase_url(partner, buyer, purchase),
        release_url(partner, buyer, release),
        track_url(partner, buyer, release),
    ):
        head = partner.session.head(url, timeout=30)
        answer = partner.fetch(url)
        for name in ("Content-Length", "Content-Type", "Content-Disposition"):
            assert head.headers[name] == answer.headers[name]
        assert (head.status_code, head.content) == (200, b"")
    assert remaining(partner, buyer) == [2]


def test_a_url_is_one_archive(partner: Partner, buyer: str, purchase: int):
    url = purchase_url(partner, buyer, purchase)
    assert partner.fetch(url).status_code == 200
    assert (partner.fetch(url).status_code, partner.fetch(url).text) == (401, USED)
    assert remaining(partner, buyer) == [4]


# --- tracks ---------------------------------------------------------------------------------------


def test_a_track_is_the_file_itself(partner: Partner, buyer: str, release: dict, purchase: int):
    answer = partner.fetch(track_url(partner, buyer, release))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/mpeg")
    assert [hashlib.sha256(answer.content).hexdigest()] == sums(partner.platform, release, 17)
    assert name_of(answer) == "01 Garde la clé.mp3"
    (line,) = partner.platform.journal("downloads", userId=buyer)
    assert {name: line[name] for name in line if name not in ("seq", "kind", "at", "call")} == {
        "userId": buyer, "trackId": release["tracks"][0]["id"], "releaseId": release["id"], "formatId": 17,
        "purchaseId": purchase, "delivery": "track",
    }  # fmt: skip


def test_a_track_goes_on_where_it_broke_off(partner: Partner, buyer: str, release: dict, purchase: int):
    url = track_url(partner, buyer, release)
    whole = partner.fetch(url).content
    rest = partner.fetch(url, Range="bytes=1000-")
    assert (rest.status_code, rest.content) == (206, whole[1000:])
    assert rest.headers["Content-Range"] == f"bytes 1000-{len(whole) - 1}/{len(whole)}"
    assert partner.fetch(url, Range=f"bytes={len(whole)}-").status_code == 416
    assert remaining(partner, buyer) == [4], "one download however many pieces"


def test_downloads_are_counted_down_to_none(partner: Partner, buyer: str, release: dict, purchase: int):
    for left in (4, 3, 2, 1, 0):
        assert partner.fetch(track_url(partner, buyer, release)).status_code == 200
        assert remaining(partner, buyer) == [left]
    spent = f"{NO_LICENCE[2]}: no downloads are left"
    assert error_of(partner.fetch(track_url(partner, buyer, release))) == (403, 2002, spent)
    assert error_of(partner.fetch(purchase_url(partner, buyer, purchase))) == (403, 2002, spent)
    assert partner.fetch(track_url(partner, buyer, release, formatId=45)).status_code == 403, "not in the package"
    partner.sold(buyer, release["id"])
    assert partner.fetch(track_url(partner, buyer, release)).status_code == 200


def test_of_many_at_once_as_many_as_are_left_get_it(platform: Platform, partner: Partner, buyer: str, release: dict):
    partner.sold(buyer, release["id"])
    partner.fetch(track_url(partner, buyer, release))
    urls = [track_url(partner, buyer, release) for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda url: requests.get(url, timeout=30).status_code, urls))
    assert sorted(statuses) == [200] * 4 + [403] * 8
    assert remaining(partner, buyer) == [0]


# --- whose ----------------------------------------------------------------------------------------


def test_only_the_owner_downloads(partner: Partner, buyer: str, release: dict, purchase: int):
    stranger = partner.new_user()
    for user_id in (stranger, "nobody"):
        for url in (
            purchase_url(partner, user_id, purchase), release_url(partner, user_id, release),
            track_url(partner, user_id, release),
        ):  # fmt: skip
            assert error_of(partner.fetch(url)) == NO_LICENCE


def test_only_what_is_owned_is_downloaded(partner: Partner, buyer: str, ep: dict, release: dict):
    partner.sold(buyer, ep["id"], trackId=ep["tracks"][0]["id"])
    assert partner.fetch(track_url(partner, buyer, ep)).status_code == 200
    for url in (
        track_url(partner, buyer, ep, 1), track_url(partner, buyer, ep, formatId=45),
        track_url(partner, buyer, release),
        track_url(partner, buyer, ep, releaseId=release["id"]), track_url(partner, buyer, ep, trackId=1),
        release_url(partner, buyer, release), release_url(partner, buyer, ep, formatId=45),
        purchase_url(partner, buyer, 1), purchase_url(partner, buyer, 2**31 - 1),
    ):  # fmt: skip
        assert error_of(partner.fetch(url)) == NO_LICENCE


def test_what_was_refunded_is_no_longer_owned(partner: Partner, buyer: str, release: dict, purchase: int):
    url = purchase_url(partner, buyer, purchase)
    path = f"/1.2/user/purchase/{purchase}/release/{release['id']}"
    assert partner.request("DELETE", path, country="GB").status_code == 200
    assert error_of(partner.fetch(url)) == NO_LICENCE
    assert error_of(partner.fetch(track_url(partner, buyer, release))) == NO_LICENCE


NAMED = [
    ({"userId": ""}, 1001, 'Missing "userId" parameter'),
    ({"country": ""}, 1001, 'Missing "country" parameter'),
    ({"country": "ZZ"}, 1002, "country is not valid"),
]
FORMAT = [
    ({"formatId": ""}, 1001, 'Missing "formatId" parameter'),
    ({"formatId": "mp3"}, 1002, 'Invalid value for "formatId": mp3'),
    ({"formatId": 26}, 1002, 'Invalid value for "formatId": 26'),
    ({"releaseId": ""}, 1001, 'Missing "releaseId" parameter'),
    ({"releaseId": "x"}, 1002, 'Invalid value for "releaseId": x'),
]
SINGLE = [
    ({"trackId": ""}, 1001, 'Missing "trackId" parameter'),
    ({"trackId": "0"}, 1002, 'Invalid value for "trackId": 0'),
]
BASKET = [
    ({"purchaseId": ""}, 1001, 'Missing "purchaseId" parameter'),
    ({"purchaseId": "x"}, 1002, 'Invalid value for "purchaseId": x'),
]


@pytest.mark.parametrize(
    ("make", "change", "code", "message"),
    [(purchase_url, *each) for each in NAMED + BASKET]
    + [(release_url, *each) for each in NAMED + FORMAT]
    + [(track_url, *each) for each in NAMED + FORMAT + SINGLE],
)
def test_what_is_wrong_is_named(partner: Partner, release: dict, make, change: dict, code: int, message: str):
    what = 1 if make is purchase_url else release
    assert error_of(partner.fetch(make(partner, "u", what, **change))) == (400, code, message)


def test_a_download_wants_a_signature(partner: Partner, buyer: str, purchase: int):
    url = purchase_url(partner, buyer, purchase)
    assert partner.fetch(url.partition("?")[0]).text == "Access to resource denied"
    other = url.replace(f"purchaseId={purchase}", f"purchaseId={purchase - 1}")
    assert partner.fetch(other).text == "OAuth authentication error: invalid signature"


# --- elsewhere, on error --------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["https://tonearm.example/sorry", "https://tonearm.example/sorry?from=a&b=%C3%BC"])
def test_an_error_leads_to_where_it_was_told(partner: Partner, buyer: str, release: dict, to: str):
    for change, code in (({}, "2002"), ({"formatId": "x"}, "1002"), ({"trackId": ""}, "1001")):
        url = track_url(partner, buyer, release, errorUrl=to, **change)
        answer = partner.session.get(url, allow_redirects=False, timeout=10)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(to)
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert query["errorCode"] == [code]
        assert query["errorMessage"]
        assert query.get("from") == (["a"] if "?" in to else None)


def test_without_an_error_it_leads_nowhere(partner: Partner, buyer: str, release: dict, purchase: int):
    url = track_url(partner, buyer, release, errorUrl="https://tonearm.example/sorry")
    assert partner.session.get(url, allow_redirects=False, timeout=30).status_code == 200


def test_nobody_is_led_anywhere_without_a_signature(partner: Partner, buyer: str, release: dict):
    url = track_url(partner, buyer, release, errorUrl="https://tonearm.example/sorry").replace("tonearm", "evil")
    assert partner.session.get(url, allow_redirects=False, timeout=10).status_code == 401


@pytest.mark.parametrize(
    "to",
    ["javascript:alert(1)", "//evil.example", "/sorry", "ftp://h.example", "https://", "https://h.example/a b",
     "https://h.example/\r\nX-Evil: 1", "https://h.example/#x", "https://hé.example",
     f"https://h.example/{'x' * 2048}"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(partner: Partner, buyer: str, release: dict, to: str):
    url = track_url(partner, buyer, release, errorUrl=to)
    answer = partner.session.get(url, allow_redirects=False, headers={"Accept": "application/json"}, timeout=10)
    assert error_of(answer)[:2] == (400, 1002)
    assert error_of(answer)[2].startswith('Invalid value for "errorUrl"')


# --- faults ---------------------------------------------------------------------------------------


def test_a_download_counts_though_its_bytes_are_lost(partner: Partner, buyer: str, purchase: int):
    partner.platform.order("lost_answer", PURCHASE)
    assert shake(partner.platform, target_of(purchase_url(partner, buyer, purchase)))[:2] == (b"", True)
    assert remaining(partner, buyer) == [4]


def test_a_download_that_is_refused_costs_nothing(partner: Partner, buyer: str, purchase: int):
    partner.platform.order("refused", PURCHASE)
    url = purchase_url(partner, buyer, purchase)
    assert shake(partner.platform, target_of(url))[:2] == (b"", True)
    assert remaining(partner, buyer) == [5]
    assert partner.fetch(url).status_code == 200


def test_an_archive_may_break_off_in_the_middle(partner: Partner, buyer: str, purchase: int):
    whole = partner.fetch(purchase_url(partner, buyer, purchase))
    partner.platform.order("truncated", PURCHASE)
    came, closed, _ = shake(partner.platform, target_of(purchase_url(partner, buyer, purchase)))
    body = came.partition(b"\r\n\r\n")[2]
    assert closed
    assert len(body) == len(whole.content) // 2
