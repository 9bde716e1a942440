"""What a phone hears: the platform's audio, fetched by our URLs and read by ffmpeg as by any player."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import closing
from typing import Any

import pytest
import requests

from catalogue.models import Track
from tests.helpers import Api, apply_member
from tests.sandbox.platform import Platform
from tests.sandbox.receiver import Receiver
from tests.streaming.conftest import body_of, switch

pytestmark = pytest.mark.django_db
RATE = 8000  # samples a second, of 2 bytes
CLOSE = 0.2  # seconds
DELIVERIES = ["progressive", "hls"]
FORMATS = {26: "mp3", 56: "aac"}


@pytest.fixture(scope="module", autouse=True)
def players() -> None:
    """ffmpeg and ffprobe, without which there is nothing to prove here, but in CI."""
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        no = pytest.fail if "CI" in os.environ else pytest.skip
        no("ffmpeg and ffprobe are not on the PATH")


@pytest.fixture
def demo(known: Platform) -> Track:
    """A track that the platform has told of by its own event."""
    with closing(Receiver()) as receiver:
        order = {"what": "release", "release_id": known.release()["id"], "url": receiver.url}
        assert known.control("POST", "publish", order).status_code == 200
        (event,) = receiver.events
    assert apply_member(event) == "applied"
    return Track.objects.filter(release_id=event["id"]).order_by("track_number")[0]


@pytest.fixture
def offline(phone: Api, known: Platform) -> None:
    """The phone may keep tracks."""
    phone.put("devices/phone", {})
    assert switch(phone, True).status_code == 200


def issued(phone: Api, track: Track, path: str = "streams", **changes: Any) -> str:
    """A signed URL, fresh each time."""
    wish = {"track_id": track.pk, "format_id": 26, "client_id": "phone"} | changes
    url: str = body_of(phone.post(path, wish), 201)["url"]
    return url


def run(*command: str) -> bytes:
    """What the program writes, if it finds nothing to complain of."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def heard(url: str) -> float:
    """How many seconds of sound there are, every frame decoded."""
    options = ["-f", "s16le", "-ac", "1", "-ar", str(RATE), "-"]
    return len(run("ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", url, *options)) / (2 * RATE)


def probed(url: str) -> dict[str, Any]:
    """What the player knows before it plays."""
    told: dict[str, Any] = json.loads(
        run("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", "-i", url)
    )
    return told


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("format_id", FORMATS)
def test_every_second_is_heard(phone: Api, known: Platform, demo: Track, format_id: int, delivery: str) -> None:
    if known.control("GET", f"audio/{demo.pk}/{format_id}").status_code != 200:
        pytest.skip("no AAC in this ffmpeg")
    url = issued(phone, demo, format_id=format_id, delivery=delivery)

    assert heard(url) == pytest.approx(demo.duration_seconds, abs=CLOSE)
    assert len(known.journal("streams", trackId=demo.pk, formatId=format_id, delivery=delivery)) == 1


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_player_knows_beforehand_what_comes(phone: Api, demo: Track, delivery: str) -> None:
    told = probed(issued(phone, demo, delivery=delivery))

    assert float(told["format"]["duration"]) == pytest.approx(demo.duration_seconds, abs=CLOSE)
    (sound,) = told["streams"]
    assert (sound["codec_name"], sound["channels"]) == ("mp3", 2)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_what_is_kept_sounds_the_same(phone: Api, known: Platform, demo: Track, delivery: str) -> None:
    url = issued(phone, demo, "offline/copies", delivery=delivery)

    assert heard(url) == pytest.approx(demo.duration_seconds, abs=CLOSE)
    assert [line["offline"] for line in known.journal("streams", delivery=delivery)] == [True]


@pytest.mark.parametrize("path", ["streams", "offline/copies"])
@pytest.mark.usefixtures("offline")
def test_a_player_may_jump(phone: Api, demo: Track, path: str) -> None:
    url = issued(phone, demo, path)
    whole = requests.get(url, timeout=10).content
    size, middle = len(whole), len(whole) // 2

    for wanted, part in {
        "0-999": whole[:1000],
        f"{middle}-{middle + 999}": whole[middle : middle + 1000],
        "-1000": whole[-1000:],
        f"{middle}-": whole[middle:],
    }.items():
        answer = requests.get(url, headers={"Range": f"bytes={wanted}"}, timeout=10)
        first = size - len(part) if wanted.startswith("-") else int(wanted.partition("-")[0])
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{size}"
    beyond = requests.get(url, headers={"Range": f"bytes={size}-"}, timeout=10)
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
