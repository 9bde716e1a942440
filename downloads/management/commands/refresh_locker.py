"""`manage.py refresh_locker LISTENER`: read a listener's locker at the platform, and list what differs from ours."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.finding import named_so
from accounts.models import Listener
from downloads.models import LockerTrack
from downloads.refreshing import refresh_locker
from massivemusic.errors import PlatformError, presentable
from outbox.asking import PlatformUnavailable, asking


class Command(BaseCommand):
    help = "Reads all of a listener's locker at the platform, settles what it can, and lists what differs from ours."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("listener", help="their id, platform id, or e-mail address")

    def handle(self, *args: Any, listener: str, **options: Any) -> None:
        found = Listener.objects.filter(named_so(listener)).first() if "\0" not in listener else None
        if found is None:
            raise CommandError("there is no such listener")
        try:
            with asking() as client:
                refreshed = refresh_locker(client, found)
        except (PlatformError, PlatformUnavailable) as error:
            raise CommandError(f"{error}; nothing was changed") from error
        self.stdout.write(refreshed.told)
        mine = LockerTrack.objects.filter(release__listener=found)
        for track in mine.differing().select_related("release", "purchase").order_by("title", "pk"):
            self.stdout.write(told(track))


def told(track: LockerTrack) -> str:
    """A difference in a line."""
    where = f"only here, by {track.purchase.transaction_id}" if track.purchase else "only there"
    what = f"{track.title} by {track.artist_name}, track {track.track_id} on release {track.release.release_id}"
    return presentable(f"{where}: {what}, purchase {track.platform_id}")
