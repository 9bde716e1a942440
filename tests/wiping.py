"""What tests of committed transactions leave behind is deleted row by row.

Django would empty every table with its files, and make permissions and roles anew: half a second after each of hundreds
of tests, of which most leave a dozen rows.
"""

from __future__ import annotations

from typing import Final

from django.db import connection, transaction
from django.test import TransactionTestCase

# What `migrate` writes, and no test changes.
KEPT: Final = {
    "auth_group", "auth_group_permissions", "auth_permission", "django_content_type", "django_migrations",
}  # fmt: skip


def wipe(_: TransactionTestCase) -> None:
    """Empty every table of ours that has rows. Keys between them are not looked at meanwhile."""
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - KEPT)
    having = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in tables)  # noqa: S608
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(having)
        full = [table for (table,) in cursor.fetchall()]
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in full:
            cursor.execute(f'DELETE FROM "{table}"')  # noqa: S608


def wipe_quickly() -> None:
    """From now on, in this process."""
    TransactionTestCase._fixture_teardown = wipe  # type: ignore[method-assign]
