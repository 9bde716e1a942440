"""A listener becomes a user of the platform once."""

from __future__ import annotations

import pytest

from massivemusic import errors
from massivemusic.users import create_user
from tests.massivemusic.behaviours import error_json, no, ok
from tests.massivemusic.conftest import ClientTo
from tests.massivemusic.stage import Stage, fields


def test_users_are_created_by_a_get(client_to: ClientTo) -> None:
    with Stage(ok('<response status="ok"><user id="900001"><type>partner</type></user></response>')) as stage:
        create_user(client_to(stage.origin), user_id="6f1d/2c 3b", country="GB")
    heard = stage.heard[0]
    path, _, query = heard.target.partition("?")
    assert (heard.method, path, heard.body) == ("GET", "/1.2/user/create", b"")
    assert fields(query) == {"userId": "6f1d/2c 3b", "country": "GB"}


def test_users_exist_already(client_to: ClientTo) -> None:
    with Stage(no("409 Conflict", error_json(2003, "exists"))) as stage, pytest.raises(errors.AlreadyExists):
        create_user(client_to(stage.origin), user_id="u", country="GB")


@pytest.mark.parametrize("body", ["", "{}", '{"status":"ok"}', '<response status="ok"/>'])
def test_users_are_not_taken_for_created(body: str, client_to: ClientTo) -> None:
    with Stage(ok(body)) as stage, pytest.raises(errors.Unreadable, match="names no user"):
        create_user(client_to(stage.origin), user_id="u", country="GB")
