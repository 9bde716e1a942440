"""The page of takedowns over a large catalogue. `python -m benchmarks.takedowns [releases]`."""

from __future__ import annotations

import random
import statistics
import sys
import time
from typing import Any, Final

from benchmarks import mirror, stand
from benchmarks.report import table, target

RELEASES: Final = 100_000
LISTS, LENGTH, TAKEN_DOWN = 500, 100, 200
TIMES: Final = 10


def main(releases: int) -> int:
    with stand.engines():
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        random.seed(7)
        fill(releases)
        seconds = [look() for _ in range(TIMES)]
    median, slowest = statistics.median(seconds) * 1000, max(seconds) * 1000
    what = f"{LISTS * LENGTH:,} places of {releases * mirror.TRACKS:,} tracks, all lists live"
    table("the page of takedowns", ["", "p50 ms", "slowest ms"], [[what, f"{median:.0f}", f"{slowest:.0f}"]])
    return 0 if target("the page, p50 in ms", median, 1000, at_most=True) else 1


def fill(releases: int) -> None:
    """A catalogue, curated playlists from all over it, and some of what is on them taken down."""
    from catalogue.actions import apply_waiting

    words = mirror.vocabulary()
    mirror.store(mirror.releases(range(1, releases + 1), version=1, words=words))
    apply_waiting()
    listed = [made(number, releases * mirror.TRACKS) for number in range(LISTS)]
    gone = {track // mirror.TRACKS for track in random.sample([track for each in listed for track in each], TAKEN_DOWN)}
    mirror.store({"id": release, "version": 2, "takedown": True} for release in sorted(gone))
    apply_waiting()
    vacuum()


def made(number: int, tracks: int) -> list[int]:
    """A list for two countries, live."""
    from django.utils import timezone

    from accounts.models import User
    from playlists.curation import Edit, create_curated, describe, put_tracks
    from playlists.publishing import publish

    by, _ = User.objects.get_or_create(email="bench@example.org", is_staff=True)
    playlist = create_curated(name=f"list {number}", by=by, now=timezone.now())
    edit = Edit(playlist_id=playlist.pk, version=None, by=by, now=timezone.now())
    chosen = random.sample(range(mirror.TRACKS, tracks), LENGTH)
    describe(edit, {"countries": ["GB", "DE"]})
    put_tracks(edit, chosen)
    publish(edit)
    return chosen


def vacuum() -> None:
    """As PostgreSQL does by itself, later."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def look() -> float:
    """The first page, as staff ask for it."""
    from accounts.models import User

    client: Any = staff(User)
    began = time.perf_counter()
    answer = client.get("/admin/takedowns/")
    took = time.perf_counter() - began
    assert answer.status_code == 200, answer.status_code
    assert answer.content.count(b'<article class="card"') > 1
    return took


def staff(users: Any) -> Any:
    from django.test import Client

    client = Client()
    client.force_login(users.objects.get_or_create(email="boss@example.org", is_staff=True, is_superuser=True)[0])
    return client


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RELEASES))
