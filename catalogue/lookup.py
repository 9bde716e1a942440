"""What the views of the mirror share: who is asking, and many things asked for at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from django.utils import timezone
from rest_framework.views import APIView

from catalogue.shapes import Ear
from kernel.errors import InvalidParameter, MissingParameter
from kernel.values import INT32
from web.callers import IsListener, ListenerRequest, hearing_of

MAX_AT_ONCE: Final = 50
CODE: Final = re.compile(r"[A-Z0-9]{1,32}")

Row = TypeVar("Row")


def ear_of(request: ListenerRequest) -> Ear:
    """The caller's country and filter, now."""
    hearing = hearing_of(request)
    return Ear(country=hearing.country, explicit_filter=hearing.explicit_filter, at=timezone.now())


class CatalogueView(APIView):
    """For listeners; answers depend on their country, so they are cached by nobody else."""

    permission_classes = [IsListener]

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response


def ids_from(text: str) -> list[int]:
    """Up to 50 distinct positive ids, in order. Raises MissingParameter or InvalidParameter."""
    if not text:
        raise MissingParameter("name at least one", field="ids")
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and 0 < int(part) <= INT32 for part in parts if len(part) < 11):
        raise InvalidParameter("must be whole numbers separated by commas", field="ids")
    if len(parts) > MAX_AT_ONCE or any(len(part) >= 11 for part in parts):
        raise InvalidParameter(f"at most {MAX_AT_ONCE} whole numbers", field="ids")
    return list(dict.fromkeys(int(part) for part in parts))


def codes_from(text: str, *, name: str) -> list[str]:
    """Up to 50 distinct ISRCs or UPCs in their stored form, in order. Raises InvalidParameter."""
    codes = [part.strip().replace("-", "").upper() for part in text.split(",")]
    if len(codes) > MAX_AT_ONCE or not all(CODE.fullmatch(code) for code in codes):
        raise InvalidParameter(f"at most {MAX_AT_ONCE} codes of letters and digits, separated by commas", field=name)
    return list(dict.fromkeys(codes))


def in_order(wanted: Sequence[int | str], rows: Iterable[Row], *, by: str) -> tuple[list[Row], list[int | str]]:
    """The rows in the order in which their ids or codes were asked for, and what nothing was found for."""
    found: dict[Any, list[Row]] = {key: [] for key in wanted}
    for row in rows:
        found[getattr(row, by)].append(row)
    return [row for key in wanted for row in found[key]], [key for key in wanted if not found[key]]
