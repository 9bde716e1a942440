"""Standard Webhooks 1.0: any billing system that can sign with a shared secret.

The envelope is `{"type", "timestamp", "data"}`; id, attempt time and body are signed together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rest_framework.exceptions import ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from billing.actions import Letter
from billing.models import BillingEvent
from billing.registry import Reader, reader_of
from kernel.errors import Kind, Refusal
from kernel.values import SANE_YEARS
from web.bodies import NotJSON, parse_json
from web.exceptions import flatten
from web.params import instant_of

PROVIDER: Final = "standard"
AHEAD: Final = timedelta(hours=1)  # how far a billing system's clock may run ahead of ours

EVENT_ID = re.compile(r"\A[!-~]{1,255}\Z")
TIMESTAMP = re.compile(r"\A[0-9]{1,12}\Z")
SIGNATURE = re.compile(r"\Av1,[A-Za-z0-9+/]{43}=\Z")


class Forged(Refusal):
    """The signature, its age or its headers are not what our secret would have made."""

    code, kind = "not_authenticated", Kind.UNAUTHENTICATED


def prove(*, body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> str:
    """The event's id, once any of our secrets vouches for the raw bytes. Raises Forged.

    The library is lenient about the shape of its headers, so that is checked here first.
    """
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = [part for part in headers.get("webhook-signature", "").split(" ") if SIGNATURE.match(part)]
    if not (EVENT_ID.match(event_id) and TIMESTAMP.match(timestamp) and signatures):
        raise Forged("the webhook headers are missing or malformed")
    claimed = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}
    for secret in secrets:
        try:
            Webhook(secret).verify(body, claimed, json_parse=False)
        except (WebhookVerificationError, UnicodeDecodeError):
            continue
        return event_id
    raise Forged("the webhook signature does not hold")


def read(*, body: bytes, event_id: str, now: datetime) -> Letter:
    """The proven bytes as a letter. What cannot be understood becomes one too, in the state REFUSED.

    So does an event from the future: it would outrank everything that really happens until then.
    """
    try:
        type_, occurred_at, data = envelope(parse_json(body))
        if occurred_at > now + AHEAD:
            raise ValueError("timestamp lies in the future")
    except (NotJSON, ValueError) as error:
        return refused(body, event_id, str(error))
    common: dict[str, Any] = {
        "provider": PROVIDER,
        "event_id": event_id,
        "body": body,
        "type": type_,
        "occurred_at": occurred_at,
    }
    reader = reader_of(type_)
    if reader is None:
        return Letter(**common, data={}, state=BillingEvent.State.IGNORED)
    try:
        subject, clean = understood(reader, data)
    except ValidationError as error:
        return Letter(**common, data=data, state=BillingEvent.State.REFUSED, error=faults_in(error)[:2000])
    return Letter(**common, subject=subject, data=clean)


def envelope(document: Any) -> tuple[str, datetime, Mapping[str, Any]]:
    """Type, time and data of an event. Raises ValueError naming what is wrong."""
    if not isinstance(document, dict):
        raise ValueError("the event must be a JSON object")
    type_, data = document.get("type"), document.get("data")
    if not isinstance(type_, str) or not 1 <= len(type_) <= 128:
        raise ValueError("type must be a text of 1 to 128 characters")
    if not isinstance(data, dict):
        raise ValueError("data must be a JSON object")
    return type_, instant(document.get("timestamp")), data


def instant(text: object) -> datetime:
    """An aware time within sane years, in UTC. Raises ValueError."""
    moment = instant_of(text)
    if moment is None or moment.year not in SANE_YEARS:
        raise ValueError("timestamp must be an RFC 3339 time with its offset, of the years 2000 to 2100")
    return moment


def understood(reader: Reader, data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Subject and cleaned data. Raises DRF's ValidationError naming every fault."""
    shape = reader.shape(data=data)
    shape.is_valid(raise_exception=True)
    return str(shape.validated_data[reader.subject]), dict(shape.data)


def faults_in(error: ValidationError) -> str:
    """Every fault, by the field it is in."""
    faults = flatten(error.get_full_details(), pointer="")
    return "; ".join(f"data{fault['pointer'].replace('/', '.')}: {fault['detail']}" for fault in faults)


def refused(body: bytes, event_id: str, reason: str) -> Letter:
    """A proven letter that is no event."""
    return Letter(
        provider=PROVIDER, event_id=event_id, body=body, data={}, state=BillingEvent.State.REFUSED, error=reason
    )
