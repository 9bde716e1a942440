"""A curated playlist as its page is told of it: plain JSON values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from catalogue.reading import tracks_by_id
from catalogue.shapes import Ear, verdict_on
from kernel.values import rfc3339
from playlists.audience import Audience
from playlists.comparing import difference
from playlists.curation import called
from playlists.models import Curation, Item, Meant, Playlist, Revision
from playlists.notices import warnings
from playlists.pasting import Match
from playlists.publishing import LISTS, MEANT, Standing, revision_of, standing
from playlists.shapes import picture_path
from playlists.sheet import Line, lines_for, lines_of
from playlists.substitutes import Candidate, reasons

REVISIONS: Final = 200  # that the history shows


def state_told(playlist: Playlist, *, markets: Sequence[str], at: datetime) -> dict[str, Any]:
    """The whole draft, and where it stands."""
    lines = lines_of(playlist.pk, markets=markets, at=at)
    facts = {name: getattr(playlist.curation, name) for name in MEANT}
    return {
        "id": str(playlist.pk),
        "name": playlist.name,
        "description": playlist.description,
        **facts,
        "rule": playlist.curation.rule and playlist.curation.rule.name,
        "markets": list(markets),
        "lines": [line_told(line) for line in lines],
        "notices": notices_told(lines, markets),
        **standing_told(playlist, at=at),
    }


def line_told(line: Line) -> list[Any]:
    """In the order of its fields: with names, five thousand would be twice as long."""
    return [line.item_id and str(line.item_id), *line[1:]]


def notices_told(lines: Sequence[Line], markets: Collection[str]) -> list[dict[str, Any]]:
    return [asdict(each) | {"item_ids": list(map(str, each.item_ids))} for each in warnings(lines, markets)]


def standing_told(playlist: Playlist, *, at: datetime) -> dict[str, Any]:
    """The version, and what listeners have: what every change answers with."""
    curation = playlist.curation
    now: Standing = standing(curation, at=at)
    return {
        "version": playlist.version,
        "cover": cover_told(playlist),
        "state": now.state,
        "live": now.live and revision_told(now.live),
        "waiting": now.waiting and revision_told(now.waiting),
        "proposed": {"by": called(curation.proposed_by), "note": curation.proposed_note} if now.proposed else None,
        "changed": now.changed,
    }


def cover_told(playlist: Playlist) -> dict[str, Any]:
    """What stands for the draft; `own`: an editor gave it."""
    curation = playlist.curation
    url = picture_path(playlist.pk, curation.picture) if curation.picture else None
    return {"url": url, "own": bool(curation.cover)}


def revision_told(revision: Revision) -> dict[str, Any]:
    return {
        "number": revision.number,
        "name": revision.name,
        "track_count": revision.track_count,
        "published_at": rfc3339(revision.published_at),
        "published_by": called(revision.published_by),
        "note": revision.note,
        "live_from": revision.live_from and rfc3339(revision.live_from),
        "live_until": revision.live_until and rfc3339(revision.live_until),
    }


def history_told(playlist_id: UUID) -> list[dict[str, Any]]:
    """The latest first."""
    revisions = Revision.objects.filter(playlist=playlist_id).select_related("published_by").defer(*LISTS)
    return [revision_told(revision) for revision in revisions.order_by("-number")[:REVISIONS]]


def comparison_told(playlist: Playlist, *, number: int, at: datetime) -> dict[str, Any]:
    """What the draft has, and a revision had not. Raises RevisionNotFound."""
    revision = revision_of(playlist.pk, number)
    draft = dict(Item.objects.filter(playlist=playlist).order_by("position").values_list("pk", "track_id"))
    before = dict(zip(revision.item_ids, revision.track_ids, strict=True))
    tracks = before | draft
    found = difference(revision.item_ids, list(draft))
    shown = sorted({*before.values(), *draft.values()})
    titles = {line.track_id: line for line in lines_for(shown, markets=[], at=at)}

    def named(item_ids: Iterable[UUID]) -> list[str]:
        return [written(titles[tracks[item_id]]) for item_id in item_ids]

    return {
        "number": number,
        "added": named(found.added),
        "removed": named(found.removed),
        "moved": named(found.moved),
        "swapped": [
            f"{written(titles[track_id])} → {written(titles[draft[item_id]])}"
            for item_id, track_id in before.items()
            if draft.get(item_id, track_id) != track_id
        ],
        "facts": [
            {"name": name, "was": was, "is": is_}
            for name in ("name", "description", *MEANT)
            if name != "mosaic" and (was := getattr(revision, name)) != (is_ := getattr(holder(playlist, name), name))
        ],
    }


def written(line: Line) -> str:
    return f"{line.title} – {line.artist}"


def holder(playlist: Playlist, name: str) -> Playlist | Curation:
    return playlist.curation if name in MEANT else playlist


def substitute_told(candidate: Candidate) -> dict[str, Any]:
    """A track that may stand in for another, as a line with what speaks for it."""
    line = [
        None, candidate.track_id, candidate.title, candidate.version, candidate.artist, candidate.isrc,
        candidate.seconds, candidate.explicit, candidate.release_id, False, candidate.open_in,
    ]  # fmt: skip
    return {"line": line, "release": candidate.release, "reasons": reasons(candidate)}


def matches_told(matches: Sequence[Match], *, markets: Sequence[str], at: datetime) -> dict[str, Any]:
    """Line by line what was found, and the tracks once each."""
    ids = list(dict.fromkeys(track_id for match in matches for track_id in match.track_ids))
    return {
        "matches": [
            {
                "number": match.wish.number,
                "text": match.wish.text,
                "found": match.found,
                "detail": match.detail,
                "track_ids": list(match.track_ids),
            }
            for match in matches
        ],
        "lines": [line_told(line) for line in lines_for(ids, markets=markets, at=at)],
    }


def preview_told(playlist: Playlist, audience: Audience, *, of_draft: bool) -> dict[str, Any]:
    """What somebody would get at an instant: of the draft as if it were live, or of what will then be live."""
    revision = None if of_draft else Revision.objects.live(audience.at).filter(playlist=playlist).first()
    shown: Playlist | Revision = revision or playlist
    against = [] if of_draft or revision else ["nothing of it is live then"]
    if not against:
        against = missed_by(revision or playlist.curation, audience)
    return {
        "seen": not against,
        "against": against,
        "number": revision and revision.number,
        "name": shown.name,
        "description": shown.description,
        "tracks": [] if against else heard(track_ids_of(shown), audience),
    }


def missed_by(meant: Meant, audience: Audience) -> list[str]:
    """Why it is not meant for somebody; the words' twin of `RevisionQuerySet.meant_for`."""
    against = []
    if meant.countries and audience.country not in meant.countries:
        against.append(f"it is not meant for {audience.country}")
    if meant.plans and not audience.plans & set(meant.plans):
        against.append("it is not meant for their plan")
    if meant.locales and audience.locales is not None and not audience.locales & set(meant.locales):
        against.append("it is not meant for their language")
    return against


def track_ids_of(shown: Playlist | Revision) -> list[int]:
    if isinstance(shown, Revision):
        return list(shown.track_ids)
    return list(Item.objects.filter(playlist=shown).order_by("position").values_list("track_id", flat=True))


def heard(track_ids: Sequence[int], audience: Audience) -> list[dict[str, Any]]:
    ear = Ear(country=audience.country, explicit_filter=False, at=audience.at)
    rows = tracks_by_id(list(set(track_ids)), country=audience.country)
    reasons = {row.id: verdict_on(row, ear).reason for row in rows.values()}
    return [
        {"title": rows[track_id].title, "artist": rows[track_id].artist_name, "reason": reasons[track_id]}
        for track_id in track_ids
    ]
