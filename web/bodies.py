"""Bodies: inflated, capped and parsed strictly, before anybody believes them."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser

from kernel.errors import Kind, Refusal
from web.problems import respond, respond_refusal

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

MAX_DEPTH: Final = 64


class BodyTooLarge(Refusal):
    """The body, as sent or once inflated, is larger than its route takes."""

    code, kind = "body_too_large", Kind.TOO_LARGE


class UnknownEncoding(Refusal):
    """The Content-Encoding is none that is taken here."""

    code, kind = "unsupported_content_encoding", Kind.UNSUPPORTED


class BadEncoding(Refusal):
    """The bytes are not what the Content-Encoding says."""

    code, kind = "bad_content_encoding", Kind.INVALID


class NotJSON(Refusal):
    """The body is no JSON, or JSON we refuse: NaN, NUL, lone surrogates, duplicate keys, too deep."""

    code, kind = "invalid_json", Kind.INVALID


def cap_for(path: str) -> int:
    """The most bytes a body to `path` may have: the longest fitting prefix of settings.BODY_CAPS."""
    fitting = [prefix for prefix in settings.BODY_CAPS if path.startswith(prefix)]
    return settings.BODY_CAPS[max(fitting, key=len)] if fitting else settings.BODY_CAP


class NotJSONType(Refusal):
    """The Content-Type is not application/json, or names a charset other than UTF-8."""

    code, kind = "unsupported_media_type", Kind.UNSUPPORTED


def json_bytes(request: HttpRequest, *, gzip_allowed: bool = False) -> bytes:
    """The body of a request for JSON. Raises NotJSONType, UnknownEncoding, BodyTooLarge or BadEncoding."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    if request.content_type != "application/json" or charset.lower() != "utf-8":
        raise NotJSONType("send application/json, in UTF-8")
    return read_body(request, gzip_allowed=gzip_allowed)


def read_body(request: HttpRequest, *, gzip_allowed: bool = True) -> bytes:
    """The request's body, inflated where it says so. Raises UnknownEncoding, BodyTooLarge or BadEncoding."""
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding in {"", "identity"}:
        return request.body
    if encoding not in {"gzip", "x-gzip"} or not gzip_allowed:
        raise UnknownEncoding(f"Content-Encoding {encoding[:40]!r} is not taken here")
    return inflate(request.body, cap=cap_for(request.path))


def inflate(data: bytes, *, cap: int) -> bytes:
    """Gunzip at most `cap` bytes; a bomb stops there. Raises BodyTooLarge or BadEncoding."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(data, cap + 1)
    except zlib.error as error:
        raise BadEncoding("the body is not gzip") from error
    if len(inflated) > cap:
        raise BodyTooLarge(f"the body inflates to more than {cap} bytes")
    if not inflater.eof or inflater.unused_data:
        raise BadEncoding("the gzip body is cut off or has something behind it")
    return inflated


def parse_json(data: bytes, *, texts: bool = True) -> Any:
    """Strict JSON of a depth we can stand. Raises NotJSON saying what is wrong.

    Without `texts`, what the texts hold is left to the caller: NUL and half characters pass.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=unique_keys, parse_constant=refuse_constant, parse_float=finite)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NotJSON(f"the body is not valid JSON: {reason(error)}") from error
    if too_deep(value):
        raise NotJSON(f"the body nests deeper than {MAX_DEPTH} levels")
    if texts and ("\\u" in text or "\x00" in text):
        refuse_bad_characters(value)
    return value


def expect_object(value: Any) -> None:
    """Raises NotJSON for anything but an object."""
    if not isinstance(value, dict):
        raise NotJSON("the body must be a JSON object")


def reason(error: Exception) -> str:
    """What is wrong, without repeating the body."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at byte {error.pos}"
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)[:120]


def too_deep(value: Any) -> bool:
    """Whether containers stand in containers beyond MAX_DEPTH."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [inner for box in level for inner in children(box)]
    return bool(level)


def children(box: dict[str, Any] | list[Any]) -> list[Any]:
    """The containers directly inside a container."""
    items = box.values() if isinstance(box, dict) else box
    return [item for item in items if isinstance(item, dict | list)]


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a key twice")
    return found


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


def refuse_bad_characters(value: Any) -> None:
    """NUL and lone surrogates can be stored nowhere: refuse them wherever they stand."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise NotJSON("a text holds NUL or half a character")
    elif isinstance(value, dict):
        for key, item in value.items():
            refuse_bad_characters(key)
            refuse_bad_characters(item)
    elif isinstance(value, list):
        for item in value:
            refuse_bad_characters(item)


class StrictJSONParser(BaseParser):
    """DRF's parser for every endpoint of ours: `application/json` in UTF-8, and nothing else."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request: HttpRequest = parser_context["request"]._request
        return parse_json(json_bytes(request))


class AlwaysJSON(BaseContentNegotiation):
    """For the hot paths: JSON in and out, whatever Accept says, without looking at it."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def with_length(application: WSGIApplication) -> WSGIApplication:
    """Measure bodies that come in chunks: Django would take a body of unannounced length for none at all.

    No more than the path's cap is read, and one byte, by which BodyCapMiddleware knows it for too large.
    """

    def measured(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "HTTP_TRANSFER_ENCODING" in environ:
            body = environ["wsgi.input"].read(cap_for(environ["PATH_INFO"]) + 1)
            environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return application(environ, start_response)

    return measured


class BodyCapMiddleware:
    """Refuse a body by its announced length, before a byte of it is read, and sign-in bodies that are no strict JSON.

    Allauth parses its own bodies, and less strictly than the rest of the API does.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        cap = cap_for(request.path)
        if not (length.isascii() and length.isdigit()):
            return respond(HTTPStatus.BAD_REQUEST, detail="Content-Length is not a number")
        if int(length) > cap:
            detail = f"a body here may have {cap} bytes"
            return respond(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail=detail, code=BodyTooLarge.code)
        if request.path.startswith("/_allauth/") and request.body:
            try:
                expect_object(parse_json(request.body))
            except Refusal as no:
                return respond_refusal(no)
        return self.get_response(request)
