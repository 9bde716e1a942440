"""DRF's exceptions, Django's and our own refusals, all as problem documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpResponse, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_handler

from kernel.errors import InvalidParameter, MissingParameter, Refusal
from web.problems import DATABASE_AWAY, DATABASE_BACK_SECONDS, PROBLEM_TYPE, document, is_database_away, of_refusal


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. None leaves a bug to Django, which logs it and answers 500."""
    if isinstance(error, Refusal):
        status, body, headers = of_refusal(error)
        return Response(body, status=status, headers=headers, content_type=PROBLEM_TYPE)
    if is_database_away(error):
        body = document(503, detail=DATABASE_AWAY)
        headers = {"Retry-After": str(DATABASE_BACK_SECONDS)}
        return Response(body, status=503, headers=headers, content_type=PROBLEM_TYPE)
    if isinstance(error, RequestDataTooBig):
        error = drf.APIException("the body is too large")
        error.status_code = 413
    if isinstance(error, drf.ValidationError):
        return Response(of_validation(error), status=400, content_type=PROBLEM_TYPE)
    return of_framework(error, context)


def of_framework(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's own no, kept with its headers and given our body."""
    answer = drf_handler(error, context)
    if answer is None:
        return None
    if isinstance(error, Http404 | PermissionDenied):
        detail = "there is nothing here" if isinstance(error, Http404) else "this is not for you"
    else:
        detail = str(getattr(error, "detail", error))
    answer.data = document(answer.status_code, detail=detail)
    answer.content_type = PROBLEM_TYPE
    return answer


def of_validation(error: drf.ValidationError) -> dict[str, Any]:
    """One document for everything wrong with the input, each fault with its JSON pointer."""
    faults = list(flatten(error.get_full_details(), pointer=""))
    kind = MissingParameter if any(f["code"] == MissingParameter.code for f in faults) else InvalidParameter
    first = next(f for f in faults if f["code"] == kind.code)
    detail = f"{first['pointer'].strip('/') or 'body'}: {first['detail']}"
    return document(400, detail=detail, code=kind.code, platform_code=kind.platform_code, errors=faults)


def respond_validation(error: drf.ValidationError) -> HttpResponse:
    """What is wrong with the input, as a plain Django response."""
    return JsonResponse(of_validation(error), status=400, content_type=PROBLEM_TYPE)


def flatten(details: Any, *, pointer: str) -> Iterator[dict[str, str]]:
    """DRF's nested details as a flat list of `{pointer, code, detail}`."""
    if isinstance(details, list):
        for index, item in enumerate(details):
            is_message = isinstance(item, dict) and set(item) == {"message", "code"}
            yield from flatten(item, pointer=pointer if is_message else f"{pointer}/{index}")
    elif set(details) == {"message", "code"} and isinstance(details["code"], str):
        missing = details["code"] == "required"
        code = MissingParameter.code if missing else InvalidParameter.code
        yield {"pointer": pointer, "code": code, "detail": str(details["message"])}
    else:
        for name, item in details.items():
            step = "" if name == "non_field_errors" else f"/{str(name).replace('~', '~0').replace('/', '~1')}"
            yield from flatten(item, pointer=pointer + step)
