"""Making a listener known to the platform before something else is said of them."""

from __future__ import annotations

from contextlib import suppress

from accounts.models import Listener
from massivemusic.client import Client
from massivemusic.errors import AlreadyExists
from massivemusic.users import create_user


def introduce(client: Client, listener: Listener) -> None:
    """Create the platform's user if we do not know that it is there; `listener.create` may find that done.

    Twice is once: 2003 "already exists" is our own earlier success, since nobody else knows the id.
    Raises PlatformError. (Streaming guide §2.1, Download guide §2)
    """
    if listener.on_platform_since is None:
        with suppress(AlreadyExists):
            create_user(client, user_id=listener.platform_id, country=listener.country)
