"""What a platform can do to a call, and what each must mean to the caller."""

from __future__ import annotations

import gzip
import time
import zlib
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

from massivemusic import errors as e
from tests.massivemusic.stage import Play, answer, half_closed, reset, says, silent, without_end

OK = (
    '{"status":"ok","version":"1.2","user":{"id":900001,"type":"partner"},"playLogs":{"count":2},'
    '"purchase":{"id":49193524},"locker":{"lockerReleases":{"totalItems":0}}}'
)
OK_XML = (
    '<response status="ok" version="1.2"><user id="9"/><playLogs><count>2</count></playLogs><purchase id="49193524"/>'
    "<locker><lockerReleases><totalItems>0</totalItems></lockerReleases></locker></response>"
)
HTML = "<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"
LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    '<response status="ok"><playLogs><count>&b;</count></playLogs></response>'
)


def error_xml(code: int, message: str) -> str:
    return (
        f'<response status="error" version="1.2"><error code="{code}">'
        f"<errorMessage>{message}</errorMessage></error></response>"
    )


def error_json(code: int, message: str) -> str:
    return f'{{"status":"error","version":"1.2","error":{{"code":{code},"message":"{message}"}}}}'


def bomb(megabytes: int) -> bytes:
    """Zeros, gzipped; made without ever holding them."""
    squeeze = zlib.compressobj(1, wbits=31)
    return b"".join([squeeze.compress(bytes(2**20)) for _ in range(megabytes)]) + squeeze.flush()


def ok(body: str | bytes = "", *headers: str) -> Play:
    return says(answer("200 OK", body, *headers), keep=True)


def no(status: str, body: str | bytes = "", *headers: str) -> Play:
    return says(answer(status, body, *headers), keep=True)


def used(calls: int) -> str:
    """The quota's headers after so many calls of 4000."""
    return f"X-RateLimit-Limit: 4000\r\nX-RateLimit-Current: {calls}\r\nX-RateLimit-Reset: {46968 // 60}"


def busy(*headers: str) -> Play:
    return no("429 Too Many Requests", "slow down", *headers, f"Date: {formatdate(usegmt=True)}")


def drips(start: bytes, piece: bytes) -> Play:
    return without_end(start, piece, every=0.03)


@dataclass(frozen=True)
class Behaviour:
    """`play` None: staged by the test. `kind` None: success. `fate`: what asking again is worth."""

    name: str
    play: Play | None
    kind: type[e.PlatformError] | None = None
    code: int | None = None
    status: int | None = None
    fate: Literal["pointless", "harmless", "in doubt"] | None = None
    retry_after: int | None = None
    slow: bool = False

    @property
    def patience(self) -> float:
        """Seconds to give it: few where their end is waited for, else more than a busy machine of ours needs."""
        return 1 if self.slow or self.name in {"queue full", "tls failure"} else 5


_BOMB = bomb(64)
_GZIP = "Content-Encoding: gzip"
_PACKED = gzip.compress(OK.encode())
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_TO_END = b"HTTP/1.0 200 OK\r\n\r\n"
_ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_GZIP_BEGUN = _TO_END[:-2] + _GZIP.encode() + b"\r\n\r\n" + gzip.compress(b"")[:10]
_EMPTY_BLOCKS = b"\0\0\0\xff\xff" * 9000
_SOON = formatdate(time.time() + 90, usegmt=True)
_PAST = "Wed, 21 Oct 2015 07:28:00 GMT"

