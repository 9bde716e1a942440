"""/stream/subscription.m3u8 and its segments."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from sandbox.audio.frames import mp3_frames
from tests.sandbox.platform import Partner, error_of, eventually


def segments_of(partner: Partner, url: str, playlist: str) -> list[bytes]:
    paths = [line for line in playlist.splitlines() if line and not line.startswith("#")]
    answers = [partner.fetch(urljoin(url, path)) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    assert all(int(answer.headers["Content-Length"]) == len(answer.content) for answer in answers)
    return [answer.content for answer in answers]


def test_hls_segments_are_the_progressive_file_in_pieces(partner, listener, track):
    url = partner.stream_url(listener, track, path="/stream/subscription.m3u8")
    answer = partner.fetch(url)
    whole = partner.stream(listener, track).content

    assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert answer.text.startswith("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:")
    assert answer.text.endswith("#EXT-X-ENDLIST\n")
    pieces = segments_of(partner, url, answer.text)
    stamp = len(b"ID3") + 7 + 10 + len("com.apple.streaming.transportStreamTimestamp") + 1 + 8
    assert all(piece.startswith(b"ID3\4\0\0") for piece in pieces)
    assert b"".join(piece[stamp:] for piece in pieces) == whole[next(mp3_frames(whole)).offset :]
    lengths = [float(line[8:-1]) for line in answer.text.splitlines() if line.startswith("#EXTINF:")]
    seconds = partner.platform.control("GET", f"audio/{track}/26").json()["duration_seconds"]
    assert sum(lengths) == pytest.approx(seconds, abs=0.2)


def test_hls_takes_turns_and_is_journalled_like_any_stream(partner, listener, track):
    assert partner.stream(listener, track, path="/stream/subscription.m3u8", clientId="A").status_code == 200
    assert partner.stream(listener, track, clientId="B").status_code == 200
    answer = partner.stream(listener, track, path="/stream/subscription.m3u8", clientId="A")
    assert error_of(answer)[:2] == (403, 3201)
    assert [line["delivery"] for line in partner.platform.journal("streams", userId=listener)] == ["hls", "progressive"]


def test_hls_playlists_work_once(partner, listener, track):
    url = partner.stream_url(listener, track, path="/stream/subscription.m3u8")
    assert [partner.fetch(url).status_code for _ in range(2)] == [200, 401]


def test_hls_segments_want_their_ticket_and_soon(contrarian, listener, track):
    brief = contrarian
    url = brief.stream_url(listener, track, path="/stream/subscription.m3u8")
    path = next(line for line in brief.fetch(url).text.splitlines() if line.startswith("segment"))
    segment = urljoin(url, path)

    assert brief.fetch(segment).status_code == 200
    assert brief.fetch(segment[:-3]).status_code == 401
    assert brief.fetch(segment.replace(str(track), str(track + 11))).status_code == 401
    assert error_of(brief.fetch(segment.replace("segment/0", "segment/99")))[:2] == (404, 2001)
    assert eventually(lambda: brief.fetch(segment).status_code == 401)


def test_flac_cannot_be_packed(partner, listener, track):
    answer = partner.stream(listener, track, path="/stream/subscription.m3u8", formatId=45)
    assert error_of(answer) == (400, 1002, 'Invalid value for "formatId": 45')


def test_aac_where_it_can_be_made(partner, listener, track):
    if partner.platform.control("GET", f"audio/{track}/56").status_code != 200:
        pytest.skip("no ffmpeg with AAC on the PATH")
    assert partner.stream(listener, track, formatId=56).headers["Content-Type"] == "audio/aac"
    url = partner.stream_url(listener, track, path="/stream/subscription.m3u8", formatId=56)
    pieces = segments_of(partner, url, partner.fetch(url).text)
    assert all(piece.startswith(b"ID3\4") and b"\xff\xf1" in piece[60:80] for piece in pieces)
