"""What the readings of several providers have in common: from a proven document to a letter, or to a clear fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from billing.actions import Letter
from billing.models import BillingEvent
from billing.providers.standard import AHEAD
from kernel.values import is_currency, unix_instant
from web.bodies import NotJSON, parse_json

SECOND: Final = timedelta(seconds=1)

LISTENER_ID = re.compile(r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A provider's event, opened but not yet understood; `test` for one that no real money stands behind."""

    event_id: str
    type: str
    occurred_at: datetime
    test: bool
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a notice tells, in our own form."""

    type: str = "subscription.updated"
    subject: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    state: str = BillingEvent.State.WAITING
    error: str = ""


def read_letter(
    *,
    provider: str,
    body: bytes,
    now: datetime,
    tests_count: bool,
    opened: Callable[[Any], Notice],
    understood: Callable[[Notice], Told | None],
) -> Letter:
    """The proven bytes as a letter. `opened` and `understood` raise ValueError saying what is wrong.

    What cannot be understood becomes a letter too, in the state REFUSED, and so does an event from the
    future: it would outrank everything that really happens until then.
    """
    try:
        notice = opened(parse_json(body))
        if notice.occurred_at > now + AHEAD:
            raise ValueError("the event lies in the future")
    except (NotJSON, ValueError) as error:
        unread = f"unread-{sha256(body).hexdigest()}"
        return Letter(
            provider=provider, event_id=unread, body=body, data={}, state=BillingEvent.State.REFUSED, error=str(error)
        )
    common: dict[str, Any] = {
        "provider": provider,
        "event_id": notice.event_id,
        "body": body,
        "type": notice.type,
        "occurred_at": notice.occurred_at,
    }
    if notice.test and not tests_count:
        return Letter(**common, data={}, state=BillingEvent.State.SANDBOX)
    try:
        told = understood(notice)
    except ValueError as error:
        return Letter(**common, data={}, state=BillingEvent.State.REFUSED, error=str(error)[:2000])
    if told is None:
        return Letter(**common, data={}, state=BillingEvent.State.IGNORED)
    return Letter(**common | vars(told))


def text(members: Mapping[str, Any], name: str, *, longest: int = 255) -> str:
    """The member's text. Raises ValueError when it is not there, or is none."""
    value = members.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise ValueError(f"{name} must be a text of 1 to {longest} characters")
    return value


def box(members: Any, name: str) -> Mapping[str, Any]:
    """The member's object. Raises ValueError when it is not there, or is none."""
    value = members.get(name) if isinstance(members, dict) else None
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object")
    return value


def boxes(members: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The member's objects. Raises ValueError when it is no list of them."""
    values = members.get(name)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise ValueError(f"{name} must be a list of JSON objects")
    return values


def truth(members: Mapping[str, Any], name: str) -> bool:
    """The member's true or false. Raises ValueError."""
    value = members.get(name)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return value


def whole(members: Mapping[str, Any], name: str) -> int:
    """The member's whole number: no text, no 9.0, no true. Raises ValueError."""
    value = members.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} must be a whole number")
    return value


def instant(members: Mapping[str, Any], name: str, *, unit: timedelta = SECOND) -> datetime:
    """The member's time, counted in `unit` since 1970, within sane years. Raises ValueError."""
    count = whole(members, name)
    try:
        return unix_instant(count, unit=unit)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def currency(members: Mapping[str, Any], name: str = "currency") -> str:
    """The member's ISO 4217 code, in upper case. Raises ValueError."""
    code = text(members, name).upper()
    if not is_currency(code):
        raise ValueError(f"{name} must be an ISO 4217 code")
    return code


def account(*candidates: object) -> dict[str, Any]:
    """The first of the candidates that can be a listener's id, as a member of its own; none when there is none."""
    for candidate in candidates:
        if isinstance(candidate, str) and LISTENER_ID.match(candidate):
            return {"account_id": candidate.lower()}
    return {}
