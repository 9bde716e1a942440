"""Plays are reported in the platform's words and counted by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree

import msgspec
import pytest

from massivemusic import errors
from massivemusic.usage import PlayReport, log_plays
from tests.massivemusic.behaviours import ok
from tests.massivemusic.conftest import ClientTo
from tests.massivemusic.stage import Stage

NOON = datetime(2026, 11, 21, 12, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
PLAY = PlayReport(
    track_id=11,
    release_id=7,
    format_id=56,
    mode="online-cached",
    played_at=NOON,
    seconds_played=0,
    user_agent="Pixel 9; Tonearm 1.0",
)


ITEM = {
    "trackId": 11,
    "releaseId": 7,
    "formatId": 56,
    "playMode": "online-cached",
    "dateTimePlayed": "2026-11-21T11:00:00Z",
    "totalTimePlayed": 0,
    "userAgent": "Pixel 9; Tonearm 1.0",
}


def test_plays_are_posted_as_json(client_to: ClientTo) -> None:
    with Stage(ok('{"status":"ok","version":"1.2","playLogs":{"count":2}}')) as stage:
        assert log_plays(client_to(stage.origin), user_id="u/1", country="GB", plays=[PLAY, PLAY]) == 2
    heard = stage.heard[0]
    assert (heard.method, heard.target) == ("POST", "/1.2/user/subscription/log?userId=u%2F1&country=GB")
    assert heard.headers["content-type"] == "application/json"
    assert msgspec.json.decode(heard.body) == {"playLogItem": [ITEM, ITEM]}
    assert "country" not in heard.headers["authorization"]


def test_plays_are_posted_as_xml(client_to: ClientTo) -> None:
    play = replace(PLAY, user_agent="<Pixel> & ü")
    with Stage(ok('<response status="ok"><playLogs><count>2</count></playLogs></response>')) as stage:
        assert log_plays(client_to(stage.origin), user_id="u", country="GB", plays=[PLAY, play], body="xml") == 2
    heard = stage.heard[0]
    assert heard.headers["content-type"] == heard.headers["accept"] == "application/xml"
    root = ElementTree.fromstring(heard.body)  # noqa: S314
    items = [{field.tag: field.text for field in item} for item in root.iter("playLogItem")]
    assert root.tag == "playLog"
    assert items[0] == {name: str(value) for name, value in ITEM.items()}
    assert items[1]["userAgent"] == "<Pixel> & ü"


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ('{"playLogs":{"count":0}}', 0),
        ('{"playLogs":{"count":"1"}}', 1),
        ('<response><playLogs count="3"/></response>', 3),
    ],
)
def test_plays_are_counted(body: str, count: int, client_to: ClientTo) -> None:
    with Stage(ok(body)) as stage:
        assert log_plays(client_to(stage.origin), user_id="u", country="GB", plays=[PLAY]) == count


@pytest.mark.parametrize(
    "body",
    ['{"status":"ok"}', '{"playLogs":{}}', '{"playLogs":{"count":null}}', '{"playLogs":{"count":-1}}',
     '{"playLogs":{"count":1.0}}', '{"playLogs":{"count":true}}', '{"playLogs":{"count":"many"}}',
     '{"playLogs":[1]}', '{"count":1}'],
)  # fmt: skip
def test_plays_are_in_doubt_without_a_count(body: str, client_to: ClientTo) -> None:
    with Stage(ok(body)) as stage, pytest.raises(errors.Unreadable, match="counts no plays") as caught:
        log_plays(client_to(stage.origin), user_id="u", country="GB", plays=[PLAY])
    assert caught.value.in_doubt


def test_plays_of_nobody_are_not_reported(client_to: ClientTo) -> None:
    with pytest.raises(ValueError, match="nothing to report"):
        log_plays(client_to("http://127.0.0.1:9"), user_id="u", country="GB", plays=[])


@pytest.mark.parametrize(
    ("device", "sent"),
    [
        ("a\r\nX-Evil: 1\x00\x85b", "a X-Evil: 1 b"),
        ("\t\n", "unknown"),
        ("é🎵" * 200, "é🎵" * 128),
        ("x" * 255 + "\ny", "x" * 255),
        ("half \ud83c pair\uffff", "half   pair"),
    ],
)
def test_plays_name_the_device_on_one_line(device: str, sent: str, client_to: ClientTo) -> None:
    plays = [replace(PLAY, user_agent=device)]
    with Stage(ok('{"playLogs":{"count":1}}')) as stage:
        client = client_to(stage.origin)
        log_plays(client, user_id="u", country="GB", plays=plays)
        log_plays(client, user_id="u", country="GB", plays=plays, body="xml")
    as_json, as_xml = (heard.body for heard in stage.heard)
    assert msgspec.json.decode(as_json)["playLogItem"][0]["userAgent"] == sent
    assert ElementTree.fromstring(as_xml).findtext("playLogItem/userAgent") == sent  # noqa: S314
