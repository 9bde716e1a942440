"""Users: the platform knows a listener by an id of ours and a country, nothing else."""

from __future__ import annotations

from massivemusic.client import Client
from massivemusic.errors import Unreadable


def create_user(client: Client, *, user_id: str, country: str) -> None:
    """Make a listener known under `user_id` (1 to 255 characters, for ever) in `country` (ISO alpha-2).

    Raises AlreadyExists (2003) when it is known, which a repeat may count as done; ParameterMissing
    and ParameterInvalid for bad input (Streaming guide §2.1).
    """
    answer = client.call("GET", "/user/create", query={"userId": user_id, "country": country})
    if "user" not in answer.body:
        raise Unreadable("the answer names no user", status=answer.status)
