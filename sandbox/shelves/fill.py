"""Putting cards onto the shelves, and taking releases down from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Max, Q

from sandbox.models import Artist, Label, Note, Release, Track
from sandbox.shelves.cards import ReleaseCard

FIRST_VERSION: Final = 638_400
STEP: Final = 100  # leaves room for the older snapshots that `publish` can invent
FILLED: Final = "filled_from"  # the note that remembers from what


def filled_from() -> str:
    """The fingerprint of what the shelves were last filled from, empty before the first time."""
    return Note.objects.filter(name=FILLED).values_list("value", flat=True).first() or ""


@transaction.atomic
def fill(cards: Sequence[ReleaseCard], *, fingerprint: str) -> int:
    """Make the shelves hold exactly these releases; returns how many changed.

    A release that is new, looks different or comes back gets a higher version. One that is gone is
    not forgotten but taken down, so that whoever mirrors the shelves can be told; plays of its
    tracks are still accepted.
    """
    stored = Release.objects.in_bulk()
    changed = [card for card in cards if not _stands(card, stored.get(card.id))]
    _write_makers(cards)
    versions = _versions(len(changed))
    releases = [_release(card, version) for card, version in zip(changed, versions, strict=True)]
    columns = [column.name for column in Release._meta.concrete_fields if not column.primary_key]
    Release.objects.bulk_create(releases, update_conflicts=True, unique_fields=["id"], update_fields=columns)
    _write_tracks(changed)
    gone = set(stored) - {card.id for card in cards}
    for release in Release.objects.filter(pk__in=gone, taken_down=False):
        take_down(release)
    Note.objects.update_or_create(name=FILLED, defaults={"value": fingerprint})
    return len(changed)


@transaction.atomic
def take_down(release: Release) -> None:
    """Stop streaming a release and give it a new version. Taking it down twice changes nothing more."""
    Release.objects.filter(pk=release.pk, taken_down=False).update(taken_down=True, version=_versions(1)[0])
    release.refresh_from_db()


@transaction.atomic
def revive(release: Release) -> None:
    """Bring a release back, with a new version."""
    Release.objects.filter(pk=release.pk, taken_down=True).update(taken_down=False, version=_versions(1)[0])
    release.refresh_from_db()


def _stands(card: ReleaseCard, release: Release | None) -> bool:
    """Whether a release is on the shelves as its card says."""
    return release is not None and (release.digest, release.taken_down) == (card.digest(), card.taken_down)


def _versions(count: int) -> list[int]:
    """The next versions. One counter serves all releases; whoever draws from it holds its row to the commit."""
    Note.objects.get_or_create(name="version", defaults={"value": FIRST_VERSION})
    note = Note.objects.select_for_update().get(name="version")
    highest = max(int(note.value), Release.objects.aggregate(highest=Max("version"))["highest"] or 0)
    versions = [highest + STEP * (number + 1) for number in range(count)]
    note.value = highest + STEP * count
    note.save()
    return versions


def _write_makers(cards: Iterable[ReleaseCard]) -> None:
    makers = {card.artist for card in cards} | {track.artist for card in cards for track in card.tracks}
    artists = [Artist(id=maker.id, name=maker.name) for maker in makers]
    Artist.objects.bulk_create(artists, update_conflicts=True, unique_fields=["id"], update_fields=["name"])
    labels = {card.label.id: card for card in cards}
    rows = [
        Label(id=number, name=card.label.name, licensor_id=card.licensor.id, licensor_name=card.licensor.name)
        for number, card in labels.items()
    ]
    columns = ["name", "licensor_id", "licensor_name"]
    Label.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=columns)


def _release(card: ReleaseCard, version: int) -> Release:
    return Release(
        id=card.id,
        version=version,
        digest=card.digest(),
        artist_id=card.artist.id,
        label_id=card.label.id,
        title=card.title,
        subtitle=card.subtitle,
        kind=card.kind,
        genre=card.genre,
        upc=card.upc,
        released_at=card.released_at,
        territories=list(card.territories),
        streams_from=card.streams_from,
        downloads_from=card.downloads_from,
        cover=card.cover,
        taken_down=card.taken_down,
    )


def _write_tracks(changed: Sequence[ReleaseCard]) -> None:
    """Replace the tracks of these releases, also where a track has moved from one release to another."""
    ids = [track.id for card in changed for track in card.tracks]
    Track.objects.filter(Q(release_id__in=[card.id for card in changed]) | Q(id__in=ids)).delete()
    rows = [
        Track(
            id=track.id,
            release_id=card.id,
            artist_id=track.artist.id,
            isrc=track.isrc,
            title=track.title,
            subtitle=track.subtitle,
            disc_number=track.disc_number,
            track_number=track.track_number,
            seconds=track.seconds,
            explicit=track.explicit,
            source=track.source,
        )
        for card in changed
        for track in card.tracks
    ]
    Track.objects.bulk_create(rows, batch_size=2000)
