"""Whom else one may sign in with, as allauth wants it said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def apps_at(provider: str, client_ids: Sequence[str], *, url: str) -> dict[str, Any]:
    """Our apps at a provider. Allauth names the first where one must be named; an app that signs in names its own."""
    more: dict[str, Any] = {}
    if provider == "openid_connect":
        more = {"provider_id": "openid", "name": "OpenID"}
    return {
        "APPS": [
            more | {"client_id": each, "settings": {"server_url": url, "hidden": each != client_ids[0]}}
            for each in client_ids
        ]
    }
