"""Which embedded servers a command needs, and for how long."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from config.embedded import Engine, EngineError, Postgres, Valkey

DATABASE = "tonearm"
SANDBOX_DATABASE = "sandbox"
NEEDS_NO_HELP = {"up", "doctor"}  # the one supervises the servers itself, the other only looks at them


def var_dir() -> Path:
    """Where everything lives that is not code: `VAR_DIR`, by default `var/` beside manage.py."""
    return Path(os.environ.get("VAR_DIR") or Path(__file__).resolve().parent.parent / "var").resolve()


def wanted() -> list[Engine]:
    """The servers for which the environment names no URL."""
    engines: list[Engine] = []
    if not os.environ.get("DATABASE_URL"):
        engines.append(Postgres(var_dir()))
    if not os.environ.get("REDIS_URL"):
        engines.append(Valkey(var_dir()))
    return engines


@contextlib.contextmanager
def running_for(words: Sequence[str]) -> Iterator[None]:
    """Keep the wanted servers running around one `manage.py` command; stop the ones it started."""
    if NEEDS_NO_HELP & set(words[:1]):
        yield
        return
    started: list[Engine] = []
    try:
        for engine in wanted():
            if not engine.alive():
                engine.start()
                started.append(engine)
            if isinstance(engine, Postgres):
                engine.ensure_database(DATABASE)
        yield
    except EngineError as error:
        sys.exit(f"tonearm: {error}")
    finally:
        for engine in started:
            engine.stop()
