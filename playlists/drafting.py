"""Drafts that a rule began, and a person finishes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts.models import User
from playlists.actions import put
from playlists.choosing import chosen
from playlists.curation import Edit, create_curated, kept, opened
from playlists.models import Item, Playlist, Rule
from playlists.rules import NoRule


def make_draft(rule: Rule, *, by: User, now: datetime) -> Playlist:
    """A new draft with what the rule chooses now. Raises RuleTooWide."""
    track_ids = chosen(rule, at=now)
    with transaction.atomic():
        playlist = create_curated(name=rule.name, by=by, now=now)
        playlist.curation.rule = rule
        edit = Edit(playlist_id=playlist.pk, version=None, by=by, now=now)
        bring(playlist, track_ids, edit)
    return playlist


def refresh(edit: Edit) -> tuple[Playlist, list[Item]]:
    """Add to the end what the rule chooses now and never brought before; the new items. Nothing else is touched.

    Raises NoRule, RuleTooWide, PlaylistFull, PlaylistNotFound or PlaylistChanged.
    """
    rule = Rule.objects.filter(pk__in=Playlist.objects.filter(pk=edit.playlist_id).values("curation__rule")).first()
    if rule is None:
        raise NoRule("no rule made this list")
    track_ids = chosen(rule, at=edit.now)  # before any row is locked: this may take seconds
    with transaction.atomic():
        playlist = opened(edit)
        there = set(Item.objects.filter(playlist=playlist).values_list("track_id", flat=True))
        known = there.union(playlist.curation.brought)
        return playlist, bring(playlist, [each for each in track_ids if each not in known], edit)


def bring(playlist: Playlist, track_ids: Sequence[int], edit: Edit) -> list[Item]:
    """Tracks of the rule to the end of a draft that the caller holds."""
    items = put(playlist, track_ids, before=None, now=edit.now)
    playlist.curation.brought = [*playlist.curation.brought, *track_ids]
    kept(playlist, edit)
    return items
