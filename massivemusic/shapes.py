"""XML and JSON in one plain shape: dicts, lists, texts and numbers, whichever the platform answered in.

An XML element becomes a dict of its attributes and children; one without either becomes its text,
or None when it has none; text beside them stands under `#text`. Children that repeat become a list.
Only this module parses what the platform sends: no DTD, no entities, 64 levels, 1 MiB.
"""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import ParseError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import XMLParser

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64
BOM: Final = b"\xef\xbb\xbf"


def parse(body: bytes) -> dict[str, Any]:
    """The content of an envelope; an empty body is an empty dict. JSON keys may repeat: the last wins.

    Raises ValueError saying what is wrong: too large or too deep, a DTD or an entity, a root other
    than `response`, no XML or JSON at all.
    """
    if len(body) > MAX_BYTES:
        raise ValueError("more than 1 MiB")
    start = body.removeprefix(BOM).strip()
    if not start:
        return {}
    if start.startswith(b"<"):
        return _from_xml(start)
    if start.startswith(b"{"):
        return _from_json(start)
    raise ValueError("neither XML nor JSON")


def listed(value: Any) -> list[Any]:
    """What may repeat, as a list: a lone XML element comes as itself, none as None."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def whole(value: Any) -> int | None:
    """A whole number, which XML writes as text and JSON as either; None when it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 100:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _from_json(body: bytes) -> dict[str, Any]:
    try:
        content: dict[str, Any] = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError):
        raise ValueError("malformed JSON") from None
    except RecursionError:
        raise ValueError("deeper than 64 levels") from None
    level: list[Any] = [content]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return content
    raise ValueError("deeper than 64 levels")


def _inside(value: Any) -> list[Any]:
    values = value.values() if isinstance(value, dict) else value
    return [inner for inner in values if isinstance(inner, dict | list)]


def _from_xml(body: bytes) -> dict[str, Any]:
    shape = _Shape()
    parser = XMLParser(target=shape, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
    except DefusedXmlException:
        raise ValueError("a document type or an entity") from None
    except (ParseError, LookupError, UnicodeError):
        raise ValueError("malformed XML") from None
    if shape.root != "response":
        raise ValueError("XML of another kind")
    return shape.content if isinstance(shape.content, dict) else {}


class _Element:
    """An element still open: what its dict holds so far, and which keys are children."""

    __slots__ = ("children", "fields", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = _local(name)
        self.fields: dict[str, Any] = {_local(key): value for key, value in attributes.items()}
        self.children: set[str] = set()
        self.text: list[str] = []

    def adopt(self, name: str, value: Any) -> None:
        """Add a child. It takes the place of an attribute, and a list's beside one of its name."""
        if name not in self.children:
            self.fields[name] = value
            self.children.add(name)
        elif isinstance(self.fields[name], list):
            self.fields[name].append(value)
        else:
            self.fields[name] = [self.fields[name], value]

    def value(self) -> Any:
        text = "".join(self.text).strip()
        if not self.fields:
            return text or None
        return self.fields | {"#text": text} if text else self.fields


class _Shape:
    """What the parser feeds instead of a tree. It stops at the first level too many."""

    def __init__(self) -> None:
        self._open: list[_Element] = []
        self.root = ""
        self.content: Any = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise ValueError("deeper than 64 levels")
        self._open.append(_Element(name, attributes))

    def data(self, text: str) -> None:
        self._open[-1].text.append(text)

    def end(self, _name: str) -> None:
        element = self._open.pop()
        if self._open:
            self._open[-1].adopt(element.name, element.value())
        else:
            self.root, self.content = element.name, element.value()


def _local(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition("}")[2]
