"""What is sold: a release or a track, as the mirror has it on the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from catalogue.models import Release
from catalogue.reading import tracks_on
from catalogue.rules import Use
from catalogue.shapes import Ear, verdict_on


class NotForSale(Exception):
    """Why a release or track cannot be sold there and then; `code` is the guides' number."""

    def __init__(self, detail: str, *, code: int) -> None:
        super().__init__(detail)
        self.detail, self.code = detail, code


@dataclass(frozen=True, kw_only=True)
class Item:
    """The names and codes under which something is sold: the fields of a Purchase."""

    title: str
    version: str
    artist_name: str
    release_title: str
    label: str
    licensor_id: int | None
    isrc: str
    upc: str


def item_for_sale(*, release_id: int, track_id: int | None, country: str, at: datetime) -> Item:
    """What a purchase of a track, or of the whole release without one, is of.

    A release is for sale where any of its tracks is: which of them it delivers is the platform's business.
    Raises NotForSale. (Download guide §3, `releaseId` and `trackId`)
    """
    release = Release.objects.told().filter(pk=release_id).first()
    if release is None or release.artist is None:
        raise NotForSale(f"there is no release {release_id}", code=2001)
    on_it = tracks_on(release_id, country=country)
    wanted = [track for track in on_it if track_id in {None, track.id}]
    if not wanted and track_id is not None and release.taken_down_at is None:
        raise NotForSale(f"track {track_id} is not on release {release_id}", code=2001)
    ear = Ear(country=country, explicit_filter=False, at=at)
    refused = [verdict.failed for track in wanted if (verdict := verdict_on(track, ear, use=Use.DOWNLOAD)).failed]
    if len(refused) == len(wanted):
        why = refused[0].detail if refused and refused[0] else "the release must not have been taken down"
        raise NotForSale(f"it cannot be downloaded there and then: {why}", code=2002)
    track = wanted[0] if track_id is not None else None
    return Item(
        title=track.title if track else release.title,
        version=track.subtitle if track else release.subtitle,
        artist_name=track.artist_name if track else release.artist.name,
        release_title=release.title,
        label=release.label,
        licensor_id=release.licensor_id,
        isrc=track.isrc if track else "",
        upc=release.upc,
    )
