"""A pytest plugin: real PostgreSQL and Valkey for the session, on throwaway data, unless URLs are given.

It is loaded with `-p` so that the servers stand before Django reads its settings. Workers of
pytest-xdist inherit the URLs and join the same servers.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from config.embedded import Postgres, Valkey
from tests.mould import break_mould, name_mould


def start() -> None:
    """Start what has no URL, and stop it when this process ends."""
    home = Path(tempfile.mkdtemp(prefix="tonearm-test-"))
    home.chmod(0o755)  # so that PostgreSQL's own user can walk in
    postgres, valkey = Postgres(home, durable=False), Valkey(home, durable=False)
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    if "DATABASE_URL" not in os.environ:
        postgres.start()
        atexit.register(postgres.stop)
        os.environ["DATABASE_URL"] = postgres.ensure_database("tonearm")
    if "REDIS_URL" not in os.environ:
        valkey.start()
        atexit.register(valkey.stop)
        os.environ["REDIS_URL"] = valkey.url()
    os.environ["VAR_DIR"] = str(home)
    if "TEST_MOULD" not in os.environ:
        name_mould()
        atexit.register(break_mould)
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):  # gw0, gw1, …: each counts in a database of its own
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("?db=0", f"?db={int(worker[2:]) + 1}")


start()
