"""The admin on a large catalogue: every list, and what rules choose. `python -m benchmarks.desk [releases]`."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from benchmarks import applying, mirror, stand
from benchmarks.catalogue import RELEASES, rank
from benchmarks.report import table, target

TIMES: Final = 3  # each is asked, of which the slowest counts
SEARCHES: Final = ["tide", "777", "listener1@example.org", "00000000-0000-0000-0000-000000000007"]
SHOWN: Final = 12  # rows of the table, the slowest
GENRES: Final = ["Pop", "Folk", "Jazz", "Rock", "Soul", "Dub", "House", "Techno", "Funk", "Blues"]
SPREAD: Final = """
    UPDATE catalogue_release
       SET genres = ARRAY[CASE WHEN id %% 1000 = 0 THEN 'Rare' ELSE (%(genres)s::text[])[1 + n * 7919 %% 10] END],
           label = 'Label ' || n * 31 %% 3000, release_date = now() - (n * 104729 %% 7300) * interval '1 day'
      FROM (SELECT id AS number, id::bigint AS n FROM catalogue_release) spread WHERE number = id
"""
CAPS: Final = {"count": 500, "most_of_artist": 1, "most_of_release": 1}
RULES: Final[dict[str, dict[str, Any]]] = {
    "the most popular": {"markets": ["GB", "DE"]},
    "500 of as many artists": CAPS | {"markets": ["GB"]},
    "500 of as many artists, at random": CAPS | {"markets": ["GB"], "order": "RANDOM"},
    "at random": {"order": "RANDOM"},
    "a genre, two of each artist": {"genres": ["Folk"], "markets": ["GB"], "most_of_artist": 2},
    "a rare genre": {"genres": ["Rare"], "markets": ["GB"]},
    "a label, the newest": {"labels": ["Label 7"], "order": "NEWEST"},
    "of the last 30 days": {"within_days": 30, "markets": ["GB"], "most_of_artist": 1},
    "explicit, of which there is none": {"explicit": "YES"},
}


def main(releases: int) -> int:
    with stand.engines():
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        random.seed(7)
        words = mirror.vocabulary()
        stand.tokens()
        applying.Applying(words).apply("new", range(1, releases + 1), version=1)
        spread()
        rank(releases * mirror.TRACKS)
        held = [lists(), rules()]
    return 0 if all(held) else 1


def spread() -> None:
    """Give the releases genres, labels and dates of many kinds."""
    from django.db import connection

    with connection.unhurried(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(SPREAD, {"genres": GENRES})
        cursor.execute("VACUUM ANALYZE")


def lists() -> bool:
    """Every list of the admin: as it opens, searched, filtered, and both."""
    from django.test import Client
    from django.test.utils import setup_test_environment

    from accounts.models import User

    setup_test_environment()
    client = Client()
    client.force_login(User.objects.create_superuser("boss@example.org", "correct horse"))
    took = {address: slowest(lambda address=address: opened(client, address)) for address in addresses(client)}
    worst = sorted(took.items(), key=lambda each: -each[1])
    rows = [[address.removeprefix("/admin/"), f"{seconds * 1000:.0f}"] for address, seconds in worst[:SHOWN]]
    table(f"{len(took)} addresses of the admin's lists, the slowest", ["", "ms"], rows)
    return target("the slowest list", worst[0][1] * 1000, 500, at_most=True, unit=" ms")


def addresses(client: Any) -> Iterator[str]:
    from django.contrib import admin
    from django.urls import reverse

    for model in admin.site._registry:
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        shown = opened(client, page).context["cl"]
        choices = [each["query_string"].lstrip("?") for spec in shown.filter_specs for each in spec.choices(shown)]
        searches = [f"q={text}" for text in SEARCHES]
        both = [f"{search}&{choice}" for search in searches for choice in choices[1:2]]
        yield from (f"{page}?{query}" for query in ["", *searches, *choices, *both])


def opened(client: Any, address: str) -> Any:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer


def rules() -> bool:
    from django.utils import timezone

    from playlists.choosing import chosen
    from playlists.models import Rule

    now = timezone.now()
    wished = {name: Rule(name=name, **facts) for name, facts in RULES.items()}
    took = {name: slowest(lambda rule=rule: chosen(rule, at=now)) for name, rule in wished.items()}
    rows = [[name, str(len(chosen(wished[name], at=now))), f"{seconds * 1000:.0f}"] for name, seconds in took.items()]
    table("what rules choose", ["", "tracks", "ms"], rows)
    return target("the slowest rule", max(took.values()) * 1000, 1000, at_most=True, unit=" ms")


def slowest(ask: Callable[[], Any]) -> float:
    """Seconds."""
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return max(times)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RELEASES))
