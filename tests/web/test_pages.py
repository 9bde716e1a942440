"""Lists by cursor: every row once, however many stand at one place."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Listener
from tests.helpers import Api, expect_problem
from usage.models import Play

pytestmark = pytest.mark.django_db
MANY = 1_250  # DRF's own cursors begin again after a thousand


def test_more_rows_at_one_place_than_anybody_thought_of(api: Callable[[Listener], Api], listener: Listener) -> None:
    """As the releases of a big Friday."""
    at = timezone.now()
    Play.objects.bulk_create(
        Play(
            listener=listener, play_id=uuid4(), track_id=1, release_id=1, format_id=26, played_at=at, seconds_played=30,
            mode="online", country="GB", user_agent="x",
        )
        for _ in range(MANY)
    )  # fmt: skip
    phone, seen, path = api(listener), [], "plays?limit=100"

    while path:
        page = json.loads(phone.get(path).content)
        seen += [each["play_id"] for each in page["results"]]
        path = (page["next"] or "").partition("/api/v1/")[2]

    assert (len(seen), len(set(seen))) == (MANY, MANY)


@pytest.mark.parametrize("cursor", ["%00", "AAAA", "Zm9v", "cD0", "bz0w", "x", "bz0tMQ%3D%3D"])
@pytest.mark.parametrize("path", ["plays", "purchases", "playlists", "devices"])
def test_a_cursor_that_is_none_of_ours_is_refused(
    api: Callable[[Listener], Api], listener: Listener, path: str, cursor: str
) -> None:
    expect_problem(api(listener).get(f"{path}?cursor={cursor}"), 400, "invalid_parameter")
