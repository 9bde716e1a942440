"""What the platform says and how: XML unless JSON is asked for, errors in an envelope of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Tree = Mapping[str, Any]

XML, JSON = "application/xml", "application/json"
XML_ONLY = ("/1.2/user/deliveritem",)  # whatever Accept says
FAMILIES = {1: 400, 2: 404, 3: 403, 7: 500, 9: 500}
NOT_FOR_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Refused(Exception):
    """A call is refused with one of the documented codes.

    `members` are the refusals of single items of a batch, by their index in the submitted list.
    """

    def __init__(self, code: int, message: str, *, members: Mapping[int, Refused] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.members = members or {}


class AccessDenied(Exception):
    """The caller is not let in: HTTP 401 (or 429) with a plain sentence instead of the envelope."""

    def __init__(self, sentence: str, *, status: int = 401) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def ok(request: HttpRequest, tree: Tree, *, bare: bool = False, status: int = 200) -> HttpResponse:
    """A success. `tree` maps names to values or trees; "@id" is an attribute in XML and a field in JSON.

    `bare` marks the endpoints whose JSON has neither `status` nor `version`.
    """
    if wants_json(request):
        head = {} if bare and not settings.STATUS_EVERYWHERE else {"status": "ok", "version": "1.2"}
        return _json(head | _plain(tree), status=status)
    return _xml({"response": {"@status": "ok", "@version": "1.2", **tree}}, status=status)


def refusal(request: HttpRequest, no: Refused, *, status: int | None = None) -> HttpResponse:
    """An error in the envelope. The text stands under `message` and `errorMessage`: clients of both kinds exist."""
    status = status or status_of(no.code)
    if wants_json(request):
        errors = [_error(member) | {"index": index} for index, member in no.members.items()]
        tree = {"status": "error", "version": "1.2", "error": _error(no)}
        return _json(tree | ({"errors": errors} if errors else {}), status=status)
    members = [
        {"@code": member.code, "@index": index, "errorMessage": member.message} for index, member in no.members.items()
    ]
    errors_tree = {"errors": {"error": members}} if members else {}
    body = {"@status": "error", "@version": "1.2", "error": {"@code": no.code, "errorMessage": no.message}}
    return _xml({"response": body | errors_tree}, status=status)


def denial(no: AccessDenied) -> HttpResponse:
    return HttpResponse(no.sentence, status=no.status, content_type="text/plain; charset=utf-8")


def status_of(code: int) -> int:
    """The HTTP status that goes with an error code."""
    if settings.LEGACY200:
        return 200
    status: int = settings.STATUSES.get(code) or FAMILIES.get(code // 1000, 400)
    return status


def wants_json(request: HttpRequest) -> bool:
    """Whether Accept prefers JSON; without a preference it is XML."""
    return request.path not in XML_ONLY and request.get_preferred_type([XML, JSON]) == JSON


def _error(no: Refused) -> dict[str, Any]:
    return {"code": no.code, "message": no.message, "errorMessage": no.message}


def _json(tree: Tree, *, status: int) -> HttpResponse:
    return HttpResponse(json.dumps(tree), status=status, content_type="application/json; charset=utf-8")


def _plain(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {name.lstrip("@"): _plain(value) for name, value in tree.items()}
    return [_plain(each) for each in tree] if isinstance(tree, list) else tree


def _xml(tree: Tree, *, status: int) -> HttpResponse:
    ((name, content),) = tree.items()
    body = ElementTree.tostring(_element(name, content), encoding="utf-8", xml_declaration=True)
    return HttpResponse(body, status=status, content_type="application/xml; charset=utf-8")


def _element(name: str, content: Any) -> ElementTree.Element:
    element = ElementTree.Element(name)
    if not isinstance(content, Mapping):
        element.text = _text(content)
        return element
    for key, value in content.items():
        if key.startswith("@"):
            element.set(key[1:], _text(value))
        elif key == "#text":
            element.text = _text(value)
        else:
            element.extend(_element(key, each) for each in (value if isinstance(value, list) else [value]))
    return element


def _text(value: Any) -> str:
    """Text for XML, which has no words for some characters a client may have sent us."""
    if isinstance(value, bool):
        return str(value).lower()
    return NOT_FOR_XML.sub("�", str(value))
