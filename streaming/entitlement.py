"""Why a stream is refused: everything it depends on, read in one statement and judged by the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection

from catalogue.licensors import is_licensed
from catalogue.rules import Use, Verdict, Window, judge, window

# The offers' territories stay in the database: a world-wide list is long and only one of them matters.
QUESTION: Final = """
    SELECT l.country, l.explicit_filter,
           EXISTS (SELECT 1 FROM subscriptions_subscription s
                    WHERE s.listener_id = l.id AND s.entitled_from <= %(now)s AND s.entitled_until > %(now)s),
           t.release_id, t.explicit, t.gone_at IS NOT NULL OR r.taken_down_at IS NOT NULL, r.licensor_id,
           (SELECT json_agg(json_build_array(l.country = ANY (g.territories),
                                             extract(epoch FROM o.starts_at), extract(epoch FROM o.ends_at)))
              FROM catalogue_offer o JOIN catalogue_region g ON g.id = o.region_id
             WHERE o.track_id = t.id AND o.use = %(use)s)::text
      FROM accounts_listener l
      LEFT JOIN catalogue_track t ON t.id = %(track)s
      LEFT JOIN catalogue_release r ON r.id = t.release_id
     WHERE l.id = %(listener)s AND l.closed_at IS NULL
"""
read_windows = msgspec.json.Decoder(list[tuple[bool, float, float | None]]).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What a listener may do at one instant; `track` is None for a track we have never heard of."""

    subscribed: bool
    track: Verdict | None
    release_id: int | None


def standing(*, listener_id: UUID, track_id: int, now: datetime, use: Use = Use.STREAM) -> Standing | None:
    """The listener's standing towards one track at `now`; None when the account is closed or never was."""
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(QUESTION, {"listener": listener_id, "track": track_id, "now": now, "use": use.value})
        row = cursor.fetchone()
    if row is None:
        return None
    country, hides_explicit, subscribed, release_id, explicit, down, licensor_id, offers = row
    verdict = judge(
        windows=windows_from(offers),
        use=use,
        country=country,
        at=now,
        taken_down=bool(down),
        licensed=is_licensed(licensor_id),
        explicit=bool(explicit),
        explicit_filter=hides_explicit,
    )
    return Standing(subscribed=subscribed, track=verdict if release_id is not None else None, release_id=release_id)


def windows_from(offers: Any) -> list[Window]:
    """The offers as the rules read them."""
    return [window(*offer) for offer in (read_windows(offers) if offers else ())]
