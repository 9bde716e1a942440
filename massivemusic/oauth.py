"""OAuth 1.0a as the platform wants it of partners: HMAC-SHA1, no user token (RFC 5849).

One signer serves both places where a signature may stand: the Authorization header of our own
calls, and the query of a URL that is handed to a device.
"""

from __future__ import annotations

import binascii
import functools
import hmac
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

Params = Mapping[str, str | int]
Pairs = list[tuple[str, str]]  # names and values, both percent-encoded

_DEFAULT_PORTS = {"http": 80, "https": 443}


def encode(text: str) -> str:
    """Percent-encode all but the unreserved characters; a space becomes %20 (RFC 5849 §3.6)."""
    if text.isascii() and text.isalnum():  # most are: ids, numbers, names
        return text
    return quote(text, safe="~")


def encoded(params: Params) -> Pairs:
    """Parameters in their order, encoded; integers in decimal."""
    return [(encode(name), encode(str(value))) for name, value in params.items()]


def joined(pairs: Pairs) -> str:
    """The pairs as a query string or a form body."""
    return "&".join([f"{name}={value}" for name, value in pairs])


@functools.lru_cache(maxsize=1024)
def _base_uri(url: str) -> str:
    """Scheme and authority in lower case, no default port, no query (§3.4.1.2); encoded."""
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.netloc.lower()
    return encode(f"{scheme}://{host.removesuffix(f':{_DEFAULT_PORTS.get(scheme)}')}{parts.path or '/'}")


def base_string(method: str, url: str, pairs: Pairs) -> str:
    """What is signed (§3.4.1). `pairs` are those of query, form body and OAuth together."""
    # Encoded pairs hold nothing else that a second encoding would change.
    normal = joined(sorted(pairs)).replace("%", "%25").replace("=", "%3D").replace("&", "%26")
    return f"{method.upper()}&{_base_uri(url)}&{normal}"


class Signer:
    """One consumer key. Safe under threads; its repr shows no secret."""

    def __init__(self, key: str, secret: str) -> None:
        self._key = encode(key)
        # Keying costs two SHA-1 blocks; a copy of the keyed state saves them at every signature.
        self._keyed = hmac.new(f"{encode(secret)}&".encode(), digestmod="sha1")

    def signature(self, method: str, url: str, pairs: Pairs) -> str:
        """Base64 HMAC-SHA1 over the base string (§3.4.2), not yet encoded."""
        mac = self._keyed.copy()
        mac.update(base_string(method, url, pairs).encode())
        return binascii.b2a_base64(mac.digest(), newline=False).decode()

    def header(
        self, method: str, url: str, pairs: Pairs, *, now: datetime | None = None, nonce: str | None = None
    ) -> str:
        """The Authorization header (§3.5.1); `pairs` are those of the query and a form body."""
        ours = self._oauth(now, nonce)
        ours.append(("oauth_signature", encode(self.signature(method, url, pairs + ours))))
        return "OAuth " + ", ".join([f'{name}="{value}"' for name, value in ours])

    def signed_url(self, url: str, params: Params, *, now: datetime | None = None, nonce: str | None = None) -> str:
        """A GET of `url` with everything in the query (§3.5.3): whoever holds it may fetch it."""
        pairs = encoded(params) + self._oauth(now, nonce)
        return f"{url}?{joined(pairs)}&oauth_signature={encode(self.signature('GET', url, pairs))}"

    def _oauth(self, now: datetime | None, nonce: str | None) -> Pairs:
        """The protocol parameters, with a nonce and a timestamp never used before unless given."""
        return [
            ("oauth_nonce", encode(nonce or secrets.token_hex(16))),
            ("oauth_timestamp", str(int(now.timestamp() if now else time.time()))),
            ("oauth_version", "1.0"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_consumer_key", self._key),
        ]
