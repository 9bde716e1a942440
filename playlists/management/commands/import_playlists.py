"""`manage.py import_playlists`: the partner's playlists on the platform become curated ones here."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from massivemusic.errors import PlatformError, presentable
from outbox.asking import PlatformUnavailable
from playlists.importing import Imported, Outcome, import_playlists


class Command(BaseCommand):
    help = (
        "Takes over the partner's playlists from the platform, with their tracks. What is here already stays as it is."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        outcomes: Counter[Outcome] = Counter()
        try:
            for imported in import_playlists(now=timezone.now()):
                outcomes[imported.outcome] += 1
                self.tell(imported)
        except (PlatformError, PlatformUnavailable) as error:
            raise CommandError(f"{error}; {summary(outcomes)} before that. Run it again") from error
        self.stdout.write(summary(outcomes))

    def tell(self, imported: Imported) -> None:
        name = presentable(imported.name)
        if imported.outcome is not Outcome.TAKEN:
            self.stdout.write(f"{name}: {imported.outcome}")
            return
        self.stdout.write(f"{name}: {imported.count:,} track(s)")
        for track in imported.unknown:
            what = presentable(f"{track.title} by {track.artist}")
            self.stderr.write(f"  not in the catalogue: {what} ({presentable(track.track_id)})")
        if imported.is_cut:
            self.stderr.write("  it goes on beyond what a playlist may hold; the rest was left out")


def summary(outcomes: Counter[Outcome]) -> str:
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    return told or "no playlist"
