"""`manage.py import_popularity FILE …`: rank search by the platform's popularity files."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalogue.popularity import Imported, import_popularity
from massivemusic.popularity import NotAPopularityFile, read_popularity


class Command(BaseCommand):
    help = "Takes popularity files of the platform (JSON, perhaps gzipped), one after the other."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--scores", action="store_true", help="searchRank is higher for what is more popular")
        parser.add_argument("--whole", action="store_true", help="what a file does not name loses its popularity")

    def handle(self, *args: Any, files: list[Path], scores: bool, whole: bool, **options: Any) -> None:
        for path in files:
            began = time.monotonic()
            try:
                with opened(path) as file:
                    imported = import_popularity(read_popularity(file), scores=scores, whole=whole)
            except (NotAPopularityFile, OSError, EOFError, zlib.error) as error:
                raise CommandError(f"{path}: {error}; nothing of it was taken") from error
            self.tell(path, imported, time.monotonic() - began)

    def tell(self, path: Path, imported: Imported, seconds: float) -> None:
        self.stdout.write(f"{path}, {seconds:.1f} s")
        for kind, named in imported.named.items():
            known, changed = imported.known[kind], imported.changed[kind]
            self.stdout.write(f"  {named:,} {kind}(s) named: {known:,} in the mirror, {changed:,} changed")
        for reason, count in imported.odd.most_common():
            first = imported.first_odd[reason]
            self.stderr.write(f"  {count:,} item(s) passed over, the first at {first}: {reason}")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, unpacked where it is gzipped."""
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if gzipped else file
