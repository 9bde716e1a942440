"""What a playlist may be. Pure."""

from __future__ import annotations

from typing import Final

from kernel.errors import Kind, Refusal

NAME_LIMIT: Final = 200
DESCRIPTION_LIMIT: Final = 500  # the platform cuts what is longer
NOTE_LIMIT: Final = 500  # what editors say of a proposal or a publication
ITEMS_LIMIT: Final = 10_000
PLAYLISTS_LIMIT: Final = 1_000  # of one listener
CHOSEN_LIMIT: Final = 500  # tracks that a rule chooses
AT_ONCE: Final = 1_000  # items added or moved in one call


class PlaylistNotFound(Refusal):
    """There is no such playlist, or it is nobody's business."""

    code, kind = "playlist_not_found", Kind.NOT_FOUND


class ItemNotFound(Refusal):
    """What is to be moved or removed is not on the playlist. `item_ids` says what, of several."""

    code, kind = "item_not_found", Kind.NOT_FOUND


class PlaylistChanged(Refusal):
    """Somebody has changed the playlist since the caller read it. `current` is how it stands now."""

    code, kind = "playlist_changed", Kind.PRECONDITION


class PlaylistFull(Refusal):
    """It would hold more than `limit` tracks."""

    code, kind = "playlist_full", Kind.CONFLICT


class TooManyPlaylists(Refusal):
    """The listener has `limit` playlists already."""

    code, kind = "too_many_playlists", Kind.CONFLICT


class PlaceChanged(Refusal):
    """Another track stands in that place by now, or none. Nothing was done there."""

    code, kind = "place_changed", Kind.CONFLICT


class RevisionNotFound(Refusal):
    """The curated playlist has no revision of that number."""

    code, kind = "revision_not_found", Kind.NOT_FOUND


class NothingToPublish(Refusal):
    """A draft without tracks is published to nobody."""

    code, kind = "playlist_empty", Kind.CONFLICT


class TracksGone(Refusal):
    """Tracks of the draft have been taken down. `item_ids` says which: they must go first."""

    code, kind = "tracks_gone", Kind.CONFLICT


class NotLive(Refusal):
    """There is nothing to end: no revision is live, and none waits."""

    code, kind = "not_live", Kind.CONFLICT


class PictureRefused(Refusal):
    """A cover that is no picture we take."""

    code, kind = "picture_refused", Kind.INVALID


class RuleTooWide(Refusal):
    """Choosing by a rule took longer than anybody waits for a page."""

    code, kind = "rule_too_wide", Kind.CONFLICT


class NoRule(Refusal):
    """The draft was made by no rule, or its rule is gone."""

    code, kind = "no_rule", Kind.CONFLICT
