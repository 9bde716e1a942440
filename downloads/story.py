"""What support reads about a listener's purchases and locker."""

from __future__ import annotations

from accounts.models import Listener
from desk.cells import Table, minutes, moment
from desk.story import LATEST, chapter
from downloads.desk.lines import differences_table, purchases_table
from downloads.models import LockerTrack, Purchase


@chapter("Purchases", model="downloads.Purchase", place=52)
def purchases(listener: Listener) -> Table:
    own = Purchase.objects.filter(listener=listener).select_related("refund").order_by("-paid_at", "-pk")
    return purchases_table(own[:LATEST])


@chapter("The locker", model="downloads.LockerTrack", place=53)
def locker(listener: Listener) -> Table:
    held = LockerTrack.objects.filter(release__listener=listener).select_related("release")
    return Table(
        headers=["bought", "title", "artist", "release", "length", "downloads left", "read"],
        rows=[
            [
                moment(each.purchased_at), each.title, each.artist_name, each.release.title,
                minutes(each.duration_seconds),
                "–" if each.remaining_downloads is None else each.remaining_downloads, moment(each.read_at),
            ]
            for each in held.order_by("-purchased_at", "disc_number", "track_number", "pk")[:LATEST]
        ],
    )  # fmt: skip


@chapter("Where the locker and the platform’s differ", model="downloads.LockerTrack", place=54)
def differences(listener: Listener) -> Table:
    own = LockerTrack.objects.filter(release__listener=listener).differing()
    return differences_table(own.select_related("release", "purchase").order_by("title", "pk")[:LATEST])
