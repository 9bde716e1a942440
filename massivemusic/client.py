"""Signed calls to the platform. Chapters know the endpoints; this knows the way there and back."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

import msgspec
import requests

from massivemusic import __version__
from massivemusic.answers import Answer, understand
from massivemusic.errors import ServerFailure, Throttled
from massivemusic.oauth import Pairs, Params, Signer, encoded, joined
from massivemusic.platform import Platform
from massivemusic.shapes import whole
from massivemusic.wire import exchange, open_session, trust

__all__ = ["Client", "Platform"]

Method = Literal["GET", "POST", "PUT", "DELETE"]
JSON: Final = "application/json"
XML: Final = "application/xml"
FORM: Final = "application/x-www-form-urlencoded"
_STANDING: Final = {"Accept-Encoding": "gzip", "User-Agent": f"Tonearm/{__version__}"}


class Client:
    """One platform, one key; shared by all threads, each of which keeps its own connections.

    `tls` replaces the public authorities as the trust in the platform's certificate.
    """

    def __init__(self, platform: Platform, *, tls: ssl.SSLContext | None = None) -> None:
        self.platform = platform
        self.skew_seconds: float | None = None
        """How far the platform's clock was ahead of ours at its last answer, to the second."""
        self._signer = Signer(platform.consumer_key, platform.consumer_secret)
        self._tls = tls or trust()
        self._mine = threading.local()

    def call(
        self,
        method: Method,
        path: str,
        *,
        query: Params | None = None,
        form: Params | None = None,
        json: Any = None,
        xml: str | None = None,
        accept: Literal["application/json", "application/xml"] = "application/json",
    ) -> Answer:
        """One signed request, tried once, with a nonce and a timestamp of its own.

        `path` is below the API's base, already encoded. At most one of `form`, `json` and `xml` is
        the body; a form is part of the signature, the others are not ("Authentication").
        Raises the PlatformError that tells what happened.
        """
        url = self.platform.api_url + path
        pairs, fields = encoded(query or {}), encoded(form or {})
        kind, data = _body(None if form is None else fields, json, xml)
        signature = self._signer.header(method, url, pairs + fields)
        headers = _STANDING | kind | {"Authorization": signature, "Accept": accept}
        request = requests.Request(method, url, headers=headers, data=data).prepare()
        reply = exchange(self._session(), request, joined(pairs), self.platform)
        self._compare_clocks(reply.headers)
        return understand(
            status=reply.status, body=reply.body, retry_after=_retry_after(reply.headers, status=reply.status)
        )

    def signed_url(
        self, base: str, path: str, query: Params, *, now: datetime | None = None, nonce: str | None = None
    ) -> str:
        """A URL for a device: `base` and `path` (already encoded) with everything in the signed query.

        Whoever holds it may fetch, so it is never stored and never logged (the compliance page
        "Subscription streaming service").
        """
        return self._signer.signed_url(base + path, query, now=now, nonce=nonce)

    def picture(self, path: str, *, most: int) -> bytes | None:
        """A public picture below `image_url`, of at most so many bytes; None where there is none.

        One unsigned request, tried once; where pictures are kept, one that is not there may be forbidden. Raises the
        PlatformError that tells what happened.
        """
        url = self.platform.image_url + path
        request = requests.Request("GET", url, headers=_STANDING).prepare()
        reply = exchange(self._session(), request, "", replace(self.platform, max_bytes=most))
        wait = _retry_after(reply.headers, status=reply.status)
        if reply.status == 429:
            raise Throttled("too many pictures at once", status=reply.status, retry_after=wait)
        if reply.status >= 500:
            raise ServerFailure("the image host failed", status=reply.status, retry_after=wait)
        return reply.body if reply.status == 200 else None

    def close(self) -> None:
        """Close this thread's connections; the next call opens new ones."""
        if (session := getattr(self._mine, "session", None)) is not None:
            session.close()

    def _session(self) -> requests.Session:
        # A forked child must not write into its parent's connection.
        if getattr(self._mine, "process", None) != os.getpid():
            self._mine.session, self._mine.process = open_session(self._tls), os.getpid()
        session: requests.Session = self._mine.session
        return session

    def _compare_clocks(self, headers: Mapping[str, str]) -> None:
        if (theirs := _date(headers.get("Date"))) is not None:
            self.skew_seconds = (theirs - datetime.now(UTC)).total_seconds()


def _body(fields: Pairs | None, json: Any, xml: str | None) -> tuple[dict[str, str], bytes | None]:
    """The header and the bytes of the one body given. Raises ValueError when there are several."""
    given = {
        FORM: None if fields is None else joined(fields).encode(),
        JSON: None if json is None else msgspec.json.encode(json),
        XML: None if xml is None else xml.encode(),
    }
    bodies = [(content_type, data) for content_type, data in given.items() if data is not None]
    if len(bodies) > 1:
        raise ValueError("a request has one body")
    return ({"Content-Type": bodies[0][0]}, bodies[0][1]) if bodies else ({}, None)


def _retry_after(headers: Mapping[str, str], *, status: int) -> int | None:
    """Seconds to wait, if the platform says: Retry-After, else, where the daily quota is used up, its reset."""
    named = headers.get("Retry-After", "").strip()
    if (seconds := whole(named)) is not None:
        return seconds
    if (until := _date(named)) is not None:
        theirs = _date(headers.get("Date")) or datetime.now(UTC)  # their date against their clock
        return int((until - theirs).total_seconds())
    # These three stand on every answer, so a reset alone says nothing.
    limit, used, reset = (
        whole(headers.get(f"X-RateLimit-{name}", "").strip()) for name in ("Limit", "Current", "Reset")
    )
    used_up = limit is None or used is None or used >= limit
    return reset if status == 429 and used_up else None


def _date(text: str | None) -> datetime | None:
    """An HTTP date; None when it is none."""
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
