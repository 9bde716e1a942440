"""Preview clips, and POST /1.2/preview/log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import requests

from sandbox.audio.frames import mp3_frames
from tests.sandbox.platform import Partner, Platform, error_of, iso
from tests.sandbox.test_faults import shake, target_of

LOG = "/1.2/preview/log"


def clip_url(partner: Partner, track: object, **change: object) -> str:
    return partner.signed_url(f"/clip/{track}", **({"country": "GB"} | change))


# --- clips ----------------------------------------------------------------------------------------


def test_a_clip_begins_where_the_catalogue_says(partner: Partner, track: int):
    answer = partner.fetch(clip_url(partner, track))
    (line,) = partner.platform.journal("clips", trackId=track, country="GB")[-1:]
    whole = requests.get(stream_of(partner, track), timeout=30).content
    seconds = partner.platform.control("GET", f"audio/{track}/26").json()["duration_seconds"]
    begins_at = round(seconds / 3)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/mpeg")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert sum(frame.seconds for frame in mp3_frames(answer.content)) == pytest.approx(
        min(30, seconds - begins_at), abs=0.1
    )
    before = sum(frame.seconds for frame in mp3_frames(whole[: whole.index(answer.content)]))
    assert before == pytest.approx(begins_at, abs=0.1)
    assert line["call"] > 0


def stream_of(partner: Partner, track: int) -> str:
    return partner.stream_url(partner.subscriber(), track)


def test_a_clip_has_ranges_and_a_head_and_a_url_that_works_once(partner: Partner, track: int):
    url = clip_url(partner, track)
    head = partner.session.head(url, timeout=30)
    whole = partner.fetch(url)
    assert int(head.headers["Content-Length"]) == len(whole.content)
    part = partner.fetch(url, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert partner.fetch(url, Range="bytes=99999999-").status_code == 416
    assert partner.fetch(url).status_code == 401
    before = partner.platform.journal("clips")
    partner.session.head(clip_url(partner, track), timeout=30)
    assert partner.platform.journal("clips") == before


def test_a_clip_is_for_everybody_whom_the_track_is_offered(partner: Partner, platform: Platform):
    for states in ({"pre_release": True}, {"download_only": True}):
        assert partner.fetch(clip_url(partner, platform.track(**states))).status_code == 200
    local = platform.release(sold_in=("GB", "IE"))["tracks"][0]["id"]
    assert partner.fetch(clip_url(partner, local, country="IE")).status_code == 200
    for track, country in ((local, "FR"), (platform.track(taken_down=True), "GB"), (1, "GB")):
        assert error_of(partner.fetch(clip_url(partner, track, country=country)))[:2] == (404, 2001)


@pytest.mark.parametrize(
    ("track", "change", "code", "message"),
    [
        ("x", {}, 1002, 'Invalid value for "trackId": x'),
        (0, {}, 1002, 'Invalid value for "trackId": 0'),
        (2**31, {}, 1002, f'Invalid value for "trackId": {2**31}'),
        (1, {"country": ""}, 1001, 'Missing "country" parameter'),
        (1, {"country": "ZZ"}, 1002, "country is not valid"),
    ],
)
def test_a_clip_names_what_is_wrong(partner: Partner, track: object, change: dict, code: int, message: str):
    assert error_of(partner.fetch(clip_url(partner, track, **change))) == (400, code, message)


def test_a_clip_wants_a_signature(partner: Partner, track: int):
    assert partner.fetch(f"{partner.platform.url}/clip/{track}?country=GB").text == "Access to resource denied"
    url = clip_url(partner, track).replace(f"/clip/{track}", f"/clip/{track + 11}")
    assert partner.fetch(url).text == "OAuth authentication error: invalid signature"


def test_a_clip_may_break_off(partner: Partner, track: int):
    whole = partner.fetch(clip_url(partner, track)).content
    partner.platform.order("truncated", "/clip")
    came, closed, _ = shake(partner.platform, target_of(clip_url(partner, track)))
    assert closed
    assert came.partition(b"\r\n\r\n")[2] == whole[: len(whole) // 2]


# --- reports --------------------------------------------------------------------------------------


@pytest.fixture
def preview(partner: Partner, track: int) -> dict:
    return {
        "userId": partner.new_user(),
        "country": "IE",
        "trackId": track,
        "playMode": "online",
        "dateTimePlayed": iso(datetime.now(UTC) - timedelta(minutes=3)),
        "totalTimePlayed": 30,
        "userAgent": "Phone 3 / app 1.0",
    }


def report(partner: Partner, *previews: object, accept: str = "application/json", **query: str) -> requests.Response:
    body = json.dumps({"playLogItem": previews})
    return partner.request("POST", LOG, body=body, accept=accept, **({"country": "GB"} | query))


def reported(partner: Partner, preview: dict) -> list[dict]:
    lines = partner.platform.journal("previews", userId=preview["userId"])
    return [{name: line[name] for name in line if name not in ("seq", "kind", "at", "call")} for line in lines]


def test_previews_are_taken_and_counted(partner: Partner, preview: dict):
    creation = preview | {"usage": "creation", "totalTimePlayed": 0}
    answer = report(partner, preview, creation)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": "1.2", "playLogs": {"count": 2}}
    assert reported(partner, preview) == [preview | {"usage": "view"}, creation]


def test_previews_of_several_users_and_countries_go_together(partner: Partner, preview: dict):
    other = preview | {"userId": "somebody else altogether", "country": "us"}
    assert report(partner, preview, other).json()["playLogs"]["count"] == 2
    assert reported(partner, other)[-1]["country"] == "US"


def test_previews_may_be_xml(partner: Partner, preview: dict):
    item = "".join(f"<{name}>{value}</{name}>" for name, value in preview.items())
    body = f"<playLog><playLogItem>{item}</playLogItem></playLog>"
    answer = partner.request("POST", LOG, body=body, accept="*/*", country="GB")
    assert answer.text.endswith('<response status="ok" version="1.2"><playLogs><count>1</count></playLogs></response>')
    assert reported(partner, preview) == [preview | {"usage": "view"}]


def test_the_same_twice_counts_twice(partner: Partner, preview: dict):
    assert [report(partner, preview).json()["playLogs"]["count"] for _ in range(2)] == [1, 1]
    assert len(reported(partner, preview)) == 2


@pytest.mark.parametrize(
    "name", ["userId", "country", "trackId", "playMode", "dateTimePlayed", "totalTimePlayed", "userAgent"]
)
def test_a_preview_misses_a_field(partner: Partner, preview: dict, name: str):
    poor = {field: value for field, value in preview.items() if field != name}
    assert error_of(report(partner, poor)) == (400, 1001, f'Missing "{name}" parameter')
    assert reported(partner, preview) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("userId", "x" * 256, 'Invalid value for "userId"'), ("userId", "a\0b", 'Invalid value for "userId"'),
        ("country", "ZZ", "country is not valid"), ("country", True, 'Invalid value for "country"'),
        ("trackId", -1, 'Invalid value for "trackId"'), ("trackId", 2**31, 'Invalid value for "trackId"'),
        ("playMode", "Online", 'Invalid value for "playMode"'), ("usage", "View", 'Invalid value for "usage"'),
        ("totalTimePlayed", -1, 'Invalid value for "totalTimePlayed"'),
        ("dateTimePlayed", "yesterday", 'Invalid value for "dateTimePlayed"'),
        ("userAgent", "a\ud800b", 'Invalid value for "userAgent"'),
    ],
)  # fmt: skip
def test_a_preview_has_a_wrong_field(partner: Partner, preview: dict, name: str, value: object, message: str):
    status, code, text = error_of(report(partner, preview | {name: value}))
    assert (status, code) == (400, 1002)
    assert text.startswith(message)


def test_previews_look_back_61_days_and_not_ahead(partner: Partner, preview: dict):
    now = datetime.now(UTC)
    for instant, code in ((now - timedelta(days=61), 1002), (now + timedelta(minutes=1), 1002)):
        assert error_of(report(partner, preview | {"dateTimePlayed": iso(instant)}))[1] == code
    fresh = iso(now - timedelta(days=61) + timedelta(minutes=1))
    assert report(partner, preview | {"dateTimePlayed": fresh}).status_code == 200


def test_all_are_taken_or_none_and_the_bad_ones_are_named(partner: Partner, preview: dict):
    bad = [preview | {"trackId": 1}, preview | {"usage": "x"}, {}]
    answer = report(partner, preview, bad[0], preview, bad[1], bad[2])
    assert error_of(answer) == (400, 1008, "The batch contained failures")
    errors = answer.json()["errors"]
    assert [(error["index"], error["code"]) for error in errors] == [(1, 2001), (3, 1002), (4, 1001)]
    assert reported(partner, preview) == []
    text = report(partner, preview, bad[1], accept="*/*").text
    assert '<error code="1002" index="1"><errorMessage>Invalid value for "usage": x' in text
    assert error_of(report(partner, bad[0]))[1] == 2001


def test_all_or_none_also_where_play_logs_keep_the_good_ones(contrarian: Partner, preview: dict):
    assert error_of(report(contrarian, preview, preview | {"trackId": 1}))[1] == 1008
    assert reported(contrarian, preview) == []
    message = "Too many plays in one request, at most 5"
    assert error_of(report(contrarian, *[preview] * 6)) == (400, 1002, message)


def test_five_hundred_and_no_more(partner: Partner, preview: dict):
    assert report(partner, *[preview] * 500).json()["playLogs"]["count"] == 500
    message = "Too many plays in one request, at most 500"
    assert error_of(report(partner, *[preview] * 501)) == (400, 1002, message)
    assert len(reported(partner, preview)) == 500


def test_the_keys_country_is_in_the_query(partner: Partner, preview: dict):
    assert error_of(report(partner, preview, country=""))[1:] == (1001, 'Missing "country" parameter')
    assert error_of(report(partner, preview, country="ZZ"))[1] == 1002


@pytest.mark.parametrize("body", ["{", "[]", "nonsense", "<playLog>", '{"playLogItem": [1]}', '{"previews": []}'])
def test_rubbish_is_refused(partner: Partner, body: str):
    assert error_of(partner.request("POST", LOG, body=body, country="GB"))[:2] == (400, 1002)


def test_previews_stand_though_the_answer_is_lost(partner: Partner, preview: dict):
    partner.platform.order("lost_answer", LOG)
    with pytest.raises(requests.ConnectionError):
        report(partner, preview)
    assert len(reported(partner, preview)) == 1
