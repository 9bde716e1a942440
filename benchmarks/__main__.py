"""`make bench`: each hot path and its ceiling, side by side in one run."""

from __future__ import annotations

import sys

from benchmarks import stand


def main() -> int:
    with stand.engines():
        where = f"granian, {stand.WORKERS} processes × 4 threads; durable PostgreSQL; all on one machine"
        print(f"\n  {where}\n")
        tokens, tracks = stand.fill()
        from benchmarks import plays, streams

        held = [streams.measure(tokens, tracks), plays.measure(tokens, tracks)]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
