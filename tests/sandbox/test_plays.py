"""POST /1.2/user/subscription/log."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.platform import Partner, Platform, error_of, iso


@pytest.fixture
def play(platform: Platform) -> dict:
    release = platform.release()
    return {
        "trackId": release["tracks"][0]["id"],
        "releaseId": release["id"],
        "formatId": 26,
        "userAgent": "Phone 3 / app 1.0",
        "dateTimePlayed": iso(datetime.now(UTC) - timedelta(minutes=3)),
        "totalTimePlayed": 42,
        "playMode": "online",
    }


def batch(*plays: dict) -> dict:
    return {"playLogItem": list(plays)}


def as_xml(*plays: dict) -> str:
    items = ("".join(f"<{name}>{value}</{name}>" for name, value in play.items()) for play in plays)
    return f"<playLog>{''.join(f'<playLogItem>{item}</playLogItem>' for item in items)}</playLog>"


def reported(platform: Platform, user_id: str) -> list[dict]:
    lines = platform.journal("plays", userId=user_id)
    return [
        {name: line[name] for name in line if name not in ("seq", "kind", "at", "call", "userId")} for line in lines
    ]


def test_accepts_a_batch_and_journals_a_line_for_each_play(partner, listener, play):
    offline = play | {"playMode": "offline", "totalTimePlayed": 0}
    answer = partner.log(listener, batch(play, offline), country="IE")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": "1.2", "playLogs": {"count": 2}}
    assert reported(partner.platform, listener) == [play | {"country": "IE"}, offline | {"country": "IE"}]


def test_numbers_the_calls(partner, listener, play):
    partner.log(listener, batch(play, play))
    partner.log(listener, batch(play))
    calls = [line["call"] for line in partner.platform.journal("plays", userId=listener)]
    assert calls == [calls[0], calls[0], calls[0] + 1]


def test_accepts_the_same_batch_twice_for_there_is_no_key_to_tell(partner, listener, play):
    assert [partner.log(listener, batch(play)).json()["playLogs"]["count"] for _ in range(2)] == [1, 1]
    assert len(reported(partner.platform, listener)) == 2


def test_reads_xml_and_answers_in_it(partner, listener, play):
    answer = partner.log(listener, as_xml(play, play), accept="*/*")
    assert answer.text == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<response status="ok" version="1.2"><playLogs><count>2</count></playLogs></response>'
    )
    assert reported(partner.platform, listener) == [play | {"country": "GB"}] * 2


def test_takes_numbers_as_text(partner, listener, play):
    as_text = {name: str(value) for name, value in play.items()}
    assert partner.log(listener, batch(as_text)).status_code == 200
    assert reported(partner.platform, listener) == [play | {"country": "GB"}]


def test_cuts_the_user_agent(partner, listener, play):
    partner.log(listener, batch(play | {"userAgent": "ü" * 300}))
    assert reported(partner.platform, listener)[0]["userAgent"] == "ü" * 256


def test_user_and_country_count_from_the_query_alone(partner, listener, play):
    inside = batch(play | {"userId": listener, "country": "GB"})
    path = "/1.2/user/subscription/log"
    body = '{"playLogItem": []}'
    assert error_of(partner.request("POST", path, body=body, country="GB"))[1:] == (1001, 'Missing "userId" parameter')
    assert error_of(partner.request("POST", path, body=body, userId=listener))[1:] == (
        1001,
        'Missing "country" parameter',
    )
    assert partner.log(listener, inside, country="FR").status_code == 200
    assert reported(partner.platform, listener)[0]["country"] == "FR"


@pytest.mark.parametrize(
    "name", ["trackId", "releaseId", "formatId", "playMode", "dateTimePlayed", "totalTimePlayed", "userAgent"]
)
@pytest.mark.parametrize("empty", ["absent", None, ""])
def test_misses_a_required_field(partner, listener, play, name, empty):
    poor = {field: value for field, value in play.items() if field != name} | (
        {} if empty == "absent" else {name: empty}
    )
    assert error_of(partner.log(listener, batch(poor))) == (400, 1001, f'Missing "{name}" parameter')
    assert reported(partner.platform, listener) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trackId", -1),
        ("trackId", "x"),
        ("trackId", 2**31),
        ("trackId", 1.5),
        ("trackId", True),
        ("trackId", [1]),
        ("formatId", 999),
        ("totalTimePlayed", -1),
        ("totalTimePlayed", "1.5"),
        ("playMode", "Online"),
        ("dateTimePlayed", "yesterday"),
        ("dateTimePlayed", "2026-01-01"),
        ("dateTimePlayed", 5),
        ("userAgent", ["Phone"]),
    ],
)
def test_refuses_a_wrong_field(partner, listener, play, name, value):
    status, code, message = error_of(partner.log(listener, batch(play | {name: value})))
    assert (status, code) == (400, 1002)
    assert message.startswith(f'Invalid value for "{name}"')


def test_refuses_text_that_cannot_be_stored(partner, listener, play):
    for text in ("a\0b", "a\ud800b"):
        assert error_of(partner.log(listener, batch(play | {"userAgent": text})))[1] == 1002


def test_looks_back_61_days_and_not_ahead(partner, listener, play):
    now = datetime.now(UTC)
    fresh = play | {"dateTimePlayed": iso(now - timedelta(days=61) + timedelta(minutes=1))}
    stale = play | {"dateTimePlayed": iso(now - timedelta(days=61))}
    ahead = play | {"dateTimePlayed": iso(now + timedelta(minutes=1))}

    assert partner.log(listener, batch(fresh)).status_code == 200
    message = 'Invalid value for "dateTimePlayed": must be less than 61 days old'
    assert error_of(partner.log(listener, batch(stale))) == (400, 1002, message)
    assert error_of(partner.log(listener, batch(ahead))) == (
        400,
        1002,
        'Invalid value for "dateTimePlayed": lies in the future',
    )


def test_wants_a_user_that_once_had_a_subscription(partner, listener, play):
    message = "The user has never had a subscription"
    assert error_of(partner.log(partner.new_user(), batch(play))) == (400, 1003, message)
    assert error_of(partner.log("nobody", batch(play))) == (400, 1003, message)

    partner.subscribe(listener, expiryDate=iso(datetime.now(UTC) - timedelta(minutes=1)))
    assert partner.log(listener, batch(play)).status_code == 200, "late plays after a lapse are welcome"


def test_knows_its_tracks_also_those_taken_down(partner, listener, play, platform):
    unknown, misplaced = play | {"trackId": 1}, play | {"releaseId": 1}
    assert error_of(partner.log(listener, batch(unknown))) == (404, 2001, "Track not found on this release: 1")
    assert error_of(partner.log(listener, batch(misplaced)))[1] == 2001
    gone = platform.release(taken_down=True)
    late = play | {"trackId": gone["tracks"][0]["id"], "releaseId": gone["id"]}
    assert partner.log(listener, batch(late)).status_code == 200


def mixed(play: dict) -> dict:
    return batch(play, play | {"trackId": 1}, play, play | {"playMode": "x"}, {})


def test_names_the_bad_plays_of_a_batch_and_keeps_none(partner, listener, play):
    answer = partner.log(listener, mixed(play))
    errors = answer.json()["errors"]

    assert error_of(answer) == (400, 1008, "The batch contained failures")
    assert [(error["index"], error["code"], error["message"]) for error in errors] == [
        (1, 2001, "Track not found on this release: 1"),
        (3, 1002, 'Invalid value for "playMode": x'),
        (4, 1001, 'Missing "trackId" parameter'),
    ]
    assert all(error["message"] == error["errorMessage"] for error in errors)
    assert reported(partner.platform, listener) == []


def test_names_the_bad_plays_in_xml(partner, listener, play):
    answer = partner.log(listener, mixed(play), accept="*/*")
    assert '<error code="1008"><errorMessage>The batch contained failures</errorMessage></error><errors>' in answer.text
    assert (
        '<error code="1001" index="4"><errorMessage>Missing "trackId" parameter</errorMessage></error>' in answer.text
    )


def test_can_keep_the_good_plays_of_a_batch(contrarian, listener, play):
    assert error_of(contrarian.log(listener, mixed(play)))[1] == 1008
    assert len(reported(contrarian.platform, listener)) == 2
    assert error_of(contrarian.log(listener, batch(play | {"trackId": 1})))[1] == 2001


def test_can_ask_for_fewer_fields_and_fewer_plays(contrarian, listener, play):
    lean = {name: value for name, value in play.items() if name not in ("formatId", "playMode")}
    assert contrarian.log(listener, batch(lean, lean)).status_code == 200
    assert reported(contrarian.platform, listener) == [lean | {"country": "GB"}] * 2
    message = "Too many plays in one request, at most 5"
    assert error_of(contrarian.log(listener, batch(*[lean] * 6))) == (400, 1002, message)


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><playLog><playLogItem>&b;</playLogItem></playLog>'
OUTSIDE = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><playLog></playLog>'


@pytest.mark.parametrize(
    "body",
    [
        "{", "[]", "null", "7", '"playLogItem"', '{"playLogItem": {}}', '{"playLogItem": [1]}', '{"plays": []}',
        "[" * 100_000, '{"playLogItem": [{"trackId": ' + "9" * 5000 + "}]}", "<playLog>", "<other/>", LAUGHS, OUTSIDE,
        "<?xml version='1.0' encoding='no-such'?><playLog/>", "nonsense",
    ],
    ids=lambda body: body[:24],
)  # fmt: skip
def test_survives_rubbish(partner, listener, body):
    status, code, message = error_of(partner.log(listener, body))
    assert (status, code) == (400, 1002), message


def test_wants_at_least_one_play(partner, listener):
    for body in (batch(), "<playLog/>"):
        assert error_of(partner.log(listener, body)) == (400, 1001, 'Missing "playLogItem" parameter')


def test_has_a_limit_for_bodies(partner, listener):
    assert error_of(partner.log(listener, '{"playLogItem": []}' + " " * (1024 * 1024))) == (413, 1002, "Body too large")


def test_journals_in_the_order_in_which_calls_can_be_seen(platform, play):
    """Writers side by side: seq grows without two calls mixing, and a reader that follows `after` misses nothing."""
    partners = [Partner(platform) for _ in range(6)]
    users = [partner.subscriber() for partner in partners]
    seen: list[dict] = []

    def report(number: int) -> None:
        for _ in range(5):
            assert partners[number].log(users[number], batch(play, play, play)).status_code == 200

    with ThreadPoolExecutor(6) as pool:
        work = [pool.submit(report, number) for number in range(6)]
        done = False
        while not done:
            done = all(each.done() for each in work)
            after = seen[-1]["seq"] if seen else 0
            text = platform.control("GET", f"journal?kind=plays&after={after}").text
            seen += map(json.loads, text.splitlines())
        for each in work:
            each.result()

    ours = [line for line in seen if line["userId"] in users]
    assert len(ours) == 90
    assert ours == [line for line in platform.journal("plays") if line["userId"] in users]
    assert [line["seq"] for line in seen] == sorted({line["seq"] for line in seen})
    calls = [line["call"] for line in ours]
    assert calls == sorted(calls)
    assert all(calls.count(call) == 3 for call in calls)
    for partner in partners:
        partner.close()
