"""How a device keeps a track: a reference reader and writer of the encrypted file that docs/mobile.md describes.

    header   "TONEARM1" · block size (4 bytes, big-endian) · salt (7 random bytes)
    blocks   AES-256-GCM of so many bytes of audio each, 16 bytes longer for the tag; the last may be shorter

The nonce of a block is the salt, the block's number (4 bytes, big-endian) and a byte that is 1 for the last block and
0 for all others; the header is authenticated with each. So blocks can be neither changed, nor moved, nor cut off, and
each is read without the others: that is how a player seeks.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"TONEARM1"
HEADER = struct.Struct(">8sI7s")
TAG = 16
BLOCK = 64 * 1024


def write(source: BinaryIO, target: BinaryIO, key: bytes, *, block: int = BLOCK) -> None:
    """Encrypt what is read from `source`, a block at a time, as it comes from the network."""
    header = HEADER.pack(MAGIC, block, os.urandom(7))
    target.write(header)
    number, piece = 0, source.read(block)
    while True:
        following = source.read(block)
        last = not following
        target.write(AESGCM(key).encrypt(nonce(header, number, last=last), piece, header))
        if last:
            return
        number, piece = number + 1, following


class Reader:
    """An encrypted file as the audio in it. Raises cryptography's InvalidTag for another key or a damaged file."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self.file, self.cipher = file, AESGCM(key)
        file.seek(0)
        self.header = file.read(HEADER.size)
        if len(self.header) < HEADER.size or not self.header.startswith(MAGIC):
            raise ValueError("no such file")
        self.block = HEADER.unpack(self.header)[1]
        sealed = file.seek(0, os.SEEK_END) - HEADER.size
        self.blocks = -(-sealed // (self.block + TAG))
        self.size = sealed - self.blocks * TAG

    def read(self, start: int, length: int) -> bytes:
        """So many bytes of audio from there on; fewer at the end. Only the blocks they lie in are read."""
        first, end = start // self.block, min(start + length, self.size)
        plain = b"".join(self.opened(number) for number in range(first, -(-end // self.block)))
        return plain[start - first * self.block :][: max(0, end - start)]

    def opened(self, number: int) -> bytes:
        self.file.seek(HEADER.size + number * (self.block + TAG))
        sealed = self.file.read(self.block + TAG)
        last = number == self.blocks - 1
        return self.cipher.decrypt(nonce(self.header, number, last=last), sealed, self.header)


def nonce(header: bytes, number: int, *, last: bool) -> bytes:
    return header[-7:] + struct.pack(">I?", number, last)