THE_36 = [
    Behaviour("200 ok", ok(OK)),
    Behaviour("200 error xml", ok(error_xml(1002, "bad country")), e.ParameterInvalid, 1002, 200, "pointless"),
    Behaviour("200 error json", ok(error_json(7001, "cannot")), e.ActionImpossible, 7001, 200, "harmless"),
    Behaviour("200 html", ok(HTML), e.Unreadable, None, 200, "in doubt"),
    Behaviour("200 empty", ok(), e.Unreadable, None, 200, "in doubt"),
    Behaviour("200 wrong content type", ok(OK_XML, "Content-Type: image/png")),
    Behaviour("201", no("201 Created", OK)),
    Behaviour("204", says(b"HTTP/1.1 204 No Content\r\n\r\n"), e.Unreadable, None, 204, "in doubt"),
    Behaviour("301 other host", None, e.Redirected, None, 301, "harmless"),
    Behaviour("307 loopback", None, e.Redirected, None, 307, "harmless"),
    Behaviour("302 loop", None, e.Redirected, None, 302, "harmless"),
    Behaviour("400", no("400 No", error_json(1001, "Missing userId")), e.ParameterMissing, 1001, 400, "pointless"),
    Behaviour("401 bad signature", no("401 No", "OAuth error: nonce"), e.NotAuthorised, None, 401, "harmless"),
    Behaviour("403", no("403 No", "<h1>no</h1>"), e.UnexplainedRefusal, None, 403, "harmless"),
    Behaviour("404", no("404 No", "no such path"), e.UnexplainedRefusal, None, 404, "harmless"),
    Behaviour("409", no("409 No", error_xml(2003, "exists")), e.AlreadyExists, 2003, 409, "pointless"),
    Behaviour("429 seconds", busy("Retry-After: 17"), e.Throttled, None, 429, "harmless", 17),
    Behaviour("429 date", busy(f"Retry-After: {_SOON}"), e.Throttled, None, 429, "harmless", 90),
    Behaviour("429 garbage", busy("Retry-After: soon"), e.Throttled, None, 429, "harmless"),
    Behaviour("429 huge", busy("Retry-After: " + "9" * 30), e.Throttled, None, 429, "harmless", 3600),
    Behaviour("500", no("500 No", error_json(9001, "oops")), e.UnexpectedFailure, 9001, 500, "harmless"),
    Behaviour("502", no("502 No", HTML), e.ServerFailure, None, 502, "in doubt"),
    Behaviour("503", no("503 No", "busy", "Retry-After: 120"), e.ServerFailure, None, 503, "in doubt", 120),
    Behaviour("refused", None, e.Unreachable, None, None, "harmless"),
    Behaviour("dns failure", None, e.Unreachable, None, None, "harmless"),
    Behaviour("tls failure", None, e.Unreachable, None, None, "harmless"),
    Behaviour("reset before reply", reset, e.AnswerLost, None, None, "in doubt"),
    Behaviour("silent", silent, e.DeadlinePassed, None, None, "in doubt", slow=True),
    Behaviour("half-closed", half_closed, e.AnswerLost, None, None, "in doubt"),
    Behaviour("short body", says(answer("200 OK", OK, length=4000)), e.AnswerLost, None, None, "in doubt"),
    Behaviour("garbage status line", says(b"\x16\x03\x01 what\r\n\r\n"), e.AnswerLost, None, None, "in doubt"),
    Behaviour("dripped head", drips(_TO_END[:-2] + b"X: ", b"x"), e.DeadlinePassed, None, None, "in doubt", slow=True),
    Behaviour("dripped body", drips(_TO_END, b" "), e.DeadlinePassed, None, None, "in doubt", slow=True),
    Behaviour("endless body", without_end(_TO_END, b" " * 65536), e.AnswerTooLarge, None, 200, "in doubt"),
    Behaviour("compressed bomb", ok(_BOMB, _GZIP), e.AnswerTooLarge, None, 200, "in doubt"),
    Behaviour("hostile xml", ok(LAUGHS), e.Unreadable, None, 200, "in doubt"),
]  # fmt: skip

