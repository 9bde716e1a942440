"""The platform's side of the catalogue's doors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import Listener
from catalogue import doors
from catalogue.actions import apply_waiting
from catalogue.models import CatalogueEvent
from tests.helpers import Api, token_for
from tests.massivemusic import forge


@dataclass(frozen=True)
class Door:
    """Knocks as the platform does, with a token for each body."""

    api: Api

    def post(self, body: Any, *, kind: str = "standard", token: str | None = None, **headers: str) -> HttpResponse:
        proof = forge.single(int(time.time())) if token is None else token
        return self.api.post(f"/webhooks/catalogue/{kind}", body, Authorization=proof, **headers)

    def keep(self, body: Any, **how: Any) -> CatalogueEvent:
        """Bring a body that is taken; the event it is kept as."""
        response = self.post(body, **how)
        assert response.status_code == 202, response.content
        return CatalogueEvent.objects.get(pk=json.loads(response.content)["event_id"])

    def bring(self, *members: Any, **how: Any) -> CatalogueEvent:
        """The event of these members, once all that waits has been applied."""
        event = self.keep(list(members), **how)
        apply_waiting()
        event.refresh_from_db()
        return event


@pytest.fixture(scope="session")
def caller() -> Client:
    """One for all: a client takes longer to make than a request."""
    return Client()


@pytest.fixture
def phone(caller: Client, listener: Listener) -> Api:
    """A listener's phone."""
    return Api(caller, token=token_for(listener))


@pytest.fixture
def door(caller: Client, settings: Settings, tmp_path: Path) -> Iterator[Door]:
    """The door, knowing the platform's key."""
    know(settings, tmp_path, forge.KEY)
    yield Door(Api(caller, token=None))
    doors.public_keys.cache_clear()


def know(settings: Settings, folder: Path, *keys: Any) -> None:
    """Let the door take the signatures of these keys and of no others."""
    files = [folder / f"{number}.pem" for number, _ in enumerate(keys)]
    for file, key in zip(files, keys, strict=True):
        file.write_bytes(forge.pem(key.public_key()))
    settings.CATALOGUE_EVENT_PUBLIC_KEYS = [str(file) for file in files]
    doors.public_keys.cache_clear()
