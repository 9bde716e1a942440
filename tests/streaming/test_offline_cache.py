"""The reference reader in docs/ reads what the reference writer wrote, anywhere, and nothing that was tampered with."""

from __future__ import annotations

import importlib.util
import io
import struct
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

PLACE = Path(__file__).resolve().parents[2] / "docs" / "offline_cache.py"
KEY = bytes(range(32))
AUDIO = bytes(range(256)) * 5


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("offline_cache", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cache = load()


def sealed(audio: bytes = AUDIO, *, block: int = 100) -> bytes:
    target = io.BytesIO()
    cache.write(io.BytesIO(audio), target, KEY, block=block)
    return target.getvalue()


@given(st.binary(max_size=400), st.integers(1, 70), st.integers(0, 450), st.integers(0, 450))
def test_any_piece_is_read(audio: bytes, block: int, start: int, length: int) -> None:
    reader = cache.Reader(io.BytesIO(sealed(audio, block=block)), KEY)

    assert reader.size == len(audio)
    assert reader.read(start, length) == audio[start : start + length]


def test_blocks_lie_where_the_format_says() -> None:
    data = sealed()
    magic, block, salt = struct.unpack(">8sI7s", data[:19])
    third = data[19 + 2 * 116 :][:116]

    assert (magic, block, len(data)) == (b"TONEARM1", 100, 19 + len(AUDIO) + 13 * 16)
    assert AESGCM(KEY).decrypt(salt + b"\0\0\0\2\0", third, data[:19]) == AUDIO[200:300]


def test_seeking_reads_one_block() -> None:
    class Counted(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            self.taken += len(piece)
            return piece

    file = Counted(sealed())
    assert cache.Reader(file, KEY).read(950, 10) == AUDIO[950:960]
    assert file.taken == 19 + 116


def test_two_files_of_one_track_share_no_nonce() -> None:
    assert sealed()[12:19] != sealed()[12:19]


DAMAGE = {
    "a bit": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "two blocks swapped": lambda data: data[:19] + data[135:251] + data[19:135] + data[251:],
    "the last block gone": lambda data: data[: 19 + 12 * 116],
    "the end gone": lambda data: data[:-20],
    "another block size": lambda data: data[:11] + b"\x63" + data[12:],
    "another salt": lambda data: data[:12] + bytes(7) + data[19:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_noticed(damage: object) -> None:
    assert callable(damage)
    reader = cache.Reader(io.BytesIO(damage(sealed())), KEY)
    with pytest.raises(InvalidTag):
        reader.read(0, reader.size)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(InvalidTag):
        cache.Reader(io.BytesIO(sealed()), bytes(32)).read(0, 1)


@pytest.mark.parametrize("data", [b"", b"TONEARM1", b"ID3" * 20])
def test_another_file_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="no such file"):
        cache.Reader(io.BytesIO(data), KEY)
