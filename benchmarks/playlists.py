"""Long playlists: a page of one, and a move within it. `python -m benchmarks.playlists`."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from typing import Any, Final

from benchmarks import load, stand
from benchmarks.report import table, target

ITEMS, PAGE, CONNECTIONS, SECONDS = 10_000, 100, 8, 6.0
LISTS: Final = 20  # of as many listeners


def main() -> int:
    with stand.engines():
        tokens, tracks = stand.fill()
        lists = [fill(number, tracks) for number in range(LISTS)]
        with stand.server() as (port, _):
            load.warm(port, reads(tokens, lists), connections=CONNECTIONS)
            pages = load.run(port, reads(tokens, lists), connections=CONNECTIONS, seconds=SECONDS)
            assert set(pages.statuses) == {200}, pages.statuses
            moved = load.run(port, moves(tokens, lists), connections=1, seconds=SECONDS)
            assert set(moved.statuses) == {200}, moved.statuses
    rows = [
        [f"{PAGE} items of {ITEMS:,}, {CONNECTIONS} connections", *figures(pages)],
        [f"one item moved among {ITEMS:,}, 1 connection", *figures(moved)],
    ]
    table("playlists", ["", "requests/s", "p50 ms", "p99 ms"], rows)
    held = [
        target("a page, p99 in ms", pages.percentile(0.99) * 1000, 40, at_most=True),
        target("a move, p99 in ms", moved.percentile(0.99) * 1000, 20, at_most=True),
    ]
    return 0 if all(held) else 1


def figures(result: load.Result) -> list[str]:
    return [f"{result.rate:,.0f}", *(f"{result.percentile(share) * 1000:.1f}" for share in (0.5, 0.99))]


def fill(number: int, tracks: Sequence[int]) -> tuple[str, list[str]]:
    """A listener's long playlist, and its items in order."""
    from accounts.models import Listener
    from playlists.models import Item, Playlist
    from playlists.ordering import GAP

    owner = Listener.objects.order_by("pk")[number]
    playlist = Playlist.objects.create(owner=owner, name=f"long {number}", track_count=ITEMS)
    items = Item.objects.bulk_create(
        Item(playlist=playlist, track_id=random.choice(tracks), position=GAP * (place + 1)) for place in range(ITEMS)
    )
    return str(playlist.pk), [str(item.pk) for item in items]


def reads(tokens: Sequence[str], lists: Sequence[tuple[str, list[str]]]) -> list[bytes]:
    """The first page of each list, and one further down."""
    owners = token_of(tokens)
    paths = [f"/api/v1/playlists/{playlist}/items?limit={PAGE}" for playlist, _ in lists]
    return [load.request("GET", path, token=owners[number]) for number, path in enumerate(paths)]


def moves(tokens: Sequence[str], lists: Sequence[tuple[str, list[str]]]) -> list[bytes]:
    """Any item in front of any other."""
    owners, messages = token_of(tokens), []
    for _ in range(5000):
        number = random.randrange(LISTS)
        playlist, items = lists[number]
        one, other = random.sample(items, 2)
        wish: dict[str, Any] = {"item_ids": [one], "before": other}
        messages.append(
            load.request(
                "POST", f"/api/v1/playlists/{playlist}/items/move", token=owners[number],
                body=json.dumps(wish).encode(), headers="If-Match: *",
            )
        )  # fmt: skip
    return messages


def token_of(tokens: Sequence[str]) -> list[str]:
    """The tokens of the lists' owners, in their order."""
    import jwt

    from accounts.models import Listener

    by_user = {str(jwt.decode(token, options={"verify_signature": False})["sub"]): token for token in tokens}
    return [by_user[str(owner.user_id)] for owner in Listener.objects.order_by("pk")[:LISTS]]


if __name__ == "__main__":
    sys.exit(main())
