"""Orders to publish catalogue events, as the control door takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from sandbox import events as shapes
from sandbox.emitter import Plan
from sandbox.events import Event
from sandbox.models import Release
from sandbox.shelves import fill
from sandbox.specimens import specimens

WHATS: Final = ("all", "release", "takedown", "revive", "test")
ORDERS: Final = ("in", "shuffled", "reversed")


class Unclear(Exception):
    """The order cannot be followed; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to publish, and how. `history` invents that many older snapshots for each release."""

    what: str
    release: Release | None
    history: int
    wait: bool
    plan: Plan


def read(body: dict[str, Any]) -> Order:
    """Read an order. Every member is optional except that most kinds of `what` need a `release_id`:

        {"what": "all",         all | release | takedown | revive | test
         "release_id": null,    for release, takedown and revive
         "order": "in",         in (oldest version first) | reversed | shuffled
         "duplicates": 0,       extra copies of each event
         "history": 0,          older snapshots in front of each release's own
         "rate": 50,            requests a second
         "per_request": 10,     events in one body
         "gzip": true,
         "url": null,           null: our service's door, SANDBOX_EVENTS_URL
         "wait": true}          false: answer 202 at once

    A takedown takes the release off our own shelves too, and "revive" puts it back; both raise its version.
    Raises Unclear.
    """
    what = _one_of(body, "what", WHATS)
    plan = Plan(
        url=_url(body),
        order=_one_of(body, "order", ORDERS),
        duplicates=int(_number(body, "duplicates", default=0, lowest=0, highest=100)),
        rate=_number(body, "rate", default=50, lowest=0.1, highest=1000),
        per_request=int(_number(body, "per_request", default=10, lowest=1, highest=1000)),
        gzip=_flag(body, "gzip"),
    )
    history = int(_number(body, "history", default=0, lowest=0, highest=fill.STEP - 1))
    release = _release(body) if what in ("release", "takedown", "revive") else None
    return Order(what=what, release=release, history=history, wait=_flag(body, "wait"), plan=plan)


def events(order: Order) -> list[Event]:
    """The events of an order; a takedown or a revival happens here."""
    if order.what == "test":
        return specimens()
    if order.release and order.what == "takedown":
        fill.take_down(order.release)
    if order.release and order.what == "revive":
        fill.revive(order.release)
    releases = whole().filter(pk=order.release.pk) if order.release else whole()
    told: list[Event] = []
    for release in releases:
        told += [shapes.older(release, steps=steps) for steps in range(order.history, 0, -1)]
        told.append(shapes.event_of(release))
    return told


def whole() -> QuerySet[Release]:
    """Releases with everything an event tells of them."""
    return Release.objects.select_related("artist", "label").prefetch_related("tracks__artist").order_by("version")


def _release(body: dict[str, Any]) -> Release:
    number = body.get("release_id")
    release = Release.objects.filter(pk=number).first() if type(number) is int and 0 < number < 2**31 else None
    if release is None:
        raise Unclear("release_id names no release on the shelves")
    return release


def _one_of(body: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = body.get(name, allowed[0])
    if value not in allowed:
        raise Unclear(f"{name} is one of: {', '.join(allowed)}")
    return str(value)


def _number(body: dict[str, Any], name: str, *, default: float, lowest: float, highest: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise Unclear(f"{name} is a number from {lowest} to {highest}")
    return value


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, True)
    if not isinstance(value, bool):
        raise Unclear(f"{name} is true or false")
    return value


def _url(body: dict[str, Any]) -> str:
    url = body.get("url") or settings.EVENTS_URL
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise Unclear("url begins with http:// or https://")
    return url
