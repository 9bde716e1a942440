"""Devices are enabled for offline listening in the platform's words, and its two meanings of 1003 told apart."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from defusedxml.ElementTree import fromstring

from massivemusic import errors
from massivemusic.devices import NotInPlan, OfflineStatus, PlacesTaken, read_offline, set_offline
from massivemusic.streaming import offline_stream_url
from tests.massivemusic.behaviours import error_json, error_xml, no, ok
from tests.massivemusic.conftest import ClientTo
from tests.massivemusic.stage import Stage, fields

ON = '{"offlineStatus":{"offlineEnabled":true,"offlineMaxTrackCount":4000}}'
XML = (
    '<response status="ok" version="1.2"><offlineStatus><offlineEnabled>{}</offlineEnabled>'
    "<offlineMaxTrackCount>4000</offlineMaxTrackCount></offlineStatus></response>"
)
STATUS = OfflineStatus(enabled=True, max_tracks=4000)
PATH = "/1.2/user/unlimitedStreaming/offline"


@pytest.mark.parametrize("client_id", ["phone", "Ada’s <phone> & tablet", "👨‍👩‍👧📱" * 42])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_device_is_switched_by_the_documented_body(client_to: ClientTo, client_id: str, enabled: bool) -> None:
    with Stage(ok(ON)) as stage:
        set_offline(client_to(stage.origin), user_id="u 1", client_id=client_id, country="GB", enabled=enabled)
    heard = stage.heard[0]
    sent = fromstring(heard.body)

    assert (heard.method, heard.target) == ("POST", f"{PATH}?userId=u%201&country=GB")
    assert heard.headers["content-type"] == "application/xml"
    assert (sent.tag, [field.tag for field in sent]) == ("offlineStatus", ["clientId", "offlineEnabled"])
    assert [field.text for field in sent] == [client_id, str(enabled).lower()]


def test_a_device_is_asked_after(client_to: ClientTo) -> None:
    with Stage(ok(ON)) as stage:
        assert read_offline(client_to(stage.origin), user_id="u", client_id="a b", country="GB") == STATUS
    assert (stage.heard[0].method, stage.heard[0].target) == ("GET", f"{PATH}?userId=u&country=GB&clientId=a%20b")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ON, STATUS),
        (XML.format("true"), STATUS),
        (XML.format("True"), STATUS),
        (XML.format("false"), OfflineStatus(enabled=False, max_tracks=4000)),
        ('{"status":"ok","offlineStatus":{"offlineEnabled":"false"}}', OfflineStatus(enabled=False, max_tracks=None)),
    ],
)
def test_a_status_is_read_in_xml_and_json(client_to: ClientTo, answer: str, status: OfflineStatus) -> None:
    with Stage(ok(answer)) as stage:
        assert read_offline(client_to(stage.origin), user_id="u", client_id="c", country="GB") == status


@pytest.mark.parametrize(
    "answer",
    ["", "{}", '{"offlineStatus":null}', '{"offlineStatus":{}}', '{"offlineStatus":{"offlineEnabled":"yes"}}',
     '{"offlineStatus":{"offlineEnabled":1}}', '{"offlineStatus":{"offlineEnabled":[]}}', XML.format("")],
)  # fmt: skip
def test_a_status_is_not_guessed(client_to: ClientTo, answer: str) -> None:
    with Stage(ok(answer)) as stage:
        client = client_to(stage.origin)
        with pytest.raises(errors.Unreadable):
            read_offline(client, user_id="u", client_id="c", country="GB")
        with pytest.raises(errors.Unreadable):
            set_offline(client, user_id="u", client_id="c", country="GB", enabled=True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (error_json(1003, "This account type cannot register offline device"), NotInPlan),
        (error_xml(1003, "Maximum number of offline devices registered"), PlacesTaken),
        (error_json(1003, "no"), NotInPlan),
        (error_json(1002, "clientId: is not valid"), errors.ParameterInvalid),
        (error_json(2001, "User not found"), errors.NotFound),
    ],
)
@pytest.mark.parametrize("status", ["400 No", "200 OK"])
def test_a_refusal_says_which(client_to: ClientTo, status: str, body: str, kind: type[errors.PlatformError]) -> None:
    with Stage(no(status, body)) as stage, pytest.raises(errors.PlatformError) as caught:
        set_offline(client_to(stage.origin), user_id="u", client_id="c", country="GB", enabled=True)

    assert type(caught.value) is kind
    assert (caught.value.permanent, caught.value.in_doubt) == (True, False)


def test_1003_means_what_it_meant_everywhere_else() -> None:
    assert type(errors.PlatformError.numbered(1003, "no")) is errors.OutOfRange


@pytest.mark.parametrize("client_id", ["a\x00b", "a\nb", "a\x1fb", "\ud800", "a\uffffb", "", "x" * 256])
def test_a_name_that_xml_cannot_hold_never_leaves(client_to: ClientTo, client_id: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        set_offline(client_to("http://127.0.0.1:9"), user_id="u", client_id=client_id, country="GB", enabled=True)


@pytest.mark.parametrize(("hls", "path"), [(False, "/offline/subscription"), (True, "/offline/subscription.m3u8")])
def test_what_is_kept_is_fetched_from_a_path_of_its_own(client_to: ClientTo, hls: bool, path: str) -> None:
    client = client_to("http://127.0.0.1:9", stream_url="https://stream.svc.7digital.net")
    url = offline_stream_url(
        client, user_id="u 1", track_id=1, format_id=56, client_id="c/1", country="GB", release_id=7, hls=hls
    )
    query = fields(urlsplit(url).query)

    assert urlsplit(url).path == path
    assert {name: value for name, value in query.items() if not name.startswith("oauth_")} == {
        "userId": "u 1", "trackId": "1", "formatId": "56", "clientId": "c/1", "country": "GB", "releaseId": "7",
    }  # fmt: skip
