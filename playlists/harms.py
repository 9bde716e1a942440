"""Tracks that stand on curated playlists and cannot be heard there, or soon will not be.

It is derived from the mirror each time it is asked for: what a catalogue event or the clock has done shows at once.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection

from catalogue.licensors import listed_licensors
from catalogue.rules import Use, Window
from playlists.losses import SOON, Kind, Loss, in_words, losses, merged
from playlists.models import Aside

# Every place of a track on a draft, and on what listeners have or will have; most of them are well, so each track is
# looked at once for each set of markets. A market that some right covers from now until soon has lost nothing; which
# these are is found once for each set of regions. Of both kinds of sets there are few.
SUSPECTS: Final = """
    WITH lists AS MATERIALIZED (
        SELECT p.id, p.name, coalesce(nullif(c.countries, '{}'), %(everywhere)s)::text[] AS markets
          FROM playlists_playlist p JOIN playlists_curation c ON c.playlist_id = p.id
         WHERE p.owner_id IS NULL AND p.removed_at IS NULL),
    given AS MATERIALIZED (
        SELECT l.id, coalesce(nullif(r.countries, '{}'), %(everywhere)s)::text[] AS markets, r.item_ids, r.track_ids,
               'LIVE' AS stands
          FROM lists l, LATERAL (
               SELECT * FROM playlists_revision r WHERE r.playlist_id = l.id AND r.live_from <= %(at)s
                ORDER BY r.live_from DESC, r.number DESC LIMIT 1) AS r
         WHERE r.live_until IS NULL OR r.live_until > %(at)s
         UNION ALL
        SELECT l.id, coalesce(nullif(r.countries, '{}'), %(everywhere)s)::text[], r.item_ids, r.track_ids, 'SCHEDULED'
          FROM lists l JOIN playlists_revision r ON r.playlist_id = l.id AND r.live_from > %(at)s),
    sets AS MATERIALIZED (
        SELECT markets, row_number() OVER () AS id
          FROM (SELECT markets FROM lists UNION SELECT markets FROM given) AS s),
    placed AS MATERIALIZED (
        SELECT l.id AS playlist_id, i.id AS item_id, i.track_id, s.id AS set_id, 'DRAFT' AS stands, 0 AS number
          FROM lists l JOIN sets s ON s.markets = l.markets JOIN playlists_item i ON i.playlist_id = l.id
         UNION ALL
        SELECT g.id, u.item_id, u.track_id, s.id, g.stands, u.number
          FROM given g JOIN sets s ON s.markets = g.markets,
               unnest(g.item_ids, g.track_ids) WITH ORDINALITY AS u (item_id, track_id, number)),
    wanted AS MATERIALIZED (SELECT DISTINCT track_id, set_id FROM placed),
    steady AS MATERIALIZED (
        SELECT o.track_id, array_agg(DISTINCT o.region_id ORDER BY o.region_id) AS regions
          FROM (SELECT DISTINCT track_id FROM wanted) AS w JOIN catalogue_offer o ON o.track_id = w.track_id
         WHERE o.use = %(use)s AND o.starts_at <= %(at)s AND (o.ends_at IS NULL OR o.ends_at > %(soon)s)
         GROUP BY o.track_id),
    kinds AS MATERIALIZED (
        SELECT k.set_id, k.regions, ARRAY (
               SELECT m FROM unnest(s.markets) AS m WHERE NOT EXISTS (
                      SELECT 1 FROM catalogue_region g
                       WHERE g.id = ANY (k.regions) AND m = ANY (g.territories))) AS lost
          FROM (SELECT DISTINCT w.set_id, y.regions FROM wanted w JOIN steady y ON y.track_id = w.track_id) AS k
          JOIN sets s ON s.id = k.set_id),
    harmed AS MATERIALIZED (
        SELECT w.track_id, w.set_id, s.markets, coalesce(k.lost, s.markets) AS lost,
               greatest(t.gone_at, r.taken_down_at) AS gone_at, r.changed_at, r.version, c.licensed
          FROM wanted w
          JOIN sets s ON s.id = w.set_id
          JOIN catalogue_track t ON t.id = w.track_id
          JOIN catalogue_release r ON r.id = t.release_id
          JOIN LATERAL (SELECT %(licensors)s::int[] IS NULL
                               OR coalesce(r.licensor_id = ANY (%(licensors)s::int[]), false) AS licensed) AS c ON true
          LEFT JOIN steady y ON y.track_id = w.track_id
          LEFT JOIN kinds k ON k.set_id = w.set_id AND k.regions = y.regions
         WHERE k.lost IS NULL OR k.lost <> '{}'
            OR t.gone_at IS NOT NULL OR r.taken_down_at IS NOT NULL OR NOT c.licensed),
    suspects AS MATERIALIZED (
        SELECT p.*, h.markets, h.lost, h.gone_at, h.changed_at, h.version, h.licensed
          FROM harmed h JOIN placed p ON p.track_id = h.track_id AND p.set_id = h.set_id),
    numbers AS MATERIALIZED (
        SELECT id, row_number() OVER (PARTITION BY playlist_id ORDER BY position) AS number FROM playlists_item
         WHERE playlist_id IN (SELECT playlist_id FROM suspects WHERE stands = 'DRAFT'))
    SELECT l.id, l.name, p.item_id, p.track_id, p.stands,
           CASE WHEN p.stands = 'DRAFT' THEN n.number ELSE p.number END AS number,
           p.markets, p.lost, p.gone_at, p.changed_at, p.version, p.licensed
      FROM suspects p JOIN lists l ON l.id = p.playlist_id LEFT JOIN numbers n ON n.id = p.item_id
     ORDER BY l.name, l.id, number
