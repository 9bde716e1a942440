"""PostgreSQL's clock."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """What `Now()` is, as a value: of rows whose values hold expressions, bulk_create inserts half as many a second."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    return now  # type: ignore[no-any-return]
