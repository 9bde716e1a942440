"""Ids of ours in paths."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from web.params import uuid_of

NOTHING: Final = UUID(int=0)  # no thing of ours has this id


class Opaque:
    """An id of a thing of ours. What cannot be one leads to nothing, and is answered as any other id of nothing is."""

    regex = "[^/]+"

    def to_python(self, value: str) -> UUID:
        return uuid_of(value) or NOTHING

    def to_url(self, value: UUID) -> str:
        return str(value)