MORE = [
    Behaviour("gzip", ok(_PACKED, _GZIP)),
    Behaviour("chunked", says(_CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(OK), OK.encode()))),
    Behaviour("byte order mark", ok(b"\xef\xbb\xbf" + OK.encode())),
    Behaviour("until the end", says(_TO_END + OK.encode())),
    Behaviour("operation timed out", no("500 No", error_json(7003, "late")), e.PlatformTimedOut, 7003, 500, "in doubt"),
    Behaviour("number of no family", no("400 No", error_json(4711, "new")), e.UnknownVerdict, 4711, 400, "harmless"),
    Behaviour("new number", no("400 No", error_json(2999, "new")), e.ResourceRefused, 2999, 400, "pointless"),
    Behaviour("oauth text as 200", ok("OAuth authentication error: x"), e.NotAuthorised, None, 200, "harmless"),
    Behaviour("key refused as 403", no("403 No", "Access to resource denied"), e.NotAuthorised, None, 403, "harmless"),
    Behaviour("envelope as 401", no("401 No", error_json(1002, "x")), e.NotAuthorised, None, 401, "harmless"),
    Behaviour("error without a number", ok('{"error":"no"}'), e.Unreadable, None, 200, "in doubt"),
    Behaviour("error unsaid", no("400 No", '{"status":"error"}'), e.UnexplainedRefusal, None, 400, "harmless"),
    Behaviour("error unsaid, as 200", ok(OK.replace("ok", "error", 1)), e.Unreadable, None, 200, "in doubt"),
    Behaviour("envelope cut off", says(_TO_END + OK[:-1].encode()), e.Unreadable, None, 200, "in doubt"),
    Behaviour("list instead of envelope", ok("[]"), e.Unreadable, None, 200, "in doubt"),
    Behaviour("throttled within the quota", busy(used(37)), e.Throttled, None, 429, "harmless", None),
    Behaviour("quota used up", busy(used(4000)), e.Throttled, None, 429, "harmless", 46968 // 60),
    Behaviour("quota resets", busy("X-RateLimit-Reset: 46968"), e.Throttled, None, 429, "harmless", 3600),
    Behaviour("wait is over", busy(f"Retry-After: {_PAST}"), e.Throttled, None, 429, "harmless", 0),
    Behaviour("gzip twice", ok(gzip.compress(_BOMB), f"{_GZIP}, gzip"), e.Unreadable, None, 200, "in doubt"),
    Behaviour("gzip in two headers", ok(gzip.compress(_BOMB), _GZIP, _GZIP), e.Unreadable, None, 200, "in doubt"),
    Behaviour("gzip twice, said once", ok(gzip.compress(_BOMB), _GZIP), e.Unreadable, None, 200, "in doubt"),
    Behaviour("brotli", ok(OK, "Content-Encoding: br"), e.Unreadable, None, 200, "in doubt"),
    Behaviour("gzip only by name", ok(OK, _GZIP), e.Unreadable, None, 200, "in doubt"),
    Behaviour("gzip cut off", ok(_PACKED[:-9], _GZIP), e.Unreadable, None, 200, "in doubt"),
    Behaviour("gzip cut off at once", ok(_PACKED[:10], _GZIP), e.Unreadable, None, 200, "in doubt"),
    Behaviour("gzip and a rest", ok(_PACKED * 2, _GZIP), e.Unreadable, None, 200, "in doubt"),
    Behaviour("gzip of nothing", without_end(_GZIP_BEGUN, _EMPTY_BLOCKS), e.AnswerTooLarge, None, 200, "in doubt"),
    Behaviour("redirect without end", without_end(_ELSEWHERE, b" " * 65536), e.Redirected, None, 302, "harmless"),
    Behaviour("headers without end", without_end(_TO_END[:-2], b"X: y\r\n" * 50), e.AnswerLost, None, None, "in doubt"),
    Behaviour("continue without end", drips(b"", _GO_ON), e.DeadlinePassed, None, None, "in doubt", slow=True),
    Behaviour("chunks that drip", drips(_CHUNKED, b"1\r\n \r\n"), e.DeadlinePassed, None, None, "in doubt", slow=True),
    Behaviour("chunk of no size", says(_CHUNKED + b"zz\r\n"), e.AnswerLost, None, None, "in doubt"),
    Behaviour("chunks cut off", says(_CHUNKED + b"5\r\nab"), e.AnswerLost, None, None, "in doubt"),
    Behaviour("lengths that differ", ok(OK, "Content-Length: 1"), e.AnswerLost, None, None, "in doubt"),
    Behaviour("switching protocols", says(b"HTTP/1.1 101 No\r\n\r\n"), e.Unreadable, None, 101, "in doubt"),
    Behaviour("status beyond", no("799 Odd", "x"), e.ServerFailure, None, 799, "in doubt"),
    Behaviour("queue full", None, e.Unreachable, None, None, "harmless"),
]  # fmt: skip
