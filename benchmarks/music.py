"""Stream every track of a folder through a running service and compare the bytes with the files.

`MUSIC=/path make run` in one terminal, `python -m benchmarks.music /path` in another.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

SUFFIXES = {".mp3", ".ogg", ".flac", ".m4a"}


def main(folder: Path) -> int:
    sources = {digest(path.read_bytes()): path.name for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES}
    began = time.monotonic()
    streamed = heard()
    took = time.monotonic() - began
    strange = [title for title, audio in streamed if digest(audio) not in sources]
    missed = set(sources) - {digest(audio) for _, audio in streamed}
    size = sum(len(audio) for _, audio in streamed)
    print(f"{len(sources)} files · {len(streamed)} tracks streamed, {size:,} bytes in {took:.1f} s")
    print(
        f"{len(streamed) - len(strange)} byte for byte as their file, {len(strange)} not; {len(missed)} files not heard"
    )
    for name in [*strange, *sorted(sources[one] for one in missed)]:
        print(f"  {name}")
    return 1 if strange or missed else 0


def heard() -> list[tuple[str, bytes]]:
    """A new subscriber plays every playable track on the shelves: titles and audio."""
    from django.conf import settings

    from config.journey import Journey

    journey = Journey(
        web=f"http://127.0.0.1:{settings.PORT}",
        sandbox=f"http://127.0.0.1:{settings.SANDBOX_PORT}",
        secret=settings.BILLING_STANDARD_SECRETS[0],
    )
    for _, step in list(journey.steps())[:6]:  # up to the platform knowing the subscription
        step()
    releases = [one for one in journey.control("GET", "shelves")["releases"] if journey.is_playable(one)]
    audio = []
    for track in [track for release in releases for track in release["tracks"]]:
        journey.seen.track = track
        journey.until(lambda: journey.api("GET", journey.track_path()).ok, f"{track['title']} is not in the mirror")
        audio.append((track["title"], journey.stream("phone")[1].content))
    return audio


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
