"""Where reports go from a command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError

STANDARD_OUT: Final = "-"


def write(pieces: Iterable[bytes], out: str, *, stdout: Any) -> None:
    """Write a report into a file, which is there whole or not at all, or to `stdout` where `out` is a dash.

    Raises CommandError where that cannot be.
    """
    if out == STANDARD_OUT:
        stdout.buffer.writelines(pieces)
        return
    path = Path(out)
    if path.is_dir():
        raise CommandError(f"{path}: a directory, and no file")
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            file.writelines(pieces)
        unfinished.replace(path)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
