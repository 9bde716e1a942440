"""How the events are getting on, in figures that cost the same however many events there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from catalogue.models import CatalogueEvent
from desk.cells import capped

State = CatalogueEvent.State

MOST: Final = 10_000  # rows of each state, or of the newest, that are looked at
PARTLY_MOST: Final = 1_000
RECENT: Final = timedelta(hours=1)

# A state is asked for as a span, and in the order of the index by state: told `state = …` and an order by id,
# PostgreSQL walks along the ids, which takes for ever where there are few such events or none.
BY_STATE: Final = """
    SELECT s.state, e.kind, count(*)
      FROM unnest(%(states)s::text[]) AS s (state),
           LATERAL (SELECT kind FROM catalogue_catalogueevent WHERE state BETWEEN s.state AND s.state
                     ORDER BY state, id DESC LIMIT %(most)s) AS e
     GROUP BY 1, 2 ORDER BY 1, 2 DESC
"""
LATELY: Final = """
    SELECT kind, count(*), sum(members), count(*) FILTER (WHERE state IN ('APPLIED', 'PARTLY')), min(received_at)
      FROM (SELECT kind, members, state, received_at FROM catalogue_catalogueevent
             ORDER BY id DESC LIMIT %(most)s) AS newest
     WHERE received_at > %(since)s
     GROUP BY 1 ORDER BY 1 DESC
"""
WRITTEN: Final = """
    SELECT count(*), min(changed_at)
      FROM (SELECT changed_at FROM catalogue_release WHERE change IS NOT NULL
             ORDER BY change DESC LIMIT %(most)s) AS newest
     WHERE changed_at > %(since)s
"""
TROUBLE: Final = """
    SELECT count(*), count(*) FILTER (WHERE refused > 0), coalesce(sum(refused), 0),
           count(*) FILTER (WHERE conflicts > 0), coalesce(sum(conflicts), 0)
      FROM (SELECT jsonb_array_length(coalesce(outcome->'refused', '[]')) AS refused,
                   jsonb_array_length(coalesce(outcome->'conflicts', '[]')) AS conflicts
              FROM catalogue_catalogueevent WHERE state BETWEEN 'PARTLY' AND 'PARTLY'
             ORDER BY state, id DESC LIMIT %(most)s) AS newest
"""
OLDEST: Final = """
    SELECT id, received_at FROM catalogue_catalogueevent WHERE state BETWEEN 'WAITING' AND 'WAITING'
     ORDER BY state DESC, id LIMIT 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """The events in one state, by kind; of more than MOST the newest."""

    state: State
    kinds: Mapping[str, int]

    @property
    def counted(self) -> str:
        """How many there are; MOST and a plus where counting ended."""
        return capped(sum(self.kinds.values()), MOST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lately:
    """What came since an instant, by kind, and how fast it was applied; releases written, whenever they came."""

    since: datetime
    received: Mapping[str, int]
    members: int
    applied_a_minute: float
    written_a_minute: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Members refused and in conflict, and in how many events; of the newest PARTLY_MOST events in part applied."""

    events: int
    refused_in: int
    refused: int
    conflicts_in: int
    conflicts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Oldest:
    """The event that came first of those that wait."""

    id: int
    age: timedelta


def held() -> dict[State, Held]:
    """The events by state."""
    kinds: dict[str, dict[str, int]] = {state: {} for state in State.values}
    for state, kind, count in rows(BY_STATE, states=State.values, most=MOST):
        kinds[state][kind] = count
    return {state: Held(state=state, kinds=kinds[state]) for state in State}


def lately(*, now: datetime) -> Lately:
    """The last hour, or the time in which the newest MOST events came, whichever is shorter."""
    came = rows(LATELY, since=now - RECENT, most=MOST)
    received = {kind: count for kind, count, *_ in came}
    full = sum(received.values()) >= MOST
    since = min(first for *_, first in came) if full else now - RECENT
    [(written, first)] = rows(WRITTEN, since=now - RECENT, most=MOST)
    return Lately(
        since=since,
        received=received,
        members=sum(members for _, _, members, _, _ in came),
        applied_a_minute=a_minute(sum(applied for _, _, _, applied, _ in came), now - since),
        written_a_minute=a_minute(written, now - first if written >= MOST else RECENT),
    )


def trouble() -> Trouble:
    [(events, refused_in, refused, conflicts_in, conflicts)] = rows(TROUBLE, most=PARTLY_MOST)
    return Trouble(
        events=events, refused_in=refused_in, refused=refused, conflicts_in=conflicts_in, conflicts=conflicts
    )


def oldest(*, now: datetime) -> Oldest | None:
    return next((Oldest(id=id_, age=now - received_at) for id_, received_at in rows(OLDEST)), None)


def a_minute(count: int, time: timedelta) -> float:
    return count / max(time / timedelta(minutes=1), 1 / 60)


def rows(statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
