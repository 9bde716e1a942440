"""What the tests of billing start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from billing.providers.play import keys_at, play_at
from billing.simulators.google import Books, books_open
from tests.billing.google import free_port


@pytest.fixture
def google_address(settings: Settings) -> str:
    """Where Google would be, if somebody opened its books."""
    keys_at.cache_clear()
    play_at.cache_clear()
    url = f"http://127.0.0.1:{free_port()}"
    settings.GOOGLE_PLAY_URL, settings.GOOGLE_TOKEN_URL, settings.GOOGLE_KEYS_URL = url, f"{url}/token", f"{url}/keys"
    return url


@pytest.fixture
def books(google_address: str) -> Iterator[Books]:
    """Google's books, open and empty."""
    with books_open() as books:
        yield books
