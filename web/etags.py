"""Changes that name the state they were made upon: entity tags made of versions (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from kernel.errors import InvalidParameter, Kind, Refusal

IF_MATCH: Final = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, required=True, description="the ETag under which it was read, or *"
)
TAG: Final = re.compile(r'"(\d{1,18})(?:\.[0-9a-f]+)?"')


class ConditionMissing(Refusal):
    """A change must say which state it was made upon, so that nobody overwrites what they have not seen."""

    code, kind = "precondition_required", Kind.UNCONDITIONAL


def tag_of(version: int) -> str:
    """The strong entity tag of a version."""
    return f'"{version}"'


def respond_part(version: int, shown: Any) -> HttpResponse:
    """A part of what a version holds, as JSON under a strong tag of both: encoded once, for the wire and the tag."""
    body = msgspec.json.encode(shown)
    tag = f'"{version}.{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
    return HttpResponse(body, content_type="application/json", headers={"ETag": tag})


def version_wanted(request: Request) -> int | None:
    """The version that If-Match names; None for any (`*`), -1 for a tag that we never made.

    Of several the last: whoever holds many may have any. Raises ConditionMissing or InvalidParameter.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header:
        raise ConditionMissing("If-Match: name the ETag under which you have read it")
    if header == "*":
        return None
    tags = [tag.strip() for tag in header.split(",")]
    if not all(re.fullmatch(r'(W/)?"[^"]*"', tag) for tag in tags):
        raise InvalidParameter("an entity tag stands in quotes", field="If-Match")
    found = [TAG.fullmatch(tag) for tag in tags]
    return max((int(match[1]) for match in found if match), default=-1)
