"""Whose music we may use: the licensors we have a contract with (settings.LICENSORS), or everybody's."""

from __future__ import annotations

from django.conf import settings


def is_licensed(licensor_id: int | None) -> bool:
    """Whether a release of this licensor may be used. One without a licensor may not, where there is a list."""
    return not settings.LICENSORS or licensor_id in settings.LICENSORS


def listed_licensors() -> list[int] | None:
    """The list for a statement; None where everybody is welcome."""
    return sorted(settings.LICENSORS) or None
