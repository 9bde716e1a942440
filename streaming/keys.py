"""The keys under which devices keep tracks. Derived anew each time and stored nowhere."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE: Final = b"tonearm offline copy 1"
KEY_BYTES: Final = 32  # AES-256


def copy_key(*, listener_id: UUID, device_id: UUID, track_id: int, number: int) -> bytes:
    """The AES-256 key for one track on one device; `number` is the device's generation, and rotates it.

    HKDF-SHA256 (RFC 5869) of settings.OFFLINE_KEY_SECRET. Every part of what it is for has a fixed length.
    """
    bound_to = listener_id.bytes + device_id.bytes + track_id.to_bytes(4, "big") + number.to_bytes(4, "big")
    secret: str = settings.OFFLINE_KEY_SECRET
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=PURPOSE, info=bound_to).derive(secret.encode())


def key_id(*, device_id: UUID, number: int) -> str:
    """What a device calls the key by: it changes whenever the key does, and says nothing else."""
    return f"{device_id.hex[:8]}-{number}"
