"""POST /_control/publish and the letters it sends."""

from __future__ import annotations

import time

import jwt
import pytest

from sandbox.shelves.cards import check_digit
from tests.sandbox.platform import Platform, eventually
from tests.sandbox.receiver import Receiver


def publish(platform: Platform, receiver: Receiver, **order: object) -> dict:
    answer = platform.control("POST", "publish", {"url": receiver.url, "rate": 1000} | order)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_sends_everything_on_the_shelves(platform: Platform, receiver: Receiver):
    outcome = publish(platform, receiver, what="all")
    shelves = {release["id"]: release for release in platform.releases()}

    assert (outcome["requests"], outcome["events"], outcome["accepted"], outcome["failed"]) == (4, 40, 40, [])
    assert 0 < outcome["seconds"] < 20
    assert sorted(len(body) for _, body in receiver.letters) == [10, 10, 10, 10]
    assert {event["id"]: event["version"] for event in receiver.events} == {
        number: release["version"] for number, release in shelves.items()
    }
    assert sum(len(event.get("tracks", [])) for event in receiver.events) == 199


@pytest.fixture
def nachtschalter(platform: Platform) -> dict:
    """A release that is offered in three countries with two currencies."""
    return platform.release(sold_in=("AT", "CH", "DE"))


@pytest.fixture
def told(platform: Platform, receiver: Receiver, nachtschalter: dict) -> dict:
    """The event that tells of it."""
    publish(platform, receiver, what="release", release_id=nachtschalter["id"])
    (event,) = receiver.events
    return event


ARTIST = {"id": 501351, "name": "Kessler & Grün", "normalisedName": "kessler grun"}


def availability(start: str) -> dict:
    packages = [{"id": 2, "formats": [17, 33]}, {"id": 9, "formats": [45]}]
    common = {"start": start, "end": None, "priceCode": "E1", "packages": packages}
    return {
        "downloadAvailability": [
            common | {"territories": ["CH"], "currencyCode": "CHF"},
            common | {"territories": ["DE", "AT"], "currencyCode": "EUR"},
        ],
        "subscriptionStreamingAvailability": [{"start": start, "end": None, "territories": ["DE", "AT", "CH"]}],
        "adSupportedStreamingAvailability": [],
    }


def test_a_release_event_has_the_documented_shape(nachtschalter: dict, told: dict):
    assert {name: value for name, value in told.items() if name not in ("tracks", "upc", "label")} == {
        "version": nachtschalter["version"],
        "id": nachtschalter["id"],
        "title": "Nachtschalter",
        "subtitle": None,
        "genres": ["Electronic"],
        "gRid": None,
        "cLine": "2022 Blaue Stunde",
        "pLine": "2022 Blaue Stunde",
        "courtesyLine": None,
        "type": "EP",
        "explicitContent": False,
        "releaseDate": "2022-11-25T00:00:00Z",
        "duration": sum(track["duration_seconds"] for track in nachtschalter["tracks"]),
        "artist": ARTIST,
        **availability("2022-11-25T00:00:00Z"),
    }
    assert check_digit(told["upc"][:-1]) == told["upc"][-1]
    label = told["label"]
    assert (label["name"], sorted(label)) == ("Blaue Stunde", ["id", "licensor", "name"])
    assert (label["licensor"]["name"], sorted(label["licensor"])) == ("Blaue Stunde Musik", ["id", "name"])


def test_a_track_in_an_event_has_the_documented_shape(nachtschalter: dict, told: dict):
    known = nachtschalter["tracks"][0]
    assert told["tracks"][0] == {
        "id": known["id"],
        "isrc": known["isrc"],
        "title": "Nummer ziehen",
        "subtitle": None,
        "discNumber": 1,
        "trackNumber": 1,
        "duration": known["duration_seconds"],
        "explicitContent": False,
        "pLine": None,
        "clipStartPoint": round(known["duration_seconds"] / 3),
        "artist": ARTIST,
        **availability("2022-11-25T00:00:00Z"),
    }
    assert [track["id"] for track in told["tracks"]] == [track["id"] for track in nachtschalter["tracks"]]


def test_letters_are_signed_for_five_minutes_and_zipped(platform: Platform, receiver: Receiver):
    publish(platform, receiver, what="release", release_id=platform.release()["id"])
    headers, _ = receiver.letters[0]
    key = (platform.var_dir / "sandbox/keys/events.pub.pem").read_bytes()
    scheme, _, token = headers["Authorization"].partition(" ")
    claims = jwt.decode(token, key, algorithms=["RS256"], options={"require": ["exp", "iat", "iss"]})

    assert scheme == "Bearer"
    assert claims["exp"] - claims["iat"] == 300
    assert abs(claims["iat"] - time.time()) < 10
    assert claims["iss"] == "sandbox"
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Type"] == "application/json"


def test_every_letter_has_a_token_of_its_own(platform: Platform, receiver: Receiver):
    publish(platform, receiver, what="all")

    assert len({headers["Authorization"] for headers, _ in receiver.letters}) == len(receiver.letters) == 4


