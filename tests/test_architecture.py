"""Arrows between packages run downward only: the same rule that import-linter checks, without a tool."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOORS = [
    {"kernel"},
    {"massivemusic", "desk"},
    {"outbox", "web"},
    {"accounts", "billing", "catalogue"},
    {"subscriptions", "playlists", "usage", "downloads"},
    {"streaming", "reports", "previews"},
    {"config"},
]
FLOOR = {package: number for number, floor in enumerate(FLOORS) for package in floor}


def imported_by(path: Path) -> set[str]:
    """The top-level packages a file imports, lazily or for types alone included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def arrows() -> set[tuple[str, str]]:
    packages = {*FLOOR, "sandbox"}
    return {
        (package, other)
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        for other in imported_by(path) & packages
        if other != package
    }


def test_every_package_has_its_floor() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "sandbox"}

    assert found == set(FLOOR)


def test_arrows_run_downward_only() -> None:
    upward = {(one, other) for one, other in arrows() if "sandbox" not in (one, other) and FLOOR[other] >= FLOOR[one]}

    assert upward == set()


def test_the_sandbox_is_reached_over_http_alone() -> None:
    assert {arrow for arrow in arrows() if "sandbox" in arrow} == set()


def test_celery_is_told_ids_and_never_to_wait_long() -> None:
    """Schedules are rows: Redis hands a task out again once its delay outlives the visibility timeout."""
    for path in ROOT.glob("*/*.py"):
        if path.parent.name in FLOOR:
            text = path.read_text()
            assert "countdown=" not in text, path
            assert "eta=" not in text, path
            assert "apply_async" not in text or path.name == "beat.py", path
