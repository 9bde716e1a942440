"""A large synthetic catalogue: loading, searching, keeping up. `python -m benchmarks.catalogue [releases]`."""

from __future__ import annotations

import random
import sys
import time

from benchmarks import applying, events, mirror, searching, stand

RELEASES = 100_000


def main(releases: int) -> int:
    with stand.engines():
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        random.seed(7)
        words, tokens = mirror.vocabulary(), stand.tokens()
        load, search = applying.Applying(words), searching.Searching(words, tokens)
        few = releases // 10
        load.apply("new", range(1, few + 1), version=1)
        rank(few * mirror.TRACKS)
        search.measure(few * mirror.TRACKS)
        load.apply("new", range(few + 1, releases + 1), version=1)
        load.apply("changed", range(1, few + 1), version=2)
        load.apply_one_by_one(releases + 1)
        load.copy(releases)
        held = [load.report()]
        rank(releases * mirror.TRACKS)
        search.tokens = stand.fresh_tokens()
        search.measure(releases * mirror.TRACKS)
        held.append(search.report())
        held.append(events.measure(words, stand.fresh_tokens(), 2 * releases))
    return 0 if all(held) else 1


def rank(tracks: int) -> None:
    """Import a popularity file that names every track."""
    from catalogue.popularity import import_popularity

    began = time.perf_counter()
    imported = import_popularity(mirror.popularity(tracks))
    seconds = time.perf_counter() - began
    print(f"  {imported.changed['track']:,} of {tracks:,} tracks' popularity imported in {seconds:.0f} s")
    print()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RELEASES))
