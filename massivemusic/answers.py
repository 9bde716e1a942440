"""Bytes to an Answer, or to the PlatformError in them.

The body is asked first, then the status: some errors come as 200 and some as 4xx (status page, June
2023), and not every success says so ("Standard responses").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from massivemusic.errors import (
    BatchFailed,
    ItemFailure,
    NotAuthorised,
    PlatformError,
    ServerFailure,
    Throttled,
    UnexplainedRefusal,
    Unreadable,
    presentable,
)
from massivemusic.shapes import BOM, listed, parse, whole


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the platform said on success: the HTTP status and the content of its envelope.

    From JSON, numbers are numbers; from XML, all leaves are text and an empty element is None.
    """

    status: int
    body: dict[str, Any]

    def at(self, *path: str) -> Any:
        """The value under nested keys, None where any of them is missing."""
        value: Any = self.body
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def understand(*, status: int, body: bytes, retry_after: int | None = None) -> Answer:
    """The answer in `body` (decoded bytes). Raises the PlatformError it means.

    2xx without an error object is success, an empty body included: the chapter that needs a fact
    misses it there. 401 is never parsed: its text is OAuth's, not the envelope's.
    """
    facts: dict[str, Any] = {"status": status, "retry_after": retry_after}
    text = _plain_text(body)
    if status == 401 or text.startswith(("OAuth", "Access to resource denied")):
        raise NotAuthorised(text or "the key or the signature was refused", **facts)
    if status == 429:
        raise Throttled("over the quota", **facts)
    content, flaw = _content(body)
    if content is not None:
        if (verdict := _verdict(content, facts)) is not None:
            raise verdict
        if content.get("status") == "error" or content.get("error"):
            content, flaw = None, "an error without a number"
    if 200 <= status < 300 and content is not None:
        return Answer(status=status, body=content)
    detail = f"HTTP {status}: {flaw or 'no error envelope'}"
    raise _without_envelope(status)(f"{detail}: {text}" if text else detail, **facts)


def _without_envelope(status: int) -> type[PlatformError]:
    if status >= 500:
        return ServerFailure
    return UnexplainedRefusal if status >= 400 else Unreadable


def _plain_text(body: bytes) -> str:
    """A body that is neither XML nor JSON; else nothing. Only `presentable` may shorten it."""
    start = body.removeprefix(BOM).lstrip()
    return "" if start.startswith((b"<", b"{", b"[")) else start.decode("utf-8", "replace")


def _content(body: bytes) -> tuple[dict[str, Any] | None, str]:
    """The envelope's content, or None and what is wrong with it. The content type is not asked."""
    try:
        return parse(body), ""
    except ValueError as problem:
        return None, str(problem)


def _verdict(content: dict[str, Any], facts: dict[str, Any]) -> PlatformError | None:
    """The numbered error in an envelope, if there is one ("Error responses")."""
    error = next(iter(listed(content.get("error"))), None)
    if not isinstance(error, dict):
        error = content if content.get("status") == "error" else {}
    code = whole(error.get("code"))
    if code is None:
        return None
    detail = error.get("errorMessage") or error.get("message") or ""
    if code == BatchFailed.code:
        facts = facts | {"failures": _failures(content.get("errors") or error.get("errors"))}
    return PlatformError.numbered(code, str(detail), **facts)


def _failures(errors: Any) -> tuple[ItemFailure, ...]:
    """The refused items. All or none: half a list would pass the rest off as accepted."""
    items = listed(errors.get("error") if isinstance(errors, dict) else errors)
    failures = []
    for item in items:
        index = whole(item.get("index")) if isinstance(item, dict) else None
        if index is None or index < 0:
            return ()
        detail = presentable(str(item.get("errorMessage") or item.get("message") or ""))
        failures.append(ItemFailure(index=index, code=whole(item.get("code")), detail=detail))
    return tuple(failures)
