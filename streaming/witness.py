"""What packages below ask: whether a track was handed out, how many may play at a time, and who has which plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Case, F, Max, When

from playlists.registry import knows_plans_held, knows_plans_sold
from streaming.models import OfflineCopy
from subscriptions.models import Plan, Subscription
from usage.honesty import Claim
from usage.registry import knows_grants, knows_places

CLOCKS: Final = 24 * 3600  # seconds: a device that does not say what its clock shows may have it this wrong

FIRST_GRANTS: Final = """
    SELECT listener_id, track_id, extract(epoch FROM min(issued_at))::float8 FROM streaming_grant
     WHERE listener_id = ANY (%(listeners)s) AND track_id = ANY (%(tracks)s)
     GROUP BY listener_id, track_id
"""


@knows_grants
def granted(claims: Sequence[Claim]) -> set[int]:
    """Those whose track had been streamed to the listener before, or is kept on one of their devices.

    One grant vouches for every later play: a stream that was fetched may be cached and heard again.
    """
    listeners, tracks = {claim.listener_id for claim in claims}, {claim.track_id for claim in claims}
    with connection.cursor() as cursor:
        cursor.execute(FIRST_GRANTS, {"listeners": list(listeners), "tracks": list(tracks)})
        first = {(listener, track): issued_at for listener, track, issued_at in cursor.fetchall()}
    kept = set(kept_by(listeners))
    return {
        claim.id
        for claim in claims
        if (whom := (claim.listener_id, claim.track_id)) in kept
        or (whom in first and first[whom] <= claim.played_at + CLOCKS)
    }


def kept_by(listeners: Collection[UUID]) -> Iterator[tuple[UUID, int]]:
    """Who keeps which track on any of their devices; a copy outlives its grant as long as the device checks in."""
    copies = OfflineCopy.objects.filter(device__listener__in=listeners)
    return copies.values_list("device__listener_id", "track_id").iterator()


@knows_places
def places(listeners: Collection[UUID]) -> dict[UUID, int]:
    """On how many devices each may listen at a time, by the largest plan they ever had: a play may be old."""
    offline = Case(When(plan__offline=True, then=F("plan__offline_devices")), default=0)
    held = Subscription.objects.filter(listener__in=listeners).order_by()
    return dict(held.values("listener").annotate(most=Max(F("plan__concurrent_streams") + offline)).values_list(
        "listener", "most"
    ))  # fmt: skip


@knows_plans_held
def plans_held(listener_id: UUID, at: datetime) -> Iterable[str]:
    return Subscription.objects.covering(at).filter(listener=listener_id).values_list("plan", flat=True)


@knows_plans_sold
def plans_sold() -> Iterable[str]:
    return Plan.objects.values_list("code", flat=True)
