"""What the ledger holds about a listener. It stays when they leave, under the pseudonym, because it must be paid."""

from __future__ import annotations

from uuid import UUID

from accounts.registry import Rows, tells
from usage.models import Play


@tells("plays")
def plays(listener_id: UUID) -> Rows:
    own = Play.objects.filter(listener=listener_id).order_by("played_at", "id")
    return own.values(
        "play_id", "track_id", "release_id", "format_id", "country", "played_at", "seconds_played", "mode",
        "user_agent", "source", "source_id", "received_at", "skew_seconds", "flags", "state", "platform_code",
    ).iterator()  # fmt: skip
