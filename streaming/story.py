"""What support reads about who streams for a listener."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db.models import Count
from django.utils import timezone

from accounts.models import Listener
from desk.cells import Table, label, link, moment
from desk.story import LATEST, chapter, listed
from streaming.models import Device, StreamGrant, StreamHolder


@chapter("Devices", model="streaming.Device", place=46)
def devices(listener: Listener) -> Table:
    own = Device.objects.filter(listener=listener).annotate(kept=Count("copies")).order_by("-last_seen_at")[:LATEST]
    return Table(
        headers=["device", "model", "app", "seen", "offline", "tracks kept", "removed"],
        rows=[
            [
                link(each), each.model or "–", each.app_version or "–", moment(each.last_seen_at),
                label(each.get_offline_display(), "success" if each.offline == Device.Offline.ON else ""),
                each.kept, moment(each.removed_at),
            ]
            for each in own
        ],
    )  # fmt: skip


@chapter("What plays", model="streaming.StreamHolder", place=45)
def stream(listener: Listener) -> Table:
    """The device that holds the stream, and those that are refused for a while."""
    now = timezone.now()
    holder = StreamHolder.objects.filter(listener=listener).first()
    rows: list[list[object]] = []
    if holder is not None:
        plays = label("plays", "success") if holder.plays_until > now else label("ended")
        track = listed("catalogue.Track", holder.track_id, q=holder.track_id)
        rows = [[holder.client_id, track, plays, moment(holder.since), moment(holder.plays_until)]]
        for client_id, until in holder.blocks.items():
            if (end := datetime.fromtimestamp(until, tz=UTC)) > now:
                rows.append([client_id, "–", label("refused", "warning"), "–", moment(end)])
    return Table(headers=["device", "track", "", "since", "until"], rows=rows)


@chapter("What was issued", model="streaming.StreamGrant", place=47)
def grants(listener: Listener) -> Table:
    own = StreamGrant.objects.filter(listener_id=listener.pk).order_by("-issued_at")[:LATEST]
    return Table(
        headers=["issued", "track", "format", "device", "country", "to keep"],
        rows=[
            [
                moment(each.issued_at), listed("catalogue.Track", each.track_id, q=each.track_id), each.format_id,
                each.client_id, each.country, "yes" if each.offline else "",
            ]
            for each in own
        ],
    )  # fmt: skip
