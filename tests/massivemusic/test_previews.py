"""Previews are fetched by signed URLs, and every one that was played is reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import msgspec
import pytest

from massivemusic import errors
from massivemusic.previews import PreviewReport, log_previews, preview_url
from tests.massivemusic.behaviours import no, ok
from tests.massivemusic.conftest import ClientTo
from tests.massivemusic.stage import Stage, fields

PREVIEW = PreviewReport(
    user_id="u/1",
    country="IE",
    track_id=11,
    mode="online",
    played_at=datetime(2026, 11, 21, 12, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1))),
    seconds_played=30,
    user_agent="Pixel 9;\nTonearm 1.0",
)
SENT = {
    "userId": "u/1",
    "country": "IE",
    "trackId": 11,
    "playMode": "online",
    "dateTimePlayed": "2026-11-21T11:00:00Z",
    "totalTimePlayed": 30,
    "userAgent": "Pixel 9; Tonearm 1.0",
    "usage": "view",
}


def test_a_clip_has_a_signed_url_on_a_host_of_its_own(client_to: ClientTo) -> None:
    client = client_to("http://127.0.0.1:9", previews_url="https://previews.7digital.com")
    parts = urlsplit(preview_url(client, track_id=11, country="GB"))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://previews.7digital.com/clip/11"
    query = fields(parts.query)
    assert query["country"] == "GB"
    assert len(query) == 7


def test_previews_are_posted_with_the_country_of_each(client_to: ClientTo) -> None:
    with Stage(ok('{"status":"ok","version":"1.2","playLogs":{"count":2}}')) as stage:
        previews = [PREVIEW, replace(PREVIEW, usage="creation")]
        assert log_previews(client_to(stage.origin), country="GB", previews=previews) == 2
    (heard,) = stage.heard
    assert (heard.method, heard.target) == ("POST", "/1.2/preview/log?country=GB")
    assert heard.headers["content-type"] == "application/json"
    assert msgspec.json.decode(heard.body) == {"playLogItem": [SENT, SENT | {"usage": "creation"}]}


def test_five_hundred_go_together_and_no_more(client_to: ClientTo) -> None:
    with Stage(ok('{"playLogs":{"count":500}}')) as stage:
        client = client_to(stage.origin)
        assert log_previews(client, country="GB", previews=[PREVIEW] * 500) == 500
        for previews in ([PREVIEW] * 501, []):
            with pytest.raises(ValueError, match="1 to 500"):
                log_previews(client, country="GB", previews=previews)
    assert len(stage.heard) == 1


def test_a_naive_instant_is_none(client_to: ClientTo) -> None:
    naive = replace(PREVIEW, played_at=datetime(2026, 11, 21))  # noqa: DTZ001
    with pytest.raises(ValueError, match="naive"):
        log_previews(client_to("http://127.0.0.1:9"), country="GB", previews=[naive])


@pytest.mark.parametrize("body", ["", '{"status":"ok"}', '{"playLogs":{"count":-1}}', '{"playLogs":{"count":"many"}}'])
def test_previews_are_in_doubt_without_a_count(client_to: ClientTo, body: str) -> None:
    with Stage(ok(body)) as stage, pytest.raises(errors.Unreadable) as caught:
        log_previews(client_to(stage.origin), country="GB", previews=[PREVIEW])
    assert caught.value.in_doubt


def test_a_report_that_is_refused_says_which(client_to: ClientTo) -> None:
    refused = (
        '{"status":"error","error":{"code":1008,"message":"failures"},'
        '"errors":[{"code":1002,"message":"too old","index":1},{"code":2001,"message":"no track","index":4}]}'
    )
    with Stage(no("400 No", refused)) as stage, pytest.raises(errors.BatchFailed) as caught:
        log_previews(client_to(stage.origin), country="GB", previews=[PREVIEW] * 5)
    assert [(failure.index, failure.code) for failure in caught.value.failures] == [(1, 1002), (4, 2001)]
    assert not caught.value.in_doubt
