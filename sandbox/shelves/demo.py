"""The demo label, read from `label.toml`: the same ids, codes and lengths on every machine."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from sandbox.audio.score import seconds_for
from sandbox.countries import WORLD
from sandbox.shelves.cards import Maker, ReleaseCard, TrackCard, check_digit

LABEL: Final = Path(__file__).with_name("label.toml")
PRE_RELEASE: Final = timedelta(days=30)


def cards(*, now: datetime) -> Iterator[ReleaseCard]:
    """All releases. `now` is the day the one to come is counted from."""
    tree = tomllib.loads(LABEL.read_text(encoding="utf-8"))
    label = Label(licensors=tree["labels"], now=now)
    for position, artist in enumerate(tree["artist"]):
        maker = Maker(id=501_300 + 17 * position, name=artist["name"])
        for release in artist["release"]:
            yield label.card(maker, artist, release)


@dataclass(kw_only=True)
class Label:
    """Deals out ids and codes in the order of the file."""

    licensors: dict[str, str]
    now: datetime
    releases: int = 0
    tracks: int = 0
    makers: dict[str, Maker] = field(default_factory=dict)

    def card(self, artist: Maker, about: dict[str, Any], release: dict[str, Any]) -> ReleaseCard:
        self.releases += 1
        starts = datetime.combine(release["date"], time(), UTC)
        if release.get("state") == "pre_release":
            starts = self.now + PRE_RELEASE
        return ReleaseCard(
            id=7_204_100 + 37 * self.releases,
            artist=artist,
            label=self.maker(about["label"], base=3_100),
            licensor=self.maker(self.licensors[about["label"]], base=40),
            title=release["title"],
            subtitle=release.get("subtitle", ""),
            kind=release["kind"],
            genre=about["genre"],
            upc=self.upc(),
            released_at=starts,
            territories=tuple(release["territories"].split()) if "territories" in release else WORLD,
            streams_from=None if release.get("use") == "download" else starts,
            downloads_from=starts,
            taken_down=release.get("state") == "taken_down",
            tracks=tuple(self.track_cards(artist, release)),
        )

    def track_cards(self, artist: Maker, release: dict[str, Any]) -> Iterator[TrackCard]:
        for number, title in enumerate(release["tracks"], start=1):
            self.tracks += 1
            track_id = 81_350_200 + 11 * self.tracks
            yield TrackCard(
                id=track_id,
                artist=artist,
                title=title,
                isrc=f"GBQQQ{release['date']:%y}{self.tracks:05}",
                track_number=number,
                seconds=float(seconds_for(track_id)),
                explicit=number in release.get("explicit", ()),
            )

    def maker(self, name: str, *, base: int) -> Maker:
        """A label or a licensor, by its name."""
        return self.makers.setdefault(f"{base} {name}", Maker(id=base + len(self.makers), name=name))

    def upc(self) -> str:
        """An EAN-13 from 952, the range GS1 keeps for demonstrations."""
        digits = f"9520000{self.releases:05}"
        return digits + check_digit(digits)


def fingerprint() -> str:
    """Changes when the label does."""
    return "demo " + hashlib.sha256(LABEL.read_bytes()).hexdigest()
