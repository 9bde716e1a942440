"""What operations of the OpenAPI document have in common: how they say no, and the tags of what is read."""

from __future__ import annotations

from typing import Any, Final

from config.middleware import ConditionalGetMiddleware
from web.idempotency import PARAMETER

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "trace_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "a stable slug"},
        "platform_code": {"type": "integer", "description": "the platform's number, where it has one"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("pointer", "code", "detail")},
            },
        },
        "trace_id": {"type": "string"},
        "reason": {"type": "string", "description": "of track_unavailable: which rule does not hold"},
        "available_from": {"type": "string", "format": "date-time", "description": "of track_unavailable: NOT_YET"},
        "blocked_until": {"type": "string", "format": "date-time", "description": "of playing_elsewhere"},
        "holder": {"type": "string", "description": "of playing_elsewhere: the device that plays"},
        "limit": {"type": "integer", "description": "where there is no room for more: how many there may be"},
        "closed_at": {"type": "string", "format": "date-time", "description": "of refund_window_closed"},
        "missing": {"type": "array", "items": {"type": "integer"}, "description": "of track_not_found, of several"},
        "item_ids": {
            "type": "array",
            "items": {"type": "string", "format": "uuid"},
            "description": "of item_not_found: those that are not on the playlist",
        },
        "current": {
            "allOf": [{"$ref": "#/components/schemas/Playlist"}],
            "description": "of playlist_changed: how it stands now",
        },
    },
}
# How an Idempotency-Key is refused, by whatever takes one.
KEYED: Final = {
    "409": "in_progress: the first request with this key still runs; or what the operation itself says",
    "422": "idempotency_mismatch: the key is that of another request",
}
IF_NONE_MATCH: Final = {
    "in": "header",
    "name": "If-None-Match",
    "schema": {"type": "string"},
    "description": "the ETag under which it was read: 304 while that holds",
}
ETAG: Final = {"ETag": {"schema": {"type": "string"}, "description": "a strong tag of what is there now"}}
UNTAGGED: Final = {"track_preview", "playlist_remove"}  # the one is kept by nobody, the other leaves nothing


def describe_tags(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Tell of the tags that catalogue and playlists carry, and of the 304 that they are for."""
    for path, operations in result["paths"].items():
        if not path.startswith(ConditionalGetMiddleware.prefixes):
            continue
        for method, operation in operations.items():
            if operation["operationId"] in UNTAGGED:
                continue
            for answer in operation["responses"].values():
                answer["headers"] = ETAG
            if method == "get":
                operation["parameters"] = [*operation.get("parameters", []), IF_NONE_MATCH]
                operation["responses"]["304"] = {"description": "It is as it was", "headers": ETAG}
    return result


def describe_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give every operation the problem document as its answer to whatever goes wrong."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"description": "A problem (RFC 9457)", "content": content}
            if any(each["name"] == PARAMETER.name for each in operation.get("parameters", [])):
                for status, said in KEYED.items():
                    operation["responses"][status] = {"description": said, "content": content}
    return result
