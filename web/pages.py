"""Lists a page at a time: an opaque cursor, keyset underneath, no count."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import DataError
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Field, URLField
from rest_framework.utils.urls import replace_query_param

from kernel.errors import InvalidParameter
from web.params import whole_in

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
DEEPEST: Final = 1000  # results of a ranked search that can be paged through
MOST_EQUAL: Final = 1_000_000  # results that may stand at one place, such as the releases of one day
PAGE_PARAMETERS: Final = [
    OpenApiParameter("limit", int, description=f"1 to {MAX_LIMIT}; {DEFAULT_LIMIT} unless told"),
    OpenApiParameter("cursor", str, description="from the last page's `next`"),
]


def limit_from(request: Request) -> int:
    """The `limit` parameter, 1 to 100. Raises InvalidParameter for anything else."""
    return whole_in(request, "limit", otherwise=DEFAULT_LIMIT, most=MAX_LIMIT)


class Pages(CursorPagination):
    """`{"results": […], "next": "<absolute URL>" | null}`."""

    page_size = DEFAULT_LIMIT
    page_size_query_param = "limit"
    max_page_size = MAX_LIMIT
    offset_cutoff = MOST_EQUAL  # where it ends, pages begin again

    def get_page_size(self, request: Request) -> int:
        return limit_from(request)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """One page. Raises InvalidParameter for a cursor we did not make."""
        try:
            return super().paginate_queryset(queryset, request, view=view)
        except (ValidationError, ValueError, DataError, NotFound):
            raise InvalidParameter("not one of ours", field="cursor") from None

    def decode_cursor(self, request: Request) -> Any:
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is None and not cursor.offset:
            raise ValueError("it says nothing")
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.get_next_link()})


class RankedPages(BasePagination):
    """The same shape for ranked results, which have no key to continue from: the cursor hides an offset."""

    next_link: str | None = None
    deepest = DEEPEST

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        limit, offset = limit_from(request), offset_from(request, deepest=self.deepest)
        rows = list(queryset[offset : offset + limit + 1])
        if len(rows) > limit and offset + limit < self.deepest:
            cursor = cursor_of(offset + limit, mark="o")
            self.next_link = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.next_link})


def offset_from(request: Request, *, deepest: int = DEEPEST) -> int:
    """The offset a ranked cursor hides. Raises InvalidParameter for a cursor we did not make."""
    offset = number_in(request.query_params.get("cursor", ""), mark="o", name="cursor")
    if offset >= deepest:
        raise InvalidParameter("not one of ours", field="cursor")
    return offset


def cursor_of(number: int, *, mark: str) -> str:
    """An opaque cursor that hides a number; the mark tells one kind from another."""
    return base64.urlsafe_b64encode(f"{mark}{number}".encode()).decode()


def number_in(cursor: str, *, mark: str, name: str, least: int = 0) -> int:
    """The number a cursor hides, 0 in an empty one. Raises InvalidParameter for a cursor we did not make."""
    if not cursor:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    if not re.fullmatch(f"{mark}-?[0-9]{{1,18}}", text) or int(text[1:]) < least:
        raise InvalidParameter("not one of ours", field=name)
    return int(text[1:])


def page_of(shapes: BaseSerializer[Any], *, name: str, **more: Field[Any, Any, Any, Any]) -> BaseSerializer[Any]:
    """A page of `shapes` (given with many=True) as the OpenAPI document shows it, perhaps with more members."""
    fields: Any = {"results": shapes, "next": URLField(allow_null=True)} | more
    return inline_serializer(f"{name}Page", fields)
