"""Files: made once however many ask at the same time, and sent in pieces, whole or by range."""

from __future__ import annotations

import fcntl
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

PIECE = 64 * 1024
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def made_once(path: Path, make: Callable[[Path], None]) -> Path:
    """`path`, made by `make(draft)` if it is not there yet.

    Threads and workers that want the same file wait for the first of them. It appears whole or
    not at all; a draft left by a crash is written over.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    with draft.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not path.exists():
            handle.truncate(0)
            make(draft)
            draft.rename(path)
        elif draft.exists():
            draft.unlink(missing_ok=True)
    return path


def sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How a request for a file will be answered: `status` 200, 206 or 416, bytes `first` to `end` (not included)."""

    path: Path
    content_type: str
    etag: str
    size: int
    status: int
    first: int
    end: int

    def respond(self, *, head: bool = False) -> HttpResponseBase:
        """The answer. A HEAD gets the headers alone."""
        empty = head or self.status == 416
        response: HttpResponseBase = (
            HttpResponse() if empty else StreamingHttpResponse(pieces(self.path, self.first, self.end))
        )
        response.status_code = self.status
        response["Content-Type"] = self.content_type
        response["Content-Length"] = str(0 if self.status == 416 else self.end - self.first)
        response["Accept-Ranges"] = "bytes"
        response["ETag"] = self.etag
        if self.status == 416:
            response["Content-Range"] = f"bytes */{self.size}"
        elif self.status == 206:
            response["Content-Range"] = f"bytes {self.first}-{self.end - 1}/{self.size}"
        return response


def delivery(request: HttpRequest, *, path: Path, content_type: str) -> Delivery:
    """Decide between whole, partial and out of range (RFC 9110, section 14). Several ranges at once get the whole."""
    status = path.stat()
    size, etag = status.st_size, f'"{status.st_size:x}-{status.st_mtime_ns:x}"'
    wanted = request.headers.get("Range", "") if request.headers.get("If-Range", etag) == etag else ""
    code, first, end = _span(wanted, size)
    return Delivery(path=path, content_type=content_type, etag=etag, size=size, status=code, first=first, end=end)


def pieces(path: Path, first: int, end: int, *, head: bytes = b"") -> Iterator[bytes]:
    """`head`, then bytes `first` to `end` of a file, never more than a piece in memory."""
    if head:
        yield head
    with path.open("rb") as handle:
        handle.seek(first)
        while first < end and (piece := handle.read(min(PIECE, end - first))):
            first += len(piece)
            yield piece


def _span(wanted: str, size: int) -> tuple[int, int, int]:
    """Status, first byte and end for a Range header."""
    match = RANGE.fullmatch(wanted.replace(" ", ""))
    if not match or match[1] == match[2] == "":
        return 200, 0, size
    if match[1] == "":
        length = min(int(match[2]), size)
        return (206, size - length, size) if length else (416, 0, 0)
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < first:
        return 200, 0, size
    return (206, first, last + 1) if first < size else (416, 0, 0)
