"""Where the platform lives and how long we wait for it: plain values, checked once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Final

# A white list: no user info, query, fragment, backslash, space or empty segment can pass it.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[a-z0-9._~%-]+)*)/?",
    re.IGNORECASE | re.ASCII,
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URLS: Final = ("api_url", "stream_url", "media_url", "previews_url", "image_url")


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Five base URLs, one consumer key, and the limits of a call.

    URLs are kept without a trailing slash or a default port; an `api_url` without a path gets
    `/1.2`. A call may take `connect_seconds` until the connection stands (name, TCP and TLS
    together) and `total_seconds` in all; its decoded answer may have `max_bytes`. A connection
    idle for `idle_seconds` is replaced, because the far end may be about to close it.

    Raises ValueError naming the setting, never quoting its value.
    """

    api_url: str
    stream_url: str
    media_url: str
    previews_url: str
    image_url: str
    consumer_key: str
    consumer_secret: str = field(repr=False)
    allow_http: bool = False
    connect_seconds: float = 2.0
    total_seconds: float = 8.0
    idle_seconds: float = 4.0
    max_bytes: int = 1024 * 1024

    def __post_init__(self) -> None:
        for name in _URLS:
            # The one place where a frozen value is still being made.
            object.__setattr__(self, name, self._base_url(name))
        for name in ("consumer_key", "consumer_secret"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty")
        for name in ("connect_seconds", "total_seconds", "idle_seconds", "max_bytes"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be more than zero")

    def _base_url(self, name: str) -> str:
        parts = _URL.fullmatch(getattr(self, name))
        if parts is None:
            raise ValueError(f"{name} must be an absolute URL without user info, query or fragment")
        scheme, port = parts["scheme"].lower(), int(parts["port"] or 0)
        if scheme != "https" and not self.allow_http:
            raise ValueError(f"{name} must be https")
        if port > 65535:
            raise ValueError(f"{name} has an impossible port")
        at = "" if port in (0, _DEFAULT_PORTS[scheme]) else f":{port}"
        path = parts["path"] or ("/1.2" if name == "api_url" else "")
        return f"{scheme}://{parts['host'].lower()}{at}{path}"