"""
WINDOWS: Final = """
    SELECT a.track_id, a.market, o.starts_at, o.ends_at
      FROM unnest(%(tracks)s::int[], %(markets)s::text[]) AS a (track_id, market)
      JOIN catalogue_offer o ON o.track_id = a.track_id AND o.use = %(use)s
      JOIN catalogue_region g ON g.id = o.region_id AND a.market = ANY (g.territories)
"""


class Suspect(NamedTuple):
    """A track in a place of one state of a list, which may be harmed there; `lost` are the markets to look at."""

    playlist_id: UUID
    name: str
    item_id: UUID
    track_id: int
    stands: str
    number: int
    markets: list[str]
    lost: list[str]
    gone_at: datetime | None
    changed_at: datetime
    version: int
    licensed: bool


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a harmed track stands: on which of DRAFT, LIVE and SCHEDULED, as the how manieth, and what is lost."""

    playlist_id: UUID
    playlist: str
    item_id: UUID
    stands: tuple[str, ...]
    number: int
    markets: tuple[str, ...]
    losses: tuple[Loss, ...]

    @property
    def harm(self) -> str:
        return in_words(self.losses)

    @property
    def in_draft(self) -> bool:
        return "DRAFT" in self.stands

    @property
    def given(self) -> bool:
        """Whether listeners have it, or will."""
        return self.stands != ("DRAFT",)


@dataclass(frozen=True, kw_only=True)
class Harm:
    """A track with all the places where it is harmed, and when it came to that last."""

    track_id: int
    release_version: int
    places: tuple[Place, ...]

    @property
    def since(self) -> datetime:
        return max(loss.since for place in self.places for loss in place.losses)

    @property
    def losses(self) -> list[Loss]:
        """Of all its places together."""
        return merged(loss for place in self.places for loss in place.losses)

    @property
    def words(self) -> str:
        return in_words(self.losses)

    @property
    def markets(self) -> list[str]:
        """Of all its lists."""
        return sorted({market for place in self.places for market in place.markets})

    @property
    def lost(self) -> set[str]:
        return {market for loss in self.losses for market in loss.markets}

    @property
    def seen(self) -> str:
        """What somebody has seen who has seen this: another one where anything else has happened."""
        said = sorted((str(playlist_id), words) for playlist_id, words in self.by_list.items())
        return hashlib.sha256(repr((self.release_version, said)).encode()).hexdigest()[:16]

    @property
    def by_list(self) -> dict[UUID, str]:
        """What each list has lost, in words."""
        return {
            playlist_id: in_words(merged(loss for place in places for loss in place.losses))
            for playlist_id, places in self.lists.items()
        }

    @property
    def lists(self) -> dict[UUID, list[Place]]:
        lists: defaultdict[UUID, list[Place]] = defaultdict(list)
        for place in self.places:
            lists[place.playlist_id].append(place)
        return lists

    def without(self, aside: Mapping[UUID, tuple[int, str]]) -> Harm:
        """What is left of it where lists put aside what they have lost by a version of the release."""
        left = {list_ for list_, words in self.by_list.items() if aside.get(list_) == (self.release_version, words)}
        return replace(self, places=tuple(place for place in self.places if place.playlist_id not in left))


