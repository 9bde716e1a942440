"""The stream host: who may hear what, bytes and ranges, single use, one device at a time, HLS."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.audio.frames import mp3_frames
from tests.sandbox.platform import Partner, error_of, eventually, iso

USED = "OAuth authentication error: nonce already used"


# --- the bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize(("format_id", "mime"), [(26, "audio/mpeg"), (17, "audio/mpeg"), (45, "audio/flac")])
def test_sends_the_file_that_the_control_door_describes(partner, listener, track, format_id, mime):
    answer = partner.stream(listener, track, formatId=format_id)
    facts = partner.platform.control("GET", f"audio/{track}/{format_id}").json()

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == mime == facts["content_type"]
    assert int(answer.headers["Content-Length"]) == len(answer.content) == facts["bytes"]
    assert hashlib.sha256(answer.content).hexdigest() == facts["sha256"]
    assert answer.headers["Accept-Ranges"] == "bytes"
    if mime == "audio/mpeg":
        assert sum(frame.seconds for frame in mp3_frames(answer.content)) == pytest.approx(
            facts["duration_seconds"], abs=0.2
        )


def test_journals_the_stream(partner, listener, track):
    partner.stream(listener, track, clientId="phone")
    (line,) = partner.platform.journal("streams", userId=listener)
    fields = {name: line[name] for name in line if name not in ("seq", "at", "call", "kind")}
    assert fields == {
        "userId": listener,
        "trackId": track,
        "formatId": 26,
        "clientId": "phone",
        "country": "GB",
        "delivery": "progressive",
    }


RANGES = [
    ("bytes=0-0", 206, slice(0, 1)),
    ("bytes=100-199", 206, slice(100, 200)),
    ("bytes=100-", 206, slice(100, None)),
    ("bytes=-50", 206, slice(-50, None)),
    ("bytes=-999999999", 206, slice(0, None)),
    ("bytes=10-999999999", 206, slice(10, None)),
]


@pytest.mark.parametrize(("wanted", "status", "part"), RANGES)
def test_sends_ranges(partner, listener, track, wanted, status, part):
    url = partner.stream_url(listener, track)
    whole = partner.fetch(url).content
    answer = partner.fetch(url, Range=wanted)

    assert answer.status_code == status
    assert answer.content == whole[part]
    first = range(len(whole))[part][0]
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole)}"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=-0"])
def test_refuses_ranges_beyond_the_end_and_does_not_use_up_the_url(partner, listener, track, wanted):
    url = partner.stream_url(listener, track)
    answer = partner.fetch(url, Range=wanted)
    size = partner.platform.control("GET", f"audio/{track}/26").json()["bytes"]

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"
    assert answer.content == b""
    assert partner.fetch(url).status_code == 200


@pytest.mark.parametrize("wanted", ["bytes=5-2", "bytes=a-b", "bytes=-", "lines=1-2", "bytes=0-1,5-6"])
def test_sends_the_whole_where_a_range_makes_no_sense(partner, listener, track, wanted):
    answer = partner.stream(listener, track)
    again = partner.fetch(partner.stream_url(listener, track), Range=wanted)
    assert (again.status_code, again.content) == (200, answer.content)


def test_sends_the_whole_when_the_file_behind_if_range_is_another(partner, listener, track):
    url = partner.stream_url(listener, track)
    etag = partner.fetch(url, Range="bytes=0-9").headers["ETag"]
    assert partner.fetch(url, **{"Range": "bytes=0-9", "If-Range": etag}).status_code == 206
    changed = {"Range": "bytes=0-9", "If-Range": '"old"'}
    assert [partner.fetch(url, **changed).status_code for _ in range(2)] == [200, 401], "and that uses the URL up"


def test_answers_head_without_using_up_the_url(partner, listener, track):
    url = partner.stream_url(listener, track)
    head = partner.session.head(url, timeout=10)
    answer = partner.fetch(url)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(answer.content))
    assert head.headers["ETag"] == answer.headers["ETag"]
    assert len(partner.platform.journal("streams", userId=listener)) == 1


# --- a URL works once -------------------------------------------------------------------------


def test_works_once_and_goes_on_with_ranges(partner, listener, track):
    url = partner.stream_url(listener, track)
    assert [partner.fetch(url).status_code for _ in range(2)] == [200, 401]
    assert partner.fetch(url).text == USED
    assert partner.fetch(url, Range="bytes=5-").status_code == 206
    assert len(partner.platform.journal("streams", userId=listener)) == 1


def test_a_first_range_leaves_one_whole_answer(partner, listener, track):
    url = partner.stream_url(listener, track)
    codes = [partner.fetch(url, Range="bytes=0-").status_code, *(partner.fetch(url).status_code for _ in range(2))]
    assert codes == [206, 200, 401]
    assert len(partner.platform.journal("streams", userId=listener)) == 1


def test_gives_one_of_many_that_come_at_once_the_bytes(partner, listener, track):
    url = partner.stream_url(listener, track)
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: partner.fetch(url).status_code, range(8)))
    assert sorted(codes) == [200] + [401] * 7
    assert len(partner.platform.journal("streams", userId=listener)) == 1


def test_can_be_strict_about_single_use(contrarian, listener, track):
    url = contrarian.stream_url(listener, track)
    assert [contrarian.fetch(url, Range="bytes=0-9").status_code for _ in range(2)] == [206, 401]


def test_can_be_lax_about_single_use(differently, listener, track):
    lax = Partner(differently(SANDBOX_SINGLE_USE="off", SANDBOX_WORKERS="1"))
    url = lax.stream_url(listener, track)
    assert [lax.fetch(url).status_code for _ in range(3)] == [200] * 3
    assert len(lax.platform.journal("streams", userId=listener)) == 1
    lax.close()


def test_lives_for_an_hour(partner, listener, track):
    wish = {"userId": listener, "trackId": track, "formatId": 26, "country": "GB"}
    young = partner.signed_url("/stream/subscription", at=time.time() - 3590, **wish)
    old = partner.signed_url("/stream/subscription", at=time.time() - 3601, **wish)
    early = partner.signed_url("/stream/subscription", at=time.time() + 310, **wish)

    assert partner.fetch(young).status_code == 200
    assert partner.fetch(old).text == "OAuth authentication error: expired timestamp"
    assert partner.fetch(early).status_code == 401


def test_does_not_take_one_nonce_for_two_urls(partner, listener, platform):
    wish = {"userId": listener, "formatId": 26, "country": "GB"}
    one, two = (
        partner.signed_url("/stream/subscription", at=time.time(), nonce="the same", trackId=track["id"], **wish)
        for track in platform.release()["tracks"][:2]
    )
    assert partner.fetch(one).status_code == 200
    assert (partner.fetch(two).status_code, partner.fetch(two).text) == (401, USED)


# --- who may hear what ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status", "code", "message"),
    [
        ({"userId": ""}, 400, 1001, 'Missing "userId" parameter'),
        ({"trackId": ""}, 400, 1001, 'Missing "trackId" parameter'),
        ({"formatId": ""}, 400, 1001, 'Missing "formatId" parameter'),
        ({"country": ""}, 400, 1001, 'Missing "country" parameter'),
        ({"trackId": "abc"}, 400, 1002, 'Invalid value for "trackId": abc'),
        ({"trackId": "-1"}, 400, 1002, 'Invalid value for "trackId": -1'),
        ({"trackId": 2**31}, 400, 1002, f'Invalid value for "trackId": {2**31}'),
        ({"formatId": 33}, 400, 1002, 'Invalid value for "formatId": 33'),
        ({"formatId": 55}, 400, 1002, 'Invalid value for "formatId": 55'),
        ({"country": "ZZ"}, 400, 1002, "country is not valid"),
        ({"clientId": "d" * 256}, 400, 1002, f'Invalid value for "clientId": {"d" * 100}'),
        ({"trackId": 1}, 404, 2001, "Track not found: it is not available for streaming in this country or shop"),
        ({"userId": "nobody"}, 403, 2002, "The user has no valid subscription"),
    ],
)
def test_names_what_is_wrong(partner, listener, track, change, status, code, message):
    wish = {"userId": listener, "trackId": track, "formatId": 26, "country": "GB"} | change
    if change.get("formatId") == 55 and partner.platform.control("GET", f"audio/{track}/55").status_code == 200:
        pytest.skip("this machine can make HE-AAC")
    for path in ("/stream/subscription", "/stream/subscription.m3u8"):
        assert error_of(partner.fetch(partner.signed_url(path, **wish))) == (status, code, message)


def test_errors_are_xml_by_default(partner, listener):
    answer = partner.fetch(partner.stream_url(listener, 1), Accept="*/*")
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert '<error code="2001"><errorMessage>Track not found' in answer.text


def test_wants_a_running_subscription(partner, platform, track):
    never = partner.new_user()
    assert error_of(partner.stream(never, track))[:2] == (403, 2002)

    lapsed, soon = partner.new_user(), datetime.now(UTC) + timedelta(seconds=0.3)
    partner.subscribe(lapsed, expiryDate=iso(soon))
    assert partner.stream(lapsed, track).status_code == 200
    eventually(lambda: datetime.now(UTC) > soon)
    assert error_of(partner.stream(lapsed, track))[:2] == (403, 2002)

    coming = partner.new_user()
    partner.subscribe(coming, currentPeriodStartDate=iso(datetime.now(UTC) + timedelta(hours=5)))
    assert error_of(partner.stream(coming, track))[:2] == (403, 2002)
    partner.subscribe(coming)
    assert partner.stream(coming, track).status_code == 200


def test_the_newest_submission_that_has_begun_decides(partner, track):
    user_id = partner.subscriber()
    now = datetime.now(UTC)
    partner.subscribe(user_id, currentPeriodStartDate=iso(now + timedelta(hours=5)))
    assert partner.stream(user_id, track).status_code == 200, "renewed ahead of time, the old period still runs"
    partner.subscribe(
        user_id, currentPeriodStartDate=iso(now - timedelta(hours=2)), expiryDate=iso(now - timedelta(hours=1))
    )
    assert error_of(partner.stream(user_id, track))[:2] == (403, 2002), "shortened into the past"


@pytest.mark.parametrize(
    ("territories", "inside", "outside"),
    [(("GB", "IE"), "IE", "FR"), (("CA", "US"), "US", "GB"), (("AT", "CH", "DE"), "CH", "US"), (("FR",), "FR", "GB")],
)
def test_streams_only_in_the_territories(partner, platform, listener, territories, inside, outside):
    track = platform.track(sold_in=territories)
    assert partner.stream(listener, track, country=inside).status_code == 200
    assert error_of(partner.stream(listener, track, country=outside))[:2] == (404, 2001)


def test_keeps_back_what_is_taken_down_to_come_or_for_sale_only(partner, platform, listener):
    down, coming, sale = (
        platform.track(taken_down=True),
        platform.release(pre_release=True),
        platform.track(download_only=True),
    )
    assert error_of(partner.stream(listener, down))[:2] == (404, 2001)
    assert error_of(partner.stream(listener, coming["tracks"][0]["id"])) == (
        403,
        2002,
        f"Pre-release: the track streams from {coming['streams_from']}",
    )
    sale_only = (403, 2002, "The track is not available for subscription streaming")
    assert error_of(partner.stream(listener, sale)) == sale_only


def test_a_refused_url_is_not_used_up(partner, track):
    user_id = partner.new_user()
    url = partner.stream_url(user_id, track)
    assert partner.fetch(url).status_code == 403
    partner.subscribe(user_id)
    assert partner.fetch(url).status_code == 200
