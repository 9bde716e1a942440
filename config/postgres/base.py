"""The backend Django loads by name (settings.DATABASES)."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own backend and four things more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._staged: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()

    def is_usable(self) -> bool:
        """Find a dead connection by looking at its socket instead of asking the server.

        A server that has gone leaves an end-of-file on the socket, so an idle connection with
        something to read is dead, or at least worth asking. That keeps the first request after a
        restart from failing without adding a round trip to every request.
        """
        if self.connection is None or self.connection.closed:
            return False
        poller = select.poll()
        poller.register(self.connection.fileno(), select.POLLIN)
        return not poller.poll(0) or super().is_usable()

    def prepared(self) -> Any:
        """A cursor for the hot paths' fixed statements: bound and prepared on the server, which plans them once.

        Counted and wrapped like any other of Django's.
        """
        self.close_if_health_check_failed()  # as Django's own cursors do: it may be the first statement of a request
        self.ensure_connection()
        with self.wrap_database_errors:
            return self._prepare_cursor(psycopg.Cursor(self.connection))  # type: ignore[attr-defined]

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Statements within may take as long as they need: migrations, imports, rebuilding."""
        with self.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        try:
            yield
        finally:
            if not self.needs_rollback and self.is_usable():
                with self.cursor() as cursor:
                    cursor.execute("RESET statement_timeout")

    def stage(self, table: str, ddl: str) -> None:
        """Have an empty temporary table on this connection: made once, emptied by every commit (so says its DDL).

        Within a transaction it may have been rolled away, or still hold rows.
        """
        self.ensure_connection()
        made = self._staged.setdefault(self.connection, set())
        if table in made and not self.in_atomic_block:
            return
        with self.cursor() as cursor:
            cursor.execute(ddl)
            cursor.execute(f"TRUNCATE {table}")
        if not self.in_atomic_block:
            made.add(table)
