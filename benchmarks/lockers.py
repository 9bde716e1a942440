"""A page of a long locker. `python -m benchmarks.lockers`."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from benchmarks import load, stand
from benchmarks.playlists import token_of
from benchmarks.report import table, target

ITEMS, CONNECTIONS, SECONDS = 5_000, 8, 6.0
LOCKERS: Final = 20  # of as many listeners
SORTS: Final = ("releaseTitle asc", "purchaseDate desc", "artistName asc")


def main() -> int:
    with stand.engines():
        tokens, _ = stand.fill()
        for number in range(LOCKERS):
            fill(number)
        with stand.server() as (port, _):
            load.warm(port, reads(tokens), connections=CONNECTIONS)
            pages = load.run(port, reads(tokens), connections=CONNECTIONS, seconds=SECONDS)
            assert set(pages.statuses) == {200}, pages.statuses
            bare = load.run(port, config(tokens), connections=CONNECTIONS, seconds=SECONDS)
    rows = [
        [f"10 of {ITEMS:,} releases, {CONNECTIONS} connections", *figures(pages), f"{pages.rate / bare.rate:.2f}"],
        ["a view that reads nothing", *figures(bare), "1"],
    ]
    table("lockers", ["", "requests/s", "p50 ms", "p99 ms", "of the bare view"], rows)
    return 0 if target("a page, p99 in ms", pages.percentile(0.99) * 1000, 40, at_most=True) else 1


def figures(result: load.Result) -> list[str]:
    return [f"{result.rate:,.0f}", *(f"{result.percentile(share) * 1000:.1f}" for share in (0.5, 0.99))]


def fill(number: int) -> None:
    """A listener's long locker: a track of each release."""
    from django.utils import timezone

    from accounts.models import Listener
    from downloads.models import LockerRelease, LockerTrack

    owner, now = Listener.objects.order_by("pk")[number], timezone.now()
    releases = LockerRelease.objects.bulk_create(
        LockerRelease(
            listener=owner, release_id=place + 1, title=f"Release {random.random()}",
            artist_name=f"Artist {place % 97}",
            purchased_at=now - timedelta(minutes=place),
        )
        for place in range(ITEMS)
    )  # fmt: skip
    LockerTrack.objects.bulk_create(
        LockerTrack(
            release=release, platform_id=release.release_id, track_id=release.release_id, title="Song",
            artist_name=release.artist_name, whole_release=True, purchased_at=release.purchased_at, formats=[17, 33],
            read_at=now, there=True,
        )
        for release in releases
    )  # fmt: skip


def reads(tokens: Sequence[str]) -> list[bytes]:
    """Pages all over, in every order."""
    paths = [f"/api/v1/locker?page={random.randint(1, ITEMS // 10)}&sort={sort}".replace(" ", "%20") for sort in SORTS]
    return [load.request("GET", path, token=token) for token in token_of(tokens)[:LOCKERS] for path in paths]


def config(tokens: Sequence[str]) -> list[bytes]:
    return [load.request("GET", "/api/v1/config", token=token) for token in tokens[:LOCKERS]]


if __name__ == "__main__":
    sys.exit(main())