def test_can_send_plain_and_with_a_bare_token(contrary: Platform, receiver: Receiver):
    answer = contrary.control("POST", "publish", {"what": "test", "gzip": False, "url": receiver.url})
    assert answer.json()["accepted"] == 3
    headers, _ = receiver.letters[0]
    assert "Content-Encoding" not in headers
    assert headers["Authorization"].count(".") == 2
    assert " " not in headers["Authorization"]


def test_events_for_trying_out_have_negative_ids(platform: Platform, receiver: Receiver):
    publish(platform, receiver, what="test")
    full, small, gone = receiver.events

    assert [event["id"] for event in (full, small, gone)] == [-1, -2, -3]
    assert gone == {"id": -3, "version": 3, "takedown": True}
    assert gone["takedown"] is True
    assert None not in full.values()
    assert "pdfBooklet" in full
    assert "pdfBooklet" not in small
    assert [name for name in small if small[name] is None] == ["subtitle", "gRid", "cLine", "pLine", "courtesyLine"]
    assert {name for name in small if small[name] == []} == {"genres", "tracks"} | {
        f"{use}Availability" for use in ("download", "subscriptionStreaming", "adSupportedStreaming")
    }


def test_takes_down_and_revives(platform: Platform, receiver: Receiver, partner):
    release, user_id = platform.release(), partner.subscriber()
    number, track = release["id"], release["tracks"][0]["id"]

    publish(platform, receiver, what="takedown", release_id=number)
    (down,) = receiver.events
    assert down == {"id": number, "version": down["version"], "takedown": True}
    assert down["version"] > max(each["version"] for each in platform.releases() if each["id"] != number)
    assert partner.stream(user_id, track).status_code == 404
    publish(platform, receiver, what="takedown", release_id=number)
    assert receiver.events[-1] == down, "taking down twice is telling it twice"

    publish(platform, receiver, what="revive", release_id=number)
    back = receiver.events[-1]
    assert back["title"] == release["title"]
    assert back["version"] > down["version"]
    assert partner.stream(user_id, track).status_code == 200


def test_sends_out_of_order_and_more_than_once(platform: Platform, receiver: Receiver):
    def versions(**order: object) -> list[int]:
        receiver.letters.clear()
        publish(platform, receiver, what="all", per_request=1000, **order)
        return [event["version"] for event in receiver.events]

    inorder = versions()
    assert inorder == sorted(inorder)
    assert versions(order="reversed") == inorder[::-1]
    shuffled = versions(order="shuffled")
    assert shuffled not in (inorder, inorder[::-1])
    assert sorted(shuffled) == inorder
    assert versions(duplicates=2) == sorted(inorder * 3)


def test_can_tell_an_older_story_too_late(platform: Platform, receiver: Receiver):
    release = platform.release()
    publish(platform, receiver, what="release", release_id=release["id"], history=2, order="reversed", per_request=1)
    told = sorted(receiver.events, key=lambda event: -event["version"])
    newest = told[0]["version"]
    assert [(event["version"], event["title"]) for event in told] == [
        (newest, release["title"]),
        (newest - 1, f"{release['title']} (draft 1)"),
        (newest - 2, f"{release['title']} (draft 2)"),
    ]


def test_tries_again_and_then_reports(platform: Platform, receiver: Receiver):
    receiver.script = [500, 503]
    assert publish(platform, receiver, what="test")["failed"] == []
    assert len(receiver.letters) == 3

    receiver.script = [401] * 4
    outcome = publish(platform, receiver, what="test")
    assert outcome["accepted"] == 0
    assert outcome["failed"] == [{"status": 401, "release_ids": [-1, -2, -3]}]


def test_reports_nobody_at_the_door(platform: Platform):
    answer = platform.control("POST", "publish", {"what": "test", "url": "http://127.0.0.1:9/"})
    assert answer.json()["failed"] == [{"status": None, "release_ids": [-1, -2, -3]}]


def test_keeps_to_the_rate(platform: Platform, receiver: Receiver):
    outcome = publish(platform, receiver, what="test", per_request=1, duplicates=3, rate=20)
    assert outcome["requests"] == 12
    assert 11 / 20 <= outcome["seconds"] < 3


def test_can_go_on_without_being_waited_for(platform: Platform, receiver: Receiver):
    order = {"what": "test", "url": receiver.url, "per_request": 1, "rate": 20, "wait": False}
    answer = platform.control("POST", "publish", order)
    assert (answer.status_code, answer.json()) == (202, {"events": 3})
    assert eventually(lambda: len(receiver.events) == 3)


@pytest.mark.parametrize(
    "order",
    [
        {"what": "everything"}, {"what": "release"}, {"what": "release", "release_id": 1},
        {"what": "takedown", "release_id": "x"}, {"order": "random"}, {"duplicates": -1}, {"rate": 0},
        {"rate": "fast"}, {"per_request": 0}, {"gzip": 1}, {"url": "ftp://x"}, {"wait": "no"}, {"history": 1000}, [],
    ],
)  # fmt: skip
def test_refuses_orders_it_does_not_understand(platform: Platform, order):
    answer = platform.control("POST", "publish", order)
    assert answer.status_code == 400
    assert answer.json()["error"]