def harms(*, at: datetime) -> list[Harm]:
    """All there are but what was put aside, the newest first; three statements, however many."""
    suspects = suspected(at=at)
    offered = windows_of(suspects)
    aside = put_aside({suspect.track_id for suspect in suspects})
    versions = {suspect.track_id: suspect.version for suspect in suspects}
    places: defaultdict[int, list[Place]] = defaultdict(list)
    for (track_id, _, _), alike in grouped(suspects).items():
        if place := place_of(alike, offered[track_id], at=at):
            places[track_id].append(place)
    every = (
        Harm(track_id=track_id, release_version=versions[track_id], places=tuple(listed)).without(aside[track_id])
        for track_id, listed in places.items()
    )
    return sorted((harm for harm in every if harm.places), key=lambda harm: (harm.since, harm.track_id), reverse=True)


def put_aside(track_ids: Iterable[int]) -> defaultdict[int, dict[UUID, tuple[int, str]]]:
    """Track → list → what was put aside of it there."""
    aside: defaultdict[int, dict[UUID, tuple[int, str]]] = defaultdict(dict)
    for left in Aside.objects.filter(track__in=track_ids):
        aside[left.track_id][left.playlist_id] = left.release_version, left.harm
    return aside


def suspected(*, at: datetime) -> list[Suspect]:
    values: dict[str, Any] = {
        "everywhere": sorted(settings.MARKETS),
        "at": at,
        "soon": at + SOON,
        "use": Use.STREAM.value,
        "licensors": listed_licensors(),
    }
    with connection.cursor() as cursor:
        cursor.execute(SUSPECTS, values)
        return [Suspect(*row) for row in cursor.fetchall()]


def windows_of(suspects: Iterable[Suspect]) -> Mapping[int, Mapping[str, Sequence[Window]]]:
    """The offers of tracks that still have some, market by market where one may be lost."""
    looked = {(each.track_id, market) for each in suspects if not each.gone_at for market in each.lost}
    asked: dict[str, Any] = {"tracks": [track for track, _ in looked], "markets": [market for _, market in looked]}
    offered: defaultdict[int, defaultdict[str, list[Window]]] = defaultdict(lambda: defaultdict(list))
    with connection.cursor() as cursor:
        cursor.execute(WINDOWS, asked | {"use": Use.STREAM.value})
        for track_id, market, starts_at, ends_at in cursor.fetchall():
            offered[track_id][market].append(Window(here=True, starts_at=starts_at, ends_at=ends_at))
    return offered


def grouped(suspects: Iterable[Suspect]) -> dict[tuple[int, UUID, UUID], list[Suspect]]:
    """One place of a track on several states of a list is one place."""
    places: defaultdict[tuple[int, UUID, UUID], list[Suspect]] = defaultdict(list)
    for suspect in suspects:
        places[suspect.track_id, suspect.playlist_id, suspect.item_id].append(suspect)
    return dict(places)


def place_of(alike: Sequence[Suspect], offered: Mapping[str, Sequence[Window]], *, at: datetime) -> Place | None:
    """The place by the markets of all the states that it is on; None where nothing is lost after all."""
    markets = tuple(sorted({market for each in alike for market in each.markets}))
    drafted = next((each for each in alike if each.stands == "DRAFT"), alike[0])
    found = losses_of(drafted, {market for each in alike for market in each.lost}, markets, offered, at=at)
    if not found:
        return None
    return Place(
        playlist_id=drafted.playlist_id,
        playlist=drafted.name,
        item_id=drafted.item_id,
        stands=tuple(sorted(each.stands for each in alike)),
        number=drafted.number,
        markets=markets,
        losses=tuple(found),
    )


def losses_of(
    suspect: Suspect,
    lost: Iterable[str],
    markets: tuple[str, ...],
    offered: Mapping[str, Sequence[Window]],
    *,
    at: datetime,
) -> list[Loss]:
    if suspect.gone_at:
        return [Loss(kind=Kind.GONE, markets=markets, since=suspect.gone_at)]
    if not suspect.licensed:
        return [Loss(kind=Kind.UNLICENSED, markets=markets, since=suspect.changed_at)]
    return losses(offered, set(lost), changed_at=suspect.changed_at, at=at)


def harm_to(track_id: int, *, at: datetime) -> Harm | None:
    """What has happened to one track; None where nothing has, or it was put aside."""
    return next((harm for harm in harms(at=at) if harm.track_id == track_id), None)
