"""Is the process up; can it do its work; and is everything behind it well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.http import HttpRequest, JsonResponse

from config import checks
from config.checks import Check, Finding

ESSENTIAL: Final[Mapping[str, Check]] = {"database": checks.database, "migrations": checks.migrations}
BEHIND: Final[Mapping[str, Check]] = {
    "broker": checks.broker,
    "beat": checks.beat,
    "outbox": checks.outbox,
    "inbox": checks.inbox,
    "platform": checks.breaker,
}


def alive(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 while requests can be served, 503 while they cannot (the database is away or not migrated).

    `degraded` means served, but something behind is not well: work waits, none is lost.
    """
    found = {name: checks.looked(check) for name, check in ESSENTIAL.items()}
    if not all_well(found):
        return JsonResponse({"status": "unavailable", "checks": told(found)}, status=503)
    found |= {name: checks.looked(check) for name, check in BEHIND.items()}
    return JsonResponse({"status": "ok" if all_well(found) else "degraded", "checks": told(found)})


def all_well(found: Mapping[str, Finding]) -> bool:
    return all(finding.ok for finding in found.values())


def told(found: Mapping[str, Finding]) -> dict[str, dict[str, object]]:
    """The findings without their lines, which are for operators."""
    return {name: {"ok": finding.ok, **finding.facts} for name, finding in found.items()}
