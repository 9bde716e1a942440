"""What support reads about a listener's plays."""

from __future__ import annotations

from datetime import UTC, timedelta

from django.db.models import Count, Max, Min
from django.db.models.functions import TruncDay
from django.utils import timezone

from accounts.models import Listener
from desk.cells import Table, moment, state
from desk.story import LATEST, chapter, lane, listed
from desk.strip import FURTHEST, Span
from usage.models import Play


@lane("plays", model="usage.Play")
def days(listener: Listener) -> list[Span]:
    """A bar for each day with plays."""
    own = Play.objects.filter(listener=listener, played_at__gt=timezone.now() - FURTHEST).order_by()
    by_day = own.annotate(day=TruncDay("played_at", tzinfo=UTC)).values("day")
    return [
        Span(
            starts_at=row["day"], ends_at=row["day"] + timedelta(days=1), kind="info",
            text=f"{row['count']} play(s) on {row['day']:%Y-%m-%d}",
        )
        for row in by_day.annotate(count=Count("*")).order_by("day")
    ]  # fmt: skip


@chapter("Plays", model="usage.Play", place=60)
def plays_by_state(listener: Listener) -> Table:
    """How many, by how far their reporting has come."""
    own = Play.objects.filter(listener=listener).order_by().values("state")
    counts = own.annotate(count=Count("*"), first=Min("played_at"), last=Max("played_at")).order_by("-count")
    return Table(
        headers=["state", "how many", "from", "until"],
        rows=[
            [
                state(row["state"]),
                listed("usage.Play", f"{row['count']:,}", q=listener.platform_id, state__exact=row["state"]),
                moment(row["first"]), moment(row["last"]),
            ]
            for row in counts
        ],
    )  # fmt: skip


@chapter("The latest plays", model="usage.Play", place=61)
def latest_plays(listener: Listener) -> Table:
    own = Play.objects.filter(listener=listener).order_by("-played_at", "-pk")[:LATEST]
    return Table(
        headers=["played", "track", "country", "seconds", "mode", "state"],
        rows=[
            [
                moment(each.played_at), listed("catalogue.Track", each.track_id, q=each.track_id), each.country,
                each.seconds_played, each.mode, state(each.state),
            ]
            for each in own
        ],
    )  # fmt: skip
