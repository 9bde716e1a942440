"""What every operation of the OpenAPI document has in common: how it says no."""

from __future__ import annotations

from typing import Any, Final

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
    },
}
# How an Idempotency-Key is refused, by whatever takes one.
KEYED: Final = {
    "409": "in_progress: the first request with this key still runs; or what the operation itself says",
    "422": "idempotency_mismatch: the key is that of another request",
}


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
