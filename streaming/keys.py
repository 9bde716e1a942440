"""The keys under which devices keep tracks. Derived anew each time and stored nowhere."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

COPY: Final = b"tonearm offline copy 1"
NAME: Final = b"tonearm offline key id 1"
KEY_BYTES: Final = 32  # AES-256
NAME_BYTES: Final = 8


def copy_key(*, listener_id: UUID, device_id: UUID, track_id: int, number: int) -> bytes:
    """The AES-256 key for one track on one device; `number` is the device's generation, and rotates it."""
    bound_to = listener_id.bytes + device_id.bytes + track_id.to_bytes(4, "big") + number.to_bytes(4, "big")
    return derived(COPY, bound_to, length=KEY_BYTES)


def key_id(*, device_id: UUID, number: int) -> str:
    """What a device's keys are called by: another name whenever they rotate, with its generation or with the secret."""
    return derived(NAME, device_id.bytes + number.to_bytes(4, "big"), length=NAME_BYTES).hex()


def derived(purpose: bytes, bound_to: bytes, *, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869) of settings.OFFLINE_KEY_SECRET. Of one purpose every `bound_to` has the same length."""
    secret: str = settings.OFFLINE_KEY_SECRET
    return HKDF(algorithm=SHA256(), length=length, salt=purpose, info=bound_to).derive(secret.encode())
