"""The ledger at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from desk.cells import Table, ago, kind_of, label, state
from desk.story import LATEST, listed
from outbox import circuit
from outbox.models import Circuit, Message
from usage import figures
from usage.models import TOPICS, Play, PlayBatch
from usage.rules import ALARM, REPORTABLE

ODD: Final = [each for each in PlayBatch.State if each not in {PlayBatch.State.SENT, PlayBatch.State.SPLIT}]


def play_ledger(request: HttpRequest) -> HttpResponse:
    """What came, what became of it, how long that took, and what waits for a person."""
    if not admin.site.get_model_admin(Play).has_view_permission(request):
        raise PermissionDenied
    now = timezone.now()
    hours = figures.hours(now=now)
    context = admin.site.each_context(request) | {
        "title": "The play ledger", "now": now, "piles": [tile(pile, now=now) for pile in figures.piles()],
        "channel": channel(), "arrivals": arrivals(hours), "delays": delays(hours),
        "first": hours[0], "last": hours[-1], "batches": batches(), "reasons": reasons(),
    }  # fmt: skip
    return TemplateResponse(request, "admin/usage/board.html", context)


def tile(pile: figures.Pile, *, now: datetime) -> dict[str, Any]:
    """A number with what it means, its colour, and how old the oldest is."""
    age = now - pile.oldest if pile.oldest else None
    late = age is not None and pile.state in {"WAITING", "HELD", "IN_DOUBT"} and age >= ALARM
    return {
        "state": pile.state,
        "kind": "danger" if late else kind_of(pile.state) if pile.count else "",
        "count": pile.counted,
        "age": ago(age) if age is not None else None,
        "left": ago(REPORTABLE - age) if late and age is not None else None,
    }


def channel() -> dict[str, Any]:
    """By which way plays go out, and whether it is open."""
    neighbour = circuit.BUCKET if settings.USAGE_CHANNEL == "bucket" else circuit.PLATFORM
    breaker = Circuit.objects.filter(name=neighbour).first()
    messages = Message.objects.filter(topic__in=TOPICS.values()).order_by()
    return {
        "name": settings.USAGE_CHANNEL,
        "open_until": breaker and breaker.open_until,
        "failures": breaker.failures if breaker else 0,
        "dead": messages.filter(state=Message.State.DEAD)[: figures.MOST].count(),
        "waiting": messages.waiting()[: figures.MOST].count(),
    }


def arrivals(hours: Sequence[figures.Hour]) -> dict[str, Any]:
    """A stacked bar for each hour, in percent of the highest."""
    most = max(1, *(hour.plays for hour in hours))
    return {
        "most": most,
        "bars": [
            {
                "hour": hour,
                "sent": 100 * hour.sent / most,
                "on_the_way": 100 * hour.on_the_way / most,
                "for_people": 100 * hour.for_people / most,
            }
            for hour in hours
        ],
    }


def delays(hours: Sequence[figures.Hour]) -> dict[str, Any] | None:
    """How long batches took: the slow ones as a bar, half of them as its darker part; None without any."""
    slowest = max((hour.slow_seconds or 0 for hour in hours), default=0)
    if not slowest:
        return None
    return {
        "most": slowest,
        "bars": [
            {
                "hour": hour,
                "median": 100 * (hour.median_seconds or 0) / slowest,
                "slow": 100 * ((hour.slow_seconds or 0) - (hour.median_seconds or 0)) / slowest,
            }
            for hour in hours
        ],
    }


def batches() -> Table:
    """The latest batches that did not simply go out."""
    # Each state along the index by itself: nothing tells how far back the last batch of several states lies.
    first, *others = (PlayBatch.objects.filter(state=each).order_by("-pk")[:LATEST] for each in ODD)
    odd = first.union(*others, all=True).order_by("-pk")[:LATEST]
    return Table(
        headers=["batch", "plays", "state", "what was said"],
        rows=[
            [listed("usage.PlayBatch", f"#{each.pk}", q=each.pk), each.size, state(each.state), each.detail[:120]]
            for each in odd
        ],
    )


def reasons() -> Table:
    """Why plays are held, or were refused."""
    return Table(
        headers=["state", "why", "how many"],
        rows=[[state(name), label(why) if why else "–", f"{count:,}"] for name, why, count in figures.reasons()],
    )
