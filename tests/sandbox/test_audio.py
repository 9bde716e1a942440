"""Composing, encoding, cutting: without a server."""

from __future__ import annotations

import io
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tinytag import TinyTag

from sandbox.audio import encoders, hls, id3, mix
from sandbox.audio.encoders import ENCODERS, Names
from sandbox.audio.frames import Frame, adts_frames, between, mp3_frames
from sandbox.audio.score import STYLES, Piece, compose, seconds_for

NAMES = Names(title="Déjà l'été", artist="霧島ハナ", album="Kessler & Grün", number=3)


def piece(style: str = "night", *, seconds: int = 11, track: int = 7) -> Piece:
    return compose(seconds=seconds, style=style, release_seed=3, track_seed=track)


@pytest.fixture(scope="module")
def pcm() -> bytes:
    return mix.record(piece())


@pytest.fixture(scope="module")
def mp3(pcm: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "track.mp3"
    ENCODERS[26].write(pcm, NAMES, path)
    return path


@pytest.mark.parametrize("style", STYLES)
def test_sounds_good(style: str):
    """Stereo, loud enough, never clipped, no offset, quiet at both ends, and it does not stand still."""
    sound = np.frombuffer(mix.record(piece(style)), "<i2").reshape(-1, 2).astype(float) / 32768
    rms = np.sqrt((sound**2).mean())

    assert len(sound) == 11 * 44100
    assert 0.5 < np.abs(sound).max() < 0.95
    assert 0.08 < rms < 0.3
    assert abs(sound.mean()) < 0.01
    assert np.abs(sound[:20]).max() < 0.1
    assert np.abs(sound[-200:]).max() < 0.01
    assert np.corrcoef(sound.T)[0, 1] < 0.98
    loudness = [np.sqrt((second**2).mean()) for second in np.array_split(sound[: 9 * 44100], 9)]
    assert min(loudness) > rms / 4, "there are holes in it"


def test_composes_the_same_track_every_time_and_another_for_another_track():
    assert piece() == piece()
    assert mix.record(piece()) == mix.record(piece())
    assert piece().notes != piece(track=8).notes


@settings(deadline=None)
@given(
    seconds=st.integers(10, 20),
    style=st.sampled_from(sorted(STYLES)),
    release=st.integers(1, 2**31),
    track=st.integers(1, 2**31),
)
def test_writes_playable_notes_within_the_piece(seconds, style, release, track):
    composed = compose(seconds=seconds, style=style, release_seed=release, track_seed=track)
    assert all(0 <= note.at < seconds - 0.5 for note in composed.notes)
    assert all(28 <= note.pitch <= 96 for note in composed.notes if note.part != "kit")
    assert {"tune", "chords", "bass"} <= {note.part for note in composed.notes}


def test_gives_tracks_between_10_and_20_seconds():
    lengths = {seconds_for(number) for number in range(500)}
    assert (min(lengths), max(lengths)) == (10, 20)


def test_mp3_frames_add_up_to_the_track(mp3: Path):
    data = mp3.read_bytes()
    frames = list(mp3_frames(data))
    assert sum(frame.seconds for frame in frames) == pytest.approx(11, abs=0.2)
    assert frames[0].offset == len(id3.names(title=NAMES.title, artist=NAMES.artist, album=NAMES.album, number=3))
    assert all(after.offset == frame.offset + frame.length for frame, after in pairwise(frames))
    assert frames[-1].offset + frames[-1].length == len(data)
    assert TinyTag.get(mp3).duration == pytest.approx(sum(frame.seconds for frame in frames), abs=0.06)


def test_mp3_carries_its_names(mp3: Path):
    tag = TinyTag.get(mp3)
    assert (tag.title, tag.artist, tag.album, tag.track) == ("Déjà l'été", "霧島ハナ", "Kessler & Grün", 3)


def test_flac_is_the_recording_itself(pcm: bytes, tmp_path: Path):
    ENCODERS[45].write(pcm, NAMES, tmp_path / "track.flac")
    sound, rate = soundfile.read(tmp_path / "track.flac", dtype="int16")
    assert rate == 44100
    assert sound.tobytes() == pcm
    tag = TinyTag.get(tmp_path / "track.flac")
    assert (tag.title, tag.artist, tag.album, tag.track) == ("Déjà l'été", "霧島ハナ", "Kessler & Grün", 3)


@pytest.mark.skipif(not ENCODERS[56].able, reason="no ffmpeg with AAC on the PATH")
def test_aac_frames_add_up_to_the_track(pcm: bytes, tmp_path: Path):
    ENCODERS[56].write(pcm, NAMES, tmp_path / "track.aac")
    frames = list(adts_frames((tmp_path / "track.aac").read_bytes()))
    assert sum(frame.seconds for frame in frames) == pytest.approx(11, abs=0.2)


def test_says_so_when_there_is_no_ffmpeg(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    encoders.ffmpeg_codecs.cache_clear()
    assert not ENCODERS[56].able
    assert ENCODERS[26].able
    with pytest.raises(encoders.CannotMake, match="not on the PATH"):
        encoders.ffmpeg("-version")
    monkeypatch.undo()
    encoders.ffmpeg_codecs.cache_clear()


def test_steps_over_garbage_between_frames(mp3: Path):
    data = mp3.read_bytes()
    frames = list(mp3_frames(data))
    middle = frames[50].offset
    broken = data[:middle] + b"\xff\xfb\x90\x64 not a frame \xff\xff" * 9 + data[middle:] + b"TAG" + bytes(125)
    assert len(list(mp3_frames(broken))) == len(frames)


def test_leaves_out_the_frame_in_which_encoders_keep_notes(mp3: Path):
    data = mp3.read_bytes()
    first = next(mp3_frames(data))
    note = bytearray(data[first.offset : first.offset + first.length])
    note[36:40] = b"Xing"
    with_note = data[: first.offset] + bytes(note) + data[first.offset :]
    assert next(mp3_frames(with_note)).offset == first.offset + first.length


@settings(deadline=None)
@given(
    st.binary(max_size=400) | st.lists(st.sampled_from([b"\xff", b"\xfb\x90", b"ID3", b"\0", b"\xf1"])).map(b"".join)
)
def test_walks_any_bytes_to_their_end(data: bytes):
    for walk in (mp3_frames, adts_frames):
        frames = list(walk(data))
        assert all(frame.offset >= 0 and frame.offset + frame.length <= len(data) for frame in frames)


@pytest.mark.parametrize(("target", "count", "last"), [(3, 4, 2.06), (3.6, 3, 3.86), (60, 1, 11.05)])
def test_cuts_without_losing_a_byte_or_a_moment(mp3: Path, target: float, count: int, last: float):
    """A rest too short for a segment of its own joins the one before it."""
    frames = list(mp3_frames(mp3.read_bytes()))
    cuts = hls.cut(frames, target=target)
    assert len(cuts) == count
    assert cuts[0].first == frames[0].offset
    assert cuts[-1].end == mp3.stat().st_size
    assert all(after.first == before.end for before, after in pairwise(cuts))
    assert all(after.begins_at == pytest.approx(before.begins_at + before.seconds) for before, after in pairwise(cuts))
    assert sum(cut.seconds for cut in cuts) == pytest.approx(sum(frame.seconds for frame in frames))
    assert all(target - 0.1 < cut.seconds <= target for cut in cuts[:-1])
    assert cuts[-1].seconds == pytest.approx(last, abs=0.1)


def test_cuts_nothing_into_nothing_and_a_moment_into_one():
    assert hls.cut([]) == []
    frames = list(mp3_frames((b"\xff\xfb\x90\x64" + bytes(413)) * 3))
    assert len(hls.cut(frames)) == 1


def test_writes_a_playlist_that_rfc_8216_accepts():
    cuts = [
        hls.Segment(first=0, end=9, begins_at=0, seconds=5.98),
        hls.Segment(first=9, end=12, begins_at=5.98, seconds=7.2),
    ]
    assert hls.playlist(cuts, urls=["a.mp3", "b.mp3"]) == (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:8\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXTINF:5.98000,\na.mp3\n#EXTINF:7.20000,\nb.mp3\n#EXT-X-ENDLIST\n"
    )


def test_stamps_segments_with_a_90_khz_clock():
    stamp = id3.timestamp(2.0)
    assert stamp[:5] == b"ID3\4\0"
    assert stamp[10:14] == b"PRIV"
    assert stamp.endswith(b"com.apple.streaming.transportStreamTimestamp\0" + (180_000).to_bytes(8, "big"))
    assert id3.timestamp(2**33 / 90_000)[-8:] == bytes(8)


@pytest.mark.skipif(not ENCODERS[56].able, reason="no ffmpeg on the PATH")
def test_is_an_mp3_to_others_as_well(mp3: Path):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(mp3), "-f", "s16le", "-"]
    decoded = subprocess.run(command, capture_output=True, check=True)
    assert decoded.stderr == b""
    assert len(np.frombuffer(decoded.stdout, "<i2")) / 2 / 44100 == pytest.approx(11, abs=0.2)
    assert io.BytesIO(decoded.stdout).read(1)


def test_a_clip_is_the_frames_that_begin_within_it():
    frames = [Frame(offset=number, length=1, seconds=0.5) for number in range(200)]
    assert [frame.offset for frame in between(frames, 30, 60)] == list(range(60, 120))
    assert [frame.offset for frame in between(frames, 90, 120)] == list(range(180, 200))
    assert list(between(frames, 100, 130)) == []
