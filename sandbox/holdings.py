"""What users own: each track once for every sale that brought it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from sandbox.audio import library
from sandbox.events import PACKAGES
from sandbox.models import Sale, Track

FORMATS: Final[dict[int, tuple[int, ...]]] = {package["id"]: tuple(package["formats"]) for package in PACKAGES}
BEST_FIRST: Final = (45, 17, 33)  # "the best quality available", of the formats that packages hold


@dataclass(frozen=True)
class Holding:
    """A track, and a sale by which it is owned."""

    sale: Sale
    track: Track

    @property
    def formats(self) -> list[int]:
        """The formats of the package that was bought, as far as they can be made here."""
        return [number for number in FORMATS[self.sale.package_id] if library.can_make(self.track, number)]

    @property
    def best(self) -> int | None:
        return next((number for number in BEST_FIRST if number in self.formats), None)

    @property
    def remaining(self) -> int:
        """Downloads that are left."""
        times: int = self.sale.fetched.get(str(self.track.pk), 0)
        return max(0, settings.DOWNLOADS - times)


def standing(sales: QuerySet[Sale]) -> QuerySet[Sale]:
    """Those that were not refunded, oldest first."""
    return sales.filter(refunded_at=None).order_by("id")


def holdings(sales: QuerySet[Sale]) -> Iterator[Holding]:
    """The tracks of these sales, in their releases' order."""
    tracks = ("release__tracks__artist", "release__tracks__release__artist")
    for sale in sales.select_related("user", "release").prefetch_related(*tracks):
        for track in sale.release.tracks.all():
            if sale.track_id in (None, track.pk):
                yield Holding(sale, track)
