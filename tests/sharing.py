"""A pytest plugin: how several workers share the tests.

Modules stay whole. Of those that run a whole service, with all its processes, one runs at a time, on one worker,
while the others do the rest: two services on one machine would wait for each other, and their tests for both.
They are begun first, because they wait more than they work. Of tests with one id workers would run a single one:
so there are none.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pytest

HOUSES: Final = ("tests/journeys/", "tests/listen/", "tests/playlists/pages/")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name_whole(item)
        if "house" in getattr(item, "fixturenames", ()) and not item.nodeid.startswith(HOUSES):
            raise pytest.UsageError(f"{item.nodeid} runs a whole service: its module belongs to HOUSES")
    if twice := [id_ for id_, count in Counter(item.nodeid for item in items).items() if count > 1]:
        raise pytest.UsageError(f"several tests have the id {', '.join(twice)}")
    items.sort(key=lambda item: not item.nodeid.startswith(HOUSES))


def name_whole(item: Any) -> None:
    """Put the operation back into the id of a test made by schemathesis: pytest 9.2 leaves it out."""
    if not item.nodeid.endswith(item.name):
        item._id = item.parent.id.child(item.name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class OneHouse(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "a house" if nodeid.startswith(HOUSES) else super()._split_scope(nodeid)

    return OneHouse(config, log)
