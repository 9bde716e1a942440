"""What our database backend adds to Django's."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.signals import request_started
from django.db import DatabaseError, connection, transaction
from django.db.models.signals import pre_migrate

pytestmark = pytest.mark.django_db


def statement_timeout() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return str(cursor.fetchone()[0])


def test_what_may_take_its_time_is_not_hurried() -> None:
    with connection.unhurried():  # type: ignore[attr-defined]
        assert statement_timeout() == "0"
    assert statement_timeout() == "15s"


def test_hurries_again_after_a_failure() -> None:
    unhurried = connection.unhurried()  # type: ignore[attr-defined]
    with pytest.raises(DatabaseError), unhurried, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert statement_timeout() == "15s"


def test_migrations_take_their_time() -> None:
    seen = []

    def look(**_: Any) -> None:
        seen.append(statement_timeout())

    pre_migrate.connect(look)
    try:
        call_command("migrate", verbosity=0)
    finally:
        pre_migrate.disconnect(look)
    assert set(seen) == {"0"}
    assert statement_timeout() == "15s"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["cursor", "prepared"])
def test_a_request_finds_out_that_its_connection_has_died(way: str) -> None:
    """PostgreSQL was restarted since the last one: the first statement of the next costs nobody anything."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    request_started.send(sender=None)  # Django's word for a new request

    with getattr(connection, way)() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
