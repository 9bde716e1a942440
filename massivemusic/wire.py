"""One request, one answer: what `requests` leaves open is closed here.

Redirects, proxies, cookies, netrc and stacked encodings do not exist, the decoded body is capped,
and a failure says whether the request may have arrived.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from massivemusic.deadline import Journey, Pool, TLSPool, under_way
from massivemusic.errors import (
    AnswerLost,
    AnswerTooLarge,
    DeadlinePassed,
    PlatformError,
    Redirected,
    Unreachable,
    Unreadable,
)
from massivemusic.heard import heard
from massivemusic.platform import Platform

_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer as it came: HTTP status, headers (names in any case), decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Adapter(HTTPAdapter):
    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": TLSPool}

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to add: the TLS context holds all the trust there is."""


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere. Otherwise requests would read a redirect's body, of any length, to no end."""
        return


def trust() -> ssl.SSLContext:
    """TLS 1.2 or later, the public authorities, host names checked."""
    return ssl.create_default_context(cafile=certifi.where())


def open_session(tls: ssl.SSLContext) -> requests.Session:
    """A session for one thread: no environment, no cookies, no retries, connections kept alive."""
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(tls))
    return session


def exchange(session: requests.Session, request: requests.PreparedRequest, query: str, platform: Platform) -> Reply:
    """Send `request` with `query` (encoded, without its `?`) and read the whole answer.

    Raises Unreachable when no byte left; AnswerLost (DeadlinePassed) or Unreadable (AnswerTooLarge)
    when one did and no answer could be read; Redirected.
    """
    target = f"{request.path_url}?{query}" if query else request.path_url
    journey = Journey(target=target, platform=platform)
    before = under_way.set(journey)
    try:
        return _converse(session, request, platform)
    except (OSError, HTTPError) as problem:  # a RequestException is an OSError
        failure = _failure(journey, problem)
    finally:
        under_way.reset(before)
    raise failure  # out here, so that no error of a library hangs on as its context


def _failure(journey: Journey, problem: Exception) -> PlatformError:
    """What a break at this point of the journey means."""
    if not journey.sent:
        return Unreachable(journey.trouble)
    if journey.late:
        return DeadlinePassed("no complete answer in time")
    return AnswerLost(f"the connection broke before the answer was complete ({type(problem).__name__})")


def _converse(session: requests.Session, request: requests.PreparedRequest, platform: Platform) -> Reply:
    response = session.send(request, stream=True, allow_redirects=False, timeout=platform.total_seconds)
    try:
        if 300 <= response.status_code < 400:
            raise Redirected("the platform answered with a redirect", status=response.status_code)
        body = _decoded(response, platform.max_bytes)
        heard()
        return Reply(status=response.status_code, headers=response.headers, body=body)
    finally:
        response.close()  # of no effect once the body is read; until then the connection must go


def _decoded(response: requests.Response, most: int) -> bytes:
    """The body without its content encoding, of which there may be one: gzip."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    chunks = _capped(response.raw, most, response.status_code)
    if encoding in ("gzip", "x-gzip"):
        return _inflated(chunks, most, response.status_code)
    if encoding in ("", "identity"):
        return b"".join(chunks)
    raise Unreadable("the answer's content encoding is neither gzip nor identity", status=response.status_code)


def _capped(raw: Any, most: int, status: int) -> Iterator[bytes]:
    """The body in the pieces it comes in, at most `most` bytes."""
    size = 0
    while chunk := raw.read(_CHUNK, decode_content=False):
        size += len(chunk)
        if size > most:
            raise AnswerTooLarge(f"the answer has more than {most} bytes", status=status)
        yield chunk


def _inflated(chunks: Iterator[bytes], most: int, status: int) -> bytes:
    """One gzip member, at most `most` bytes; an empty body stays empty."""
    inflate, body, started = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), bytearray(), False
    for chunk in chunks:
        started = True
        try:
            body += inflate.decompress(chunk, most + 1 - len(body))
        except zlib.error:
            raise Unreadable("the answer's gzip is broken", status=status) from None
        if len(body) > most:
            raise AnswerTooLarge(f"the answer has more than {most} bytes", status=status)
    if started and (not inflate.eof or inflate.unused_data):
        raise Unreadable("the answer's gzip is not one whole member", status=status)
    return bytes(body)
