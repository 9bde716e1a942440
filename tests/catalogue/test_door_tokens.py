"""Of everything that knocks, only what the platform signed a moment ago gets in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from catalogue.models import CatalogueEvent
from tests.catalogue.conftest import Door, know
from tests.helpers import expect_problem, release_event
from tests.massivemusic import forge

pytestmark = pytest.mark.django_db
NOW = int(time.time())


@pytest.fixture(scope="module")
def tried() -> dict[str, tuple[str, str | None]]:
    return forge.the_44(int(time.time()))


@pytest.mark.parametrize("name", forge.the_44(NOW))
def test_lets_the_benign_in_and_nobody_else(door: Door, tried: dict[str, tuple[str, str | None]], name: str) -> None:
    header, reason = tried[name]

    response = door.post([release_event()], token=header)

    if reason is None:
        assert response.status_code == 202, response.content
    else:
        assert reason in expect_problem(response, 401, "not_authenticated")["detail"]
    assert CatalogueEvent.objects.count() == (reason is None)


@pytest.mark.parametrize(("seconds", "status"), [(1, 202), (300, 202), (330, 202), (331, 401), (86_400, 401)])
def test_a_token_lives_330_seconds_at_most(door: Door, seconds: int, status: int) -> None:
    now = int(time.time())

    token = forge.token({"iat": now, "exp": now + seconds})

    assert door.post([release_event()], token=token).status_code == status


@pytest.mark.parametrize(("size", "status"), [(8192, 202), (8193, 401)])
def test_its_header_has_8_kib_at_most(door: Door, size: int, status: int) -> None:
    token = forge.token(forge.fresh(int(time.time()), x="y" * 5000))
    header = "Bearer".ljust(size - len(token)) + token
    assert len(header) == size

    assert door.post([release_event()], token=header).status_code == status


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer ", "BEARER  "])
def test_the_word_bearer_may_be_missing(door: Door, scheme: str) -> None:
    assert door.post([release_event()], token=scheme + forge.single(int(time.time()))).status_code == 202


def test_nobody_gets_in_without_a_token_or_without_a_key(door: Door, settings: Settings, tmp_path: Path) -> None:
    expect_problem(door.post([release_event()], token=""), 401, "not_authenticated")
    know(settings, tmp_path)
    expect_problem(door.post([release_event()]), 401, "not_authenticated")


def test_two_keys_hold_until_one_is_withdrawn(door: Door, settings: Settings, tmp_path: Path) -> None:
    now = int(time.time())
    old, new = (forge.token(forge.fresh(now), key=key) for key in (forge.KEY, forge.OTHER))

    def status(token: str) -> int:
        return door.post([release_event()], token=token).status_code

    know(settings, tmp_path, forge.KEY)
    assert (status(old), status(new)) == (202, 401)
    know(settings, tmp_path, forge.KEY, forge.OTHER)
    assert (status(old), status(new)) == (202, 202)
    know(settings, tmp_path, forge.OTHER)
    assert (status(old), status(new)) == (401, 202)
