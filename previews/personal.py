"""What previews hold about a listener. They stay when the listener leaves, under the pseudonym, as plays do."""

from __future__ import annotations

from uuid import UUID

from accounts.registry import Rows, tells
from previews.models import PreviewPlay


@tells("preview_plays")
def preview_plays(listener_id: UUID) -> Rows:
    own = PreviewPlay.objects.filter(listener=listener_id).order_by("played_at", "id")
    return own.values(
        "play_id", "country", "track_id", "played_at", "seconds_played", "user_agent", "usage", "received_at", "state",
        "platform_code",
    ).iterator()  # fmt: skip
