"""The demo label, and a folder of real music in its place."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import psycopg
import pytest
import requests
import soundfile
from PIL import Image

from sandbox.audio import id3
from sandbox.audio.encoders import ENCODERS, Names
from sandbox.audio.frames import mp3_frames
from sandbox.countries import WORLD
from sandbox.instants import parse
from tests.sandbox.platform import Database, Partner, Platform, error_of
from tests.sandbox.receiver import Receiver

# --- the demo label ---------------------------------------------------------------------------


def test_the_label_has_40_releases_with_200_tracks_by_12_artists(platform: Platform):
    releases = platform.releases()
    tracks = [track for release in releases for track in release["tracks"]]

    assert (len(releases), len(tracks), len({release["artist"] for release in releases})) == (40, 200, 12)
    assert len({track["id"] for track in tracks}) == 200
    assert len({track["isrc"] for track in tracks}) == 200
    assert all(1_000_000 <= release["id"] < 100_000_000 for release in releases)
    assert all(0 < track["id"] < 2**31 and 10 <= track["duration_seconds"] <= 20 for track in tracks)
    assert len({track["title"] for track in tracks}) > 190


def test_the_label_has_what_searches_and_rules_can_be_shown_with(platform: Platform):
    releases = platform.releases()
    titles = {track["title"] for release in releases for track in release["tracks"]}

    assert sum(not title.isascii() for title in titles) > 20
    assert any("CJK" in unicodedata.name(title[0]) for title in titles)
    assert any("'" in title for title in titles)
    territories = {tuple(sorted(release["territories"])) for release in releases}
    assert territories == {tuple(sorted(WORLD)), ("GB", "IE"), ("CA", "US"), ("AT", "CH", "DE"), ("FR",)}
    for state in ("taken_down", "pre_release", "download_only"):
        assert len([release for release in releases if release[state]]) == 1
    assert sum(track["explicit"] for release in releases for track in release["tracks"]) == 1
    assert {release["type"] for release in releases} == {"Album", "EP", "Single"}


def test_one_release_starts_30_days_after_the_shelves_were_filled(platform: Platform):
    starts = parse(platform.release(pre_release=True)["streams_from"])
    assert abs(starts - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=10)


def test_preparing_again_changes_nothing(platform: Platform):
    before = platform.releases()
    assert platform.prepare() == "sandbox: nothing to prepare\n"
    assert platform.releases() == before


# --- a folder of music ------------------------------------------------------------------------


def tone(path: Path, *, seconds: float = 0.5, **tags: str) -> None:
    """A short tone with tags, in whatever the ending says."""
    time = np.arange(int(44100 * seconds)) / 44100
    sound = np.sin(time * 2 * np.pi * 440) * 0.3
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".mp3":
        pcm = (np.stack([sound, sound], 1) * 32767).astype("<i2").tobytes()
        ENCODERS[26].write(pcm, Names(title=tags["title"], artist=tags["artist"], album=tags["album"], number=1), path)
        return
    with soundfile.SoundFile(path, "w", 44100, 1) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(sound)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("My Records")
    tone(folder / "A/Blue/01 one.ogg", title="One", artist="A", album="Blue", tracknumber="1")
    tone(folder / "A/Blue/02 two.flac", title="Two", artist="A", album="Blue", tracknumber="2")
    Image.new("RGB", (40, 30), "#0000ff").save(folder / "A/Blue/cover.jpg")
    tone(folder / "G/green.mp3", title="", artist="", album="")
    with_cover(folder / "G/green.mp3")
    tone(folder / "B/song.mp3", title="Nice \x07\u202eSong" + "!" * 999, artist="B", album="Red", seconds=13)
    tone(folder / "untagged/03 - Plain_Name.wav")
    (folder / "A/Blue/liner notes.txt").write_text("not music")
    (folder / "broken.mp3").write_bytes(b"nothing of the kind" * 50)
    (folder / "empty.flac").write_bytes(b"")
    (folder / "torn.ogg").write_bytes((folder / "A/Blue/01 one.ogg").read_bytes()[:60])
    (folder / ".hidden").mkdir()
    shutil.copy(folder / "B/song.mp3", folder / ".hidden/song.mp3")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.wav")).write_bytes(
        (folder / "untagged/03 - Plain_Name.wav").read_bytes()
    )
    return folder


@pytest.fixture(scope="module")
def records(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, str]]:
    """A stand-in whose shelves were filled from MUSIC, and what `prepare` said."""
    database = Database(server=os.environ["DATABASE_URL"], name=f"sandbox_music_{os.getpid()}")
    database.create()
    platform = Platform(database=database, var_dir=tmp_path_factory.mktemp("var"), settings={"MUSIC": str(music)})
    said = platform.prepare()
    platform.start()
    yield platform, said
    platform.stop()
    database.drop()


@pytest.fixture
def listen(records) -> Iterator[Callable[..., requests.Response]]:
    partner = Partner(records[0])
    user_id = partner.subscriber("JP")
    yield lambda track_id, **change: partner.stream(user_id, track_id, country="JP", **change)
    partner.close()


def with_cover(path: Path) -> None:
    """Put a green picture into an MP3 file, in front of its own tag."""
    picture = io.BytesIO()
    Image.new("RGB", (30, 30), "#00ff00").save(picture, "PNG")
    names = [id3.frame("TIT2", b"\3Green"), id3.frame("TALB", b"\3Garden"), id3.frame("TPE1", b"\3G")]
    cover = id3.frame("APIC", b"\0image/png\0\3\0" + picture.getvalue())
    sound = path.read_bytes()
    path.write_bytes(id3.tag(*names, cover) + sound[next(mp3_frames(sound)).offset :])


def shelf(records) -> dict[str, dict]:
    return {release["title"]: release for release in records[0].releases()}


def track_named(records, title: str) -> dict:
    (track,) = [
        track for release in records[0].releases() for track in release["tracks"] if track["title"].startswith(title)
    ]
    return track


def test_groups_the_files_into_releases(records):
    shelves = shelf(records)
    assert sorted(shelves) == ["Blue", "Garden", "Red", "untagged"]
    assert [track["title"] for track in shelves["Blue"]["tracks"]] == ["One", "Two"]
    assert (shelves["Blue"]["artist"], shelves["untagged"]["artist"]) == ("A", "Unknown Artist")
    assert shelves["untagged"]["tracks"][0]["title"] == "Plain Name"
    assert all(sorted(release["territories"]) == sorted(WORLD) for release in shelves.values())


def test_names_what_it_cannot_read_and_goes_on(records):
    _, said = records
    assert "sandbox: skipped 'broken.mp3': " in said
    assert "sandbox: skipped 'empty.flac': " in said
    assert "sandbox: skipped 'torn.ogg': " in said
    assert "sandbox: skipped '\\udcff.wav': " in said
    assert said.endswith("4 releases (4 new or changed), 5 tracks\n")


def test_cleans_a_hostile_title(records):
    title = track_named(records, "Nice")["title"]
    assert title.startswith("Nice Song!!!")
    assert len(title) == 200


@pytest.mark.parametrize(
    ("title", "file", "mime"),
    [
        ("One", "A/Blue/01 one.ogg", "audio/ogg"),
        ("Two", "A/Blue/02 two.flac", "audio/flac"),
        ("Nice", "B/song.mp3", "audio/mpeg"),
        ("Plain Name", "untagged/03 - Plain_Name.wav", "audio/wav"),
    ],
)
@pytest.mark.parametrize("format_id", [17, 26, 45])
def test_streams_the_files_as_they_are(records, listen, music: Path, title, file, mime, format_id):
    answer = listen(track_named(records, title)["id"], formatId=format_id)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, mime)
    assert hashlib.sha256(answer.content).hexdigest() == hashlib.sha256((music / file).read_bytes()).hexdigest()


def test_sells_the_files_as_they_are(records, music: Path):
    platform, partner = records[0], Partner(records[0])
    release = shelf(records)["Blue"]
    user_id = partner.new_user()
    wish = {"userId": user_id, "purchaseId": partner.sold(user_id, release["id"]), "country": "GB"}
    answer = partner.fetch(partner.signed_url("/media/user/download/purchase", **wish))
    partner.close()
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        assert {name: zipped.read(name) for name in zipped.namelist()} == {
            "A - Blue/01 One.ogg": (music / "A/Blue/01 one.ogg").read_bytes(),
            "A - Blue/02 Two.flac": (music / "A/Blue/02 two.flac").read_bytes(),
        }
    assert platform.journal("downloads", userId=user_id)


def test_names_a_download_by_a_title_of_any_length(records):
    partner, track = Partner(records[0]), track_named(records, "Nice")
    user_id, release = partner.new_user(), shelf(records)["Red"]["id"]
    partner.sold(user_id, release)
    wish = {"userId": user_id, "trackId": track["id"], "releaseId": release, "formatId": 17, "country": "GB"}
    answer = partner.fetch(partner.signed_url("/media/user/downloadtrack", **wish))
    partner.close()
    name = re.findall(r'filename="(.*)"', answer.headers["Content-Disposition"])[0]
    assert name.startswith("01 Nice Song!!!")
    assert name.endswith("!.mp3")
    assert len(name) == 124


def test_cuts_an_mp3_for_hls(records, listen, music: Path):
    answer = listen(track_named(records, "Nice")["id"], path="/stream/subscription.m3u8")
    paths = [line for line in answer.text.splitlines() if line.startswith("segment")]
    pieces = [requests.get(urljoin(answer.url, path), timeout=5).content for path in paths]
    source = (music / "B/song.mp3").read_bytes()

    assert len(pieces) == 2
    assert b"".join(piece[len(id3.timestamp(0)) :] for piece in pieces) in source


def test_packs_other_music_only_with_ffmpeg(records, listen):
    answer = listen(track_named(records, "One")["id"], path="/stream/subscription.m3u8")
    if shutil.which("ffmpeg"):
        assert answer.status_code == 200
    else:
        assert error_of(answer)[:2] == (400, 1002)


def cover(platform: Platform, release: dict, size: int) -> requests.Response:
    number = f"{release['id']:010}"
    path = f"/static/img/sleeveart/{number[:2]}/{number[2:5]}/{number[5:8]}/{number}_{size}.jpg"
    return requests.get(platform.url + path, timeout=10)


@pytest.mark.parametrize(("title", "colour"), [("Blue", (0, 0, 255)), ("Garden", (0, 255, 0))])
def test_shows_the_cover_that_came_with_the_files(records, title: str, colour: tuple[int, int, int]):
    """From an image beside them, or from inside."""
    with Image.open(io.BytesIO(cover(records[0], shelf(records)[title], 100).content)) as picture:
        assert picture.size == (100, 100)
        assert picture.convert("RGB").getpixel((50, 50)) == pytest.approx(colour, abs=15)


def test_draws_a_cover_where_none_came(records):
    assert cover(records[0], shelf(records)["Red"], 50).status_code == 200


def test_notices_changes_and_keeps_what_stays(records, music: Path, receiver: Receiver):
    platform, _ = records
    before = shelf(records)
    tone(music / "C/new.ogg", title="New", artist="C", album="Green")
    shutil.rmtree(music / "untagged")
    said = platform.prepare()
    after = shelf(records)

    assert said.endswith("4 releases (1 new or changed), 5 tracks\n")
    assert after["Blue"] == before["Blue"]
    assert after["Green"]["version"] > before["Blue"]["version"]
    assert after["untagged"]["taken_down"]
    assert after["untagged"]["version"] > before["untagged"]["version"]
    platform.control("POST", "publish", {"what": "all", "url": receiver.url})
    down = [event for event in receiver.events if "takedown" in event]
    assert down == [{"id": before["untagged"]["id"], "version": after["untagged"]["version"], "takedown": True}]

    tone(music / "untagged/03 - Plain_Name.wav")
    platform.prepare()
    back = shelf(records)["untagged"]
    assert not back["taken_down"]
    assert back["version"] > after["untagged"]["version"]
    assert back["tracks"] == before["untagged"]["tracks"]


def test_an_empty_shelf_is_no_disaster(tmp_path: Path, database: Database):
    broken = Platform(database=database, var_dir=tmp_path, settings={"MUSIC": str(tmp_path / "nowhere")})
    with pytest.raises(AssertionError, match="MUSIC is not a folder"):
        broken.prepare()


# --- the tables themselves --------------------------------------------------------------------


@pytest.mark.parametrize("order", ["UPDATE sandbox_entry SET kind = 'sales'", "DELETE FROM sandbox_entry"])
def test_the_journal_only_grows(partner: Partner, database: Database, order: str):
    partner.new_user()
    with psycopg.connect(database.url) as connection, pytest.raises(psycopg.errors.RaiseException, match="only grows"):
        connection.execute(order)
