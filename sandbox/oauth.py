"""OAuth 1.0a as RFC 5849 describes it, as much of it as a server needs that has no user tokens.

Pure: text in, verdict out. Clocks, stored nonces and consumer secrets are the gate's business.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

Pairs = list[tuple[str, str]]

DEFAULT_PORTS = {"http": 80, "https": 443}
HEADER_ITEM = re.compile(r'\s*([^=\s,"]+)="([^"]*)"\s*(?:,|\Z)')


class Unsigned(Exception):
    """The request carries no complete, readable signature. The message is fit for the answer's body."""


class NoKey(Unsigned):
    """It does not even say whose it is."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The parts of an HTTP request that RFC 5849 looks at.

    `query` is the raw query string; `form` the raw body where it is a single-part form, else
    empty: JSON and XML bodies are never part of a signature.
    """

    method: str
    path: str
    query: str = ""
    header: str = ""
    form: str = ""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a signed request claims. `pairs` is all that `digest` covers; `timestamp` is in seconds since 1970."""

    consumer_key: str
    timestamp: int
    nonce: str
    digest: str
    pairs: Pairs


def read(request: Request) -> Signature:
    """Find the signature in the Authorization header, the query or the form (section 3.1).

    Raises Unsigned, naming what is missing, unreadable or of a kind the platform does not take.
    """
    pairs = collect(request)
    protocol: dict[str, str] = {}
    for name, value in pairs:
        if name.startswith("oauth_") and protocol.setdefault(name, value) != value:
            raise Unsigned(f"conflicting values for {name}")
    if not protocol.get("oauth_consumer_key"):
        raise NoKey("missing oauth_consumer_key")
    for name in ("oauth_signature_method", "oauth_signature", "oauth_timestamp", "oauth_nonce"):
        if not protocol.get(name):
            raise Unsigned(f"missing {name}")
    if protocol["oauth_signature_method"] != "HMAC-SHA1":
        raise Unsigned("unsupported oauth_signature_method")
    if protocol.get("oauth_version", "1.0") != "1.0":
        raise Unsigned("unsupported oauth_version")
    if protocol.get("oauth_token"):
        raise Unsigned("unknown oauth_token")  # partner users are named by userId, never by a token
    if not re.fullmatch(r"[0-9]{1,12}", protocol["oauth_timestamp"]):
        raise Unsigned("invalid oauth_timestamp")
    return Signature(
        consumer_key=protocol["oauth_consumer_key"],
        timestamp=int(protocol["oauth_timestamp"]),
        nonce=protocol["oauth_nonce"],
        digest=protocol["oauth_signature"],
        pairs=[(name, value) for name, value in pairs if name != "oauth_signature"],
    )


def collect(request: Request) -> Pairs:
    """All parameters of the request (section 3.4.1.3.1).

    A protocol parameter that comes twice with one value counts once: a widespread client sends
    its key in the header and in the query but signs it a single time.
    """
    pairs: Pairs = []
    for pair in [*header_pairs(request.header), *form_pairs(request.query), *form_pairs(request.form)]:
        if not (pair[0].startswith("oauth_") and pair in pairs):
            pairs.append(pair)
    return pairs


def header_pairs(header: str) -> Pairs:
    """The parameters of an `Authorization: OAuth …` header without its realm; none for any other scheme."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "oauth":
        return []
    pairs, position = [], 0
    while position < len(rest):
        item = HEADER_ITEM.match(rest, position)
        if item is None:
            raise Unsigned("unreadable Authorization header")
        position = item.end()
        pairs.append((unescape(item[1]), unescape(item[2])))
    return [pair for pair in pairs if pair[0].lower() != "realm"]


def form_pairs(text: str) -> Pairs:
    """Decode a query string or a form body. Raises Unsigned where it is not UTF-8."""
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise Unsigned("parameters are not UTF-8") from error


def unescape(text: str) -> str:
    """Undo percent-encoding; a plus sign stays one. Raises Unsigned where the result is not UTF-8."""
    try:
        return unquote(text, errors="strict")
    except ValueError as error:
        raise Unsigned("parameters are not UTF-8") from error


def fits(signature: Signature, *, request: Request, origins: Iterable[str], secret: str) -> bool:
    """Whether `secret` signed this request for one of `origins` (`http://host:port`).

    The origins come from settings: clients have been seen to send a Host header without the
    port they signed, and a Host header proves nothing anyway. Compared in constant time.
    """
    given = signature.digest.encode()
    verdicts = [
        hmac.compare_digest(given, sign(base_string(request.method, origin + request.path, signature.pairs), secret))
        for origin in origins
    ]
    return any(verdicts)


def sign(base: str, secret: str, token_secret: str = "") -> bytes:
    """HMAC-SHA1 of a base string, in base64 (section 3.4.2)."""
    key = f"{escape(secret)}&{escape(token_secret)}"
    return b64encode(hmac.digest(key.encode(), base.encode(), "sha1"))


def base_string(method: str, url: str, pairs: Pairs) -> str:
    """The text that is signed (section 3.4.1.1). `url` has neither query nor fragment."""
    encoded = sorted((escape(name), escape(value)) for name, value in pairs)
    parameters = "&".join(f"{name}={value}" for name, value in encoded)
    return "&".join([method.upper(), escape(base_url(url)), escape(parameters)])


def base_url(url: str) -> str:
    """Scheme and host in lower case, the default port left out (section 3.4.1.2)."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    if parts.port and parts.port != DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    return f"{parts.scheme}://{host}{parts.path or '/'}"


def escape(text: str) -> str:
    """Percent-encoding in which only letters, digits and `-._~` stay themselves (section 3.6)."""
    return quote(text, safe="~")
