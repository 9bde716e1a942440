"""The stand-in's own secrets: the key pair that signs catalogue events, and a key for segment URLs."""

from __future__ import annotations

import os
import secrets
from functools import cache
from pathlib import Path

from django.conf import settings


def folder() -> Path:
    return Path(settings.HOME) / "keys"


def ensure() -> bool:
    """Make what is missing. True when a key pair was made; its public half is `keys/events.pub.pem`."""
    folder().mkdir(parents=True, exist_ok=True)
    if not (folder() / "secret").exists():
        _write("secret", secrets.token_urlsafe(48).encode())
    if (folder() / "events.pem").exists() and (folder() / "events.pub.pem").exists():
        return False
    _make_pair()
    return True


@cache
def secret() -> str:
    """Signs the tickets inside segment URLs."""
    return (folder() / "secret").read_text()


@cache
def events_key() -> bytes:
    """The private key of the catalogue events, as PEM."""
    return (folder() / "events.pem").read_bytes()


def _make_pair() -> None:
    from cryptography.hazmat.primitives import serialization  # slow to import, needed once in a lifetime
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write("events.pem", private)
    _write("events.pub.pem", public, mode=0o644)


def _write(name: str, content: bytes, mode: int = 0o600) -> None:
    """Write whole or not at all: whoever sees the file sees all of it."""
    draft = folder() / f"{name}.draft"
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode), "wb") as handle:
        handle.write(content)
    draft.replace(folder() / name)
