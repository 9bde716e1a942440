"""Secrets a development machine makes for itself once and keeps in its VAR_DIR, readable by the owner only."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def kept(path: Path, make: Callable[[], str]) -> str:
    """The text in `path`; made and written first when the file is not there.

    Of several processes that come at once one wins, and all read the winner's text.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with open(descriptor, "w") as handle:
            handle.write(make())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def make_secret() -> str:
    """50 characters of URL-safe randomness."""
    return secrets.token_urlsafe(38)[:50]


def make_signing_key() -> str:
    """A fresh RSA private key as PEM, for access tokens."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def make_webhook_secret() -> str:
    """A Standard Webhooks secret: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def make_google_account() -> str:
    """A service account's key file as Google Cloud hands it out, for the simulated Google Play."""
    account = {
        "type": "service_account",
        "private_key_id": "simulated",
        "private_key": make_signing_key(),
        "client_email": "tonearm@simulated.iam.gserviceaccount.com",
    }
    return json.dumps(account)
