"""Offline: devices are enabled and disabled, and only an enabled one may fetch what it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.platform import Partner, error_of

PATH = "/1.2/user/unlimitedStreaming/offline"
NOT_IN_PLAN = (400, 1003, "This account type cannot register offline device")
TOO_MANY = (400, 1003, "Maximum number of offline devices registered")


def switch(
    partner: Partner, user_id: str, client_id: str = "phone", enabled: str = "true", **more
) -> requests.Response:
    body = f'{{"clientId": "{client_id}", "offlineEnabled": {enabled}}}'
    return partner.request("POST", PATH, body=body, userId=user_id, country="GB", **more)


def status(partner: Partner, user_id: str, client_id: str = "phone") -> dict:
    answer = partner.request("GET", PATH, userId=user_id, country="GB", clientId=client_id)
    assert answer.status_code == 200, answer.text
    return answer.json()["offlineStatus"]


def enabled_devices(partner: Partner, user_id: str) -> list[str]:
    answer = partner.request("GET", "/1.2/user/offlineclients", userId=user_id, country="GB")
    assert answer.status_code == 200, answer.text
    return [device["clientId"] for device in answer.json()["offlineClients"]["offlineStatus"]]


# --- devices ----------------------------------------------------------------------------------

BODIES = [
    "<offlineStatus><clientId>phone</clientId><offlineEnabled>true</offlineEnabled></offlineStatus>",
    '{"offlineStatus": {"clientId": "phone", "offlineEnabled": true}}',
    '{"clientId": "phone", "offlineEnabled": true}',
    '{"CLIENTID": "phone", "offlineenabled": "True"}',
    {"clientId": "phone", "offlineEnabled": "true"},
]


@pytest.mark.parametrize("body", BODIES)
def test_a_device_is_enabled_in_every_body_there_is(partner: Partner, listener: str, body: str | dict):
    answer = partner.request("POST", PATH, body=body, userId=listener, country="GB")
    (line,) = partner.platform.journal("devices", userId=listener)

    assert answer.status_code == 200
    told = {"offlineStatus": {"offlineEnabled": True, "offlineMaxTrackCount": 4000}}
    assert answer.json() == {"status": "ok", "version": "1.2"} | told
    assert (line["clientId"], line["offlineEnabled"], line["country"]) == ("phone", True, "GB")
    assert status(partner, listener)["offlineEnabled"] is True
    assert enabled_devices(partner, listener) == ["phone"]


def test_a_form_may_carry_user_and_country_too(partner: Partner, listener: str):
    form = {"userID": listener, "country": "GB", "clientId": "phone", "offlineEnabled": "true"}
    assert partner.request("POST", PATH, body=form).status_code == 200


def test_a_status_is_told_in_xml(partner: Partner, listener: str):
    answer = partner.request("GET", PATH, accept="*/*", userId=listener, country="GB", clientId="phone")
    inside = "<offlineEnabled>false</offlineEnabled><offlineMaxTrackCount>4000</offlineMaxTrackCount>"
    assert f'<response status="ok" version="1.2"><offlineStatus>{inside}</offlineStatus></response>' in answer.text


@pytest.mark.parametrize(
    ("change", "body", "message"),
    [
        ({"userId": ""}, BODIES[2], '"userId":"is missing"'),
        ({"country": ""}, BODIES[2], '"country":"is missing"'),
        ({"country": "ZZ"}, BODIES[2], '"country":"is not valid"'),
        ({}, '{"offlineEnabled": true}', '"clientId":"is missing"'),
        ({}, '{"clientId": "", "offlineEnabled": true}', '"clientId":"is missing"'),
        ({}, f'{{"clientId": "{"d" * 256}", "offlineEnabled": true}}', '"clientId":"is not valid"'),
        ({}, '{"clientId": "a\\u0000", "offlineEnabled": true}', '"clientId":"is not valid"'),
        ({}, '{"clientId": "phone"}', '"offlineEnabled":"is missing"'),
        ({}, '{"clientId": "phone", "offlineEnabled": "maybe"}', '"offlineEnabled":"is not valid"'),
        ({}, '{"clientId": 7, "offlineEnabled": true}', '"offlineStatus":"is not readable"'),
        ({}, '{"clientId": "\\ud800", "offlineEnabled": true}', '"offlineStatus":"is not readable"'),
        ({}, "[]", '"offlineStatus":"is not readable"'),
        ({}, '{"offlineStatus": 1}', '"offlineStatus":"is not readable"'),
        ({}, "<offlineStatus><clientId>", '"offlineStatus":"is not readable"'),
        ({}, "<device/>", '"offlineStatus":"is not readable"'),
    ],
)
def test_what_is_missing_or_wrong_is_named(partner: Partner, listener: str, change: dict, body: str, message: str):
    answer = partner.request("POST", PATH, body=body, **({"userId": listener, "country": "GB"} | change))

    assert error_of(answer) == (400, 1002, message)
    assert partner.platform.journal("devices", userId=listener) == []


def test_only_users_have_devices(partner: Partner):
    assert error_of(switch(partner, "nobody at all"))[:2] == (404, 2001)


@pytest.mark.parametrize("plan", ["standard-unlimited-streaming", None])
def test_the_plan_must_allow_it(partner: Partner, plan: str | None):
    user_id = partner.subscriber(planCode=plan) if plan else partner.new_user()

    assert error_of(switch(partner, user_id)) == NOT_IN_PLAN
    assert switch(partner, user_id, enabled="false").status_code == 200
    assert [line["offlineEnabled"] for line in partner.platform.journal("devices", userId=user_id)] == [False]


def test_three_devices_have_places_and_one_that_leaves_makes_room(partner: Partner, listener: str):
    assert [switch(partner, listener, name).status_code for name in "abc"] == [200] * 3
    assert error_of(switch(partner, listener, "d")) == TOO_MANY
    assert switch(partner, listener, "b").status_code == 200, "it has its place"
    assert [switch(partner, listener, "b", "false").status_code for _ in range(2)] == [200] * 2
    assert switch(partner, listener, "d").status_code == 200
    assert enabled_devices(partner, listener) == ["a", "c", "d"]
    assert switch(partner, partner.subscriber(), "a").status_code == 200, "another user's device of that name"


def test_the_last_place_is_taken_once(partner: Partner, listener: str):
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda number: switch(partner, listener, f"d{number}").status_code, range(12)))

    assert sorted(codes) == [200] * 3 + [400] * 9
    assert len(enabled_devices(partner, listener)) == 3


def test_how_many_may_be_enabled_is_a_choice(differently):
    other = Partner(differently(SANDBOX_OFFLINE_DEVICES="1", SANDBOX_OFFLINE_PLANS="standard", SANDBOX_WORKERS="1"))
    user_id = other.subscriber(planCode="standard-unlimited-streaming")

    assert switch(other, user_id, "a").status_code == 200
    assert error_of(switch(other, user_id, "b")) == TOO_MANY
    assert error_of(switch(other, other.subscriber())) == NOT_IN_PLAN
    other.close()


def test_a_lost_answer_was_accepted(partner: Partner, listener: str):
    partner.platform.order("lost_answer", PATH)
    with pytest.raises(requests.ConnectionError):
        switch(partner, listener)

    assert status(partner, listener)["offlineEnabled"] is True
    assert len(partner.platform.journal("devices", userId=listener)) == 1


# --- what they fetch --------------------------------------------------------------------------


@pytest.fixture
def keeper(partner: Partner) -> Iterator[str]:
    """A user whose phone is enabled."""
    user_id = partner.subscriber()
    assert switch(partner, user_id).status_code == 200
    return user_id


def fetch(partner: Partner, user_id: str, track: int, *, hls: bool = False, **change) -> requests.Response:
    path = "/offline/subscription.m3u8" if hls else "/offline/subscription"
    return partner.stream(user_id, track, path=path, **({"clientId": "phone"} | change))


def test_an_enabled_device_gets_the_same_file_as_online(partner: Partner, keeper: str, track: int):
    kept, heard = fetch(partner, keeper, track), partner.stream(keeper, track)

    assert (kept.status_code, kept.content) == (200, heard.content)
    offline, online = partner.platform.journal("streams", userId=keeper)
    assert (offline["offline"], offline["clientId"], offline["delivery"]) == (True, "phone", "progressive")
    assert "offline" not in online


def test_a_playlist_leads_to_its_segments(partner: Partner, keeper: str, track: int):
    answer = fetch(partner, keeper, track, hls=True)
    segments = [line for line in answer.text.splitlines() if line and not line.startswith("#")]

    assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert partner.session.get(f"{partner.platform.url}/offline/{segments[0]}", timeout=10).status_code == 200


def test_a_url_works_once_and_goes_on_with_ranges(partner: Partner, keeper: str, track: int):
    wish = {"path": "/offline/subscription", "clientId": "phone"}
    url = partner.stream_url(keeper, track, **wish)
    assert [partner.fetch(url).status_code for _ in range(2)] == [200, 401]
    assert partner.fetch(url, Range="bytes=5-9").status_code == 206


@pytest.mark.parametrize("hls", [False, True])
def test_any_other_device_gets_nothing(partner: Partner, keeper: str, track: int, hls: bool):
    not_enabled = (403, 2002, "The device is not enabled for offline streaming")
    assert error_of(fetch(partner, keeper, track, hls=hls, clientId="tablet")) == not_enabled
    switch(partner, keeper, enabled="false")
    assert error_of(fetch(partner, keeper, track, hls=hls)) == not_enabled
    missing = error_of(partner.stream(keeper, track, path="/offline/subscription"))
    assert missing == (400, 1001, 'Missing "clientId" parameter')


def test_the_plan_must_still_allow_it(partner: Partner, keeper: str, track: int):
    partner.subscribe(keeper, planCode="standard-unlimited-streaming")
    assert error_of(fetch(partner, keeper, track))[:2] == (403, 2002)


def test_a_track_must_be_available_as_online(partner: Partner, keeper: str):
    assert error_of(fetch(partner, keeper, 1))[:2] == (404, 2001)
    assert error_of(fetch(partner, keeper, partner.platform.track(taken_down=True)))[:2] == (404, 2001)
    assert error_of(fetch(partner, keeper, partner.platform.track(pre_release=True)))[:2] == (403, 2002)


def test_fetching_displaces_nobody(partner: Partner, keeper: str, track: int):
    assert partner.stream(keeper, track, clientId="tablet").status_code == 200
    assert fetch(partner, keeper, track).status_code == 200
    assert partner.stream(keeper, track, clientId="tablet").status_code == 200
