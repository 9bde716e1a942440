"""Play reports ("Report a subscriber stream")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from sandbox import answers, clock, journal, playlog
from sandbox.answers import Refused
from sandbox.calls import Call
from sandbox.gate import signed
from sandbox.models import Subscription, Track


@signed
def log(request: HttpRequest, call: Call) -> HttpResponse:
    """POST /1.2/user/subscription/log?userId=…&country=… with a batch of plays → `playLogs.count`.

    User and country count from the query alone. 1001, 1002, 1003 for a user that never had a
    subscription, 2001 for an unknown track; 1008 with the index of each bad play when the batch
    has more than one. There is no idempotency key: the same batch twice is accepted twice.
    """
    user_id, country = call.query.text("userId"), call.query.country()
    kind = (request.content_type or "").lower()
    items = playlog.read_items(request.body, content_type=kind, most=settings.LOG_MAX_ITEMS)
    plays, refused = sort(items, partial(playlog.read_play, now=clock.now()))
    if refused and len(items) == 1:
        raise refused[0]
    if not Subscription.objects.filter(user__user_id=user_id).exists():
        raise Refused(1003, "The user has never had a subscription")
    if plays and not (refused and settings.LOG_PARTIAL == "reject"):
        journal.record("plays", *({"userId": user_id, "country": country} | play for play in plays))
    if refused:
        raise Refused(1008, "The batch contained failures", members=refused)
    return answers.ok(request, {"playLogs": {"count": len(plays)}})


def sort(
    items: Sequence[playlog.Item], read: Callable[[playlog.Item], dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[int, Refused]]:
    """The good plays, and the refusals of the others by their index."""
    plays, refused = {}, {}
    for index, item in enumerate(items):
        try:
            plays[index] = read(item)
        except Refused as no:
            refused[index] = no
    named = [play["trackId"] for play in plays.values() if "trackId" in play]
    known = dict(Track.objects.filter(pk__in=named).values_list("id", "release"))
    for index, play in list(plays.items()):
        if play.get("trackId") not in known or play.get("releaseId") not in (None, known[play["trackId"]]):
            refused[index] = Refused(2001, f"Track not found on this release: {play.get('trackId')}")
            del plays[index]
    return list(plays.values()), dict(sorted(refused.items()))
