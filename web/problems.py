"""Every no as an RFC 9457 problem document."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse

from kernel.errors import Kind, ParameterRefusal, Refusal
from web.trace import current_trace_id

PROBLEM_TYPE: Final = "application/problem+json"
DATABASE_BACK_SECONDS: Final = 2
DATABASE_AWAY: Final = "the database does not answer, try again shortly"

log = logging.getLogger(__name__)

STATUS: Final[dict[Kind, HTTPStatus]] = {
    Kind.INVALID: HTTPStatus.BAD_REQUEST,
    Kind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Kind.DENIED: HTTPStatus.FORBIDDEN,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.PRECONDITION: HTTPStatus.PRECONDITION_FAILED,
    Kind.UNCONDITIONAL: HTTPStatus.PRECONDITION_REQUIRED,
    Kind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Kind.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Kind.UNPROCESSABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

# Django's and DRF's own exceptions, in our words.
CODES: Final[dict[int, str]] = {
    400: "invalid_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}


def document(
    status: int, *, detail: str, code: str | None = None, platform_code: int | None = None, **members: Any
) -> dict[str, Any]:
    """The members of one problem document; `code` defaults to the status's own."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "code": code or CODES[status],
        "trace_id": current_trace_id(),
    }
    if platform_code is not None:
        body["platform_code"] = platform_code
    return body | members


def of_refusal(no: Refusal) -> tuple[int, dict[str, Any], dict[str, str]]:
    """A refusal's status, document and headers."""
    status = STATUS[no.kind]
    headers = {"Retry-After": str(no.retry_after)} if no.retry_after is not None else {}
    members = {"errors": [fault_of(no)]} if isinstance(no, ParameterRefusal) else {}
    body = document(status, detail=no.detail, code=no.code, platform_code=no.platform_code, **members, **no.extra)
    return status, body, headers


def fault_of(no: ParameterRefusal) -> dict[str, str]:
    """As a validated body's faults are told; what stands in the query or a header is pointed at by its name, too."""
    return {"pointer": "" if no.field is None else f"/{no.field}", "code": no.code, "detail": no.fault}


def respond(status: int, *, detail: str, headers: dict[str, str] | None = None, **members: Any) -> HttpResponse:
    """A problem as a plain Django response, for code that stands outside DRF."""
    body = document(status, detail=detail, **members)
    return JsonResponse(body, status=status, content_type=PROBLEM_TYPE, headers=headers)


def is_database_away(error: Exception) -> bool:
    """Whether it says that PostgreSQL does not answer; the log then has what PostgreSQL said."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    log.error("database unavailable: %s", type(error.__cause__ or error).__name__)
    return True


def respond_database_away() -> HttpResponse:
    """503: PostgreSQL does not answer; it will."""
    headers = {"Retry-After": str(DATABASE_BACK_SECONDS)}
    return respond(503, detail=DATABASE_AWAY, headers=headers)


def respond_refusal(no: Refusal) -> HttpResponse:
    """A refusal as a plain Django response."""
    status, body, headers = of_refusal(no)
    return JsonResponse(body, status=status, content_type=PROBLEM_TYPE, headers=headers)


# --- Django's handlers, for what never reaches a DRF view ---------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return respond(413, detail="the body is too large")
    return respond(400, detail="the request cannot be understood")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return respond(404, detail="there is nothing here")


def denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return respond(403, detail="this is not for you")


def server_error(request: HttpRequest) -> HttpResponse:
    return respond(500, detail="this is our fault; it has been written down under the trace id")
