"""What query parameters have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from kernel.errors import InvalidParameter


def whole_in(request: Request, name: str, *, otherwise: int = 0, most: int) -> int:
    """A whole number from 1 to `most`. Raises InvalidParameter."""
    text = request.query_params.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise InvalidParameter(f"must be a whole number from 1 to {most}", field=name)
    return int(text)


def uuid_of(text: object) -> UUID | None:
    """The UUID that a text names; None for anything else."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def instant_in(request: Request, name: str) -> datetime | None:
    """An RFC 3339 time with its offset, in UTC; None when absent. Raises InvalidParameter."""
    text = request.query_params.get(name)
    if text is None:
        return None
    moment = instant_of(text.replace(" ", "+"))  # an unescaped + arrives as a space
    if moment is None:
        raise InvalidParameter("must be an RFC 3339 time with its offset", field=name)
    return moment


def instant_of(text: object) -> datetime | None:
    """The time in UTC that a text with an offset names; None for anything else."""
    try:
        moment = parse_datetime(text.upper()) if isinstance(text, str) and text.isascii() else None  # t and z will do
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def moment(text: str) -> datetime:
    """An instant given on a command line, with its offset. Raises ValueError."""
    if (instant := instant_of(text)) is None:
        raise ValueError("not an instant with its offset")
    return instant
