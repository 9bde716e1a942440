"""Whom a request comes from, as far as curated playlists are meant for some and not for others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils import timezone

from kernel.errors import InvalidParameter
from playlists.registry import plans_held
from web.callers import ListenerRequest, hearing_of, listener_id_of

TAG: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
RANGE: Final = re.compile(r"(?P<tag>[A-Za-z0-9*-]{1,35})(\s*;\s*q\s*=\s*(?P<weight>[01](\.[0-9]{0,3})?))?")
MOST_RANGES: Final = 20  # more than any browser sends


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Somebody in a country, on some plans, who reads some locales (None: any), at an instant."""

    country: str
    plans: frozenset[str]
    locales: frozenset[str] | None
    at: datetime


def audience_of(request: ListenerRequest) -> Audience:
    """The caller, now. Raises InvalidParameter for a `locale` that is none."""
    now = timezone.now()
    return Audience(
        country=hearing_of(request).country,
        plans=frozenset(plans_held(listener_id_of(request), now)),
        locales=locales_wanted(request),
        at=now,
    )


def locales_wanted(request: ListenerRequest) -> frozenset[str] | None:
    """By the `locale` parameter, or else Accept-Language; None where any will do. Raises InvalidParameter."""
    if "locale" in request.query_params:
        tag = request.query_params["locale"]
        if not TAG.fullmatch(tag):
            raise InvalidParameter("a language tag such as en or pt-BR", field="locale")
        return reading([tag])
    tags = list(accepted(request.headers.get("Accept-Language", "")))
    return None if not tags or "*" in tags else reading(tags)


def accepted(header: str) -> Iterator[str]:
    """The languages of an Accept-Language header (RFC 9110, 12.5.4); what makes no sense is passed over."""
    for part in header.split(",")[:MOST_RANGES]:
        found = RANGE.fullmatch(part.strip())
        if found and float(found["weight"] or 1) > 0 and (found["tag"] == "*" or TAG.fullmatch(found["tag"])):
            yield found["tag"]


def reading(tags: Iterable[str]) -> frozenset[str]:
    """The locales that suit a reader of these: who reads pt-BR is served by pt as well, but not the other way round."""
    return frozenset(prefix for tag in tags for prefix in prefixes(canonical(tag)))


def prefixes(tag: str) -> Iterator[str]:
    parts = tag.split("-")
    return ("-".join(parts[:length]) for length in range(1, len(parts) + 1))


def canonical(tag: str) -> str:
    """A language tag as it is usually written: `zh-Hant-TW`."""
    language, *rest = tag.split("-")
    usual = {2: str.upper, 4: str.title}
    return "-".join([language.lower(), *(usual.get(len(part), str.lower)(part) for part in rest)])
