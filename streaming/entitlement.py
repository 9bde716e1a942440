"""Why a stream is refused: everything it depends on, read in one statement and judged by the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from catalogue.licensors import is_licensed
from catalogue.reading import WINDOWS
from catalogue.rules import Use, Verdict, judge
from catalogue.shapes import windows_of

ASK: Final = """
    SELECT l.country, l.explicit_filter,
           EXISTS (SELECT 1 FROM subscriptions_subscription s
                    WHERE s.listener_id = l.id AND s.entitled_from <= %(now)s AND s.entitled_until > %(now)s),
           t.release_id, t.explicit, t.gone_at IS NOT NULL OR r.taken_down_at IS NOT NULL, r.licensor_id, {windows}
      FROM accounts_listener l
      JOIN accounts_user u ON u.id = l.user_id AND u.is_active
      LEFT JOIN catalogue_track t ON t.id = %(track)s
      LEFT JOIN catalogue_release r ON r.id = t.release_id
     WHERE l.id = %(listener)s AND l.closed_at IS NULL
"""
QUESTION: Final = ASK.format(windows=WINDOWS.format(country="l.country", track="t.id"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What a listener may do at one instant; `track` is None for a track we have never heard of."""

    subscribed: bool
    track: Verdict | None
    release_id: int | None


def standing(*, listener_id: UUID, track_id: int, now: datetime, use: Use = Use.STREAM) -> Standing | None:
    """The listener's standing towards one track at `now`; None when the account is closed, banned or never was."""
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(QUESTION, {"listener": listener_id, "track": track_id, "now": now})
        row = cursor.fetchone()
    if row is None:
        return None
    country, hides_explicit, subscribed, release_id, explicit, down, licensor_id, told = row
    verdict = judge(
        windows=windows_of(told, use=use),
        use=use,
        country=country,
        at=now,
        taken_down=bool(down),
        licensed=is_licensed(licensor_id),
        explicit=bool(explicit),
        explicit_filter=hides_explicit,
    )
    return Standing(subscribed=subscribed, track=verdict if release_id is not None else None, release_id=release_id)
