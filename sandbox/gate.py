"""The border every request crosses: who calls, with a signature that holds, within the quota.

Also where refusals turn into answers and where the rate headers are put on all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from sandbox import answers, oauth
from sandbox.answers import AccessDenied, Refused
from sandbox.calls import Call, Parameters
from sandbox.models import Nonce

View = Callable[..., HttpResponseBase]
Handler = Callable[[HttpRequest], HttpResponseBase]

ANYWHERE: Final = ("userid", "country", "shopid")  # may stand in the query whatever the verb
FORM: Final = "application/x-www-form-urlencoded"
CALLS: Final = "sandbox.calls"  # where in request.META the caller's calls of today are noted
NO_LIMIT: Final = 2**31 - 1  # what the headers say when there is no quota (our choice)
PRUNE_EVERY: Final = 1000

COUNT: Final = """
    INSERT INTO sandbox_usage (consumer_key, day, calls) VALUES (%(key)s, %(day)s, 1)
    ON CONFLICT (consumer_key, day) DO UPDATE SET calls = sandbox_usage.calls + 1
 RETURNING calls
"""
# One statement for every signed call. It does not wait for the disk: only what a call does must outlive a crash.
ENTER: Final = f"""
    WITH counted AS ({COUNT})
    INSERT INTO sandbox_nonce (consumer_key, timestamp, value, digest, begun, whole)
    SELECT %(key)s, %(timestamp)s, %(nonce)s, %(digest)s, false, false
      FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (consumer_key, timestamp, value) DO UPDATE SET digest = sandbox_nonce.digest
 RETURNING *, xmax = 0 AS fresh, (SELECT calls FROM counted) AS calls
"""  # noqa: S608


class Border:
    """Middleware: refusals become answers, and every answer carries the rate headers."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return rate_headers(request, self.get_response(request))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        match error:
            case Refused():
                return answers.refusal(request, error)
            case AccessDenied():
                return answers.denial(error)
            case RequestDataTooBig():
                return answers.refusal(request, Refused(1002, "Body too large"), status=413)
        return None


def rate_headers(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Put the three headers of "Usage limits" on an answer. Reset is in seconds, to midnight UTC (our choice)."""
    now = datetime.now(UTC)
    response["X-RateLimit-Limit"] = str(settings.QUOTA or NO_LIMIT)
    response["X-RateLimit-Current"] = str(request.META.get(CALLS, 0))
    response["X-RateLimit-Reset"] = str(86400 - (now.hour * 60 + now.minute) * 60 - now.second)
    return response


def by_method(**views: View) -> View:
    """One path, a view per verb. Any other verb is as unknown as an unknown path."""

    def dispatch(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        view = views.get(request.method or "")
        return view(request, **parts) if view else not_found(request)

    return dispatch


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """What the platform's router says to a path it does not know: a 401, in plain text."""
    return answers.denial(AccessDenied("Resource not found"))


def broken(request: HttpRequest) -> HttpResponse:
    """A bug of ours, in the platform's words."""
    return answers.refusal(request, Refused(9001, "Unexpected internal server error"), status=500)


def signed(view: Callable[..., HttpResponseBase]) -> View:
    """The view of an API call with a 2-legged signature; what its path names comes after request and call."""

    @wraps(view)
    def admitted(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        signature, call = _verified(request, lifetime=settings.TIMESTAMP_SECONDS)
        _, fresh = _enter(request, signature)
        if not fresh:
            raise _error("nonce already used")
        return view(request, call, **parts)

    return admitted


def signed_url(view: Callable[..., HttpResponseBase]) -> View:
    """The view of a signed media URL; what its path names comes after request and call.

    It may arrive several times: how often it serves is the view's business.
    """

    @wraps(view)
    def admitted(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        signature, call = _verified(request, lifetime=settings.STREAM_LIFETIME_SECONDS)
        nonce, _ = _enter(request, signature)
        if nonce.digest != signature.digest:
            raise _error("nonce already used")
        return view(request, replace(call, nonce=nonce), **parts)

    return admitted


def keyed(view: Callable[[HttpRequest], HttpResponseBase]) -> View:
    """The view of a call that wants a consumer key and no signature: in the query, or alone in the header."""

    @wraps(view)
    def admitted(request: HttpRequest) -> HttpResponseBase:
        header = request.headers.get("Authorization", "").replace('"', "")
        key = request.GET.get("oauth_consumer_key") or header.partition("oauth_consumer_key=")[2].partition(",")[0]
        if key not in settings.CONSUMERS:
            raise AccessDenied("Access to resource denied")
        _limit(request, calls=_count(key))
        return view(request)

    return admitted


def _verified(request: HttpRequest, *, lifetime: float) -> tuple[oauth.Signature, Call]:
    """The signature, if it holds and is younger than `lifetime` seconds, and what it covers."""
    try:
        wire = _as_signed(request)
        signature = oauth.read(wire)
        query, form = oauth.form_pairs(wire.query), oauth.form_pairs(wire.form)
    except oauth.NoKey:
        raise AccessDenied("Access to resource denied") from None
    except oauth.Unsigned as error:
        raise _error(str(error)) from None
    secret = settings.CONSUMERS.get(signature.consumer_key)
    if secret is None:
        raise AccessDenied("Access to resource denied")
    age = time.time() - signature.timestamp
    if age > lifetime or age < -settings.TIMESTAMP_SECONDS:
        raise _error("expired timestamp")
    if not oauth.fits(signature, request=wire, origins=settings.PUBLIC_ORIGINS, secret=secret):
        raise _error("invalid signature")
    if len(signature.nonce) > 255 or "\0" in signature.nonce:
        raise _error("invalid nonce")
    form += [pair for pair in query if wire.method == "GET" or pair[0].lower() in ANYWHERE]
    return signature, Call(query=Parameters(query), form=Parameters(form))


def _as_signed(request: HttpRequest) -> oauth.Request:
    """The request as its signature sees it. A HEAD goes by the URL that was signed for GET (our choice)."""
    is_form = request.method == "POST" and (request.content_type or "").lower() == FORM
    return oauth.Request(
        method="GET" if request.method == "HEAD" else request.method or "",
        path=request.path,
        query=request.META.get("QUERY_STRING", ""),
        header=request.headers.get("Authorization", ""),
        form=request.body.decode(errors="replace") if is_form else "",
    )


def _enter(request: HttpRequest, signature: oauth.Signature) -> tuple[Nonce, bool]:
    """Note the call and its nonce; the nonce, and whether it is new: the unique key decides. Raises 429."""
    wish = {
        "key": signature.consumer_key,
        "day": datetime.now(UTC).date(),
        "timestamp": signature.timestamp,
        "nonce": signature.nonce,
        "digest": signature.digest,
    }
    nonce: Any = Nonce.objects.raw(ENTER, wish)[0]
    if nonce.fresh and nonce.pk % PRUNE_EVERY == 0:
        longest = max(settings.TIMESTAMP_SECONDS, settings.STREAM_LIFETIME_SECONDS) + settings.TIMESTAMP_SECONDS
        Nonce.objects.filter(timestamp__lt=int(time.time() - longest)).delete()
    _limit(request, calls=nonce.calls)
    return nonce, nonce.fresh


def _count(consumer_key: str) -> int:
    """Count one more call of today; how many that makes."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"key": consumer_key, "day": datetime.now(UTC).date()})
        return int(cursor.fetchone()[0])


def _limit(request: HttpRequest, *, calls: int) -> None:
    """Tell the headers how far the day's quota is used, and refuse what goes beyond it."""
    request.META[CALLS] = calls
    if settings.QUOTA and calls > settings.QUOTA:
        raise AccessDenied("Usage limit exceeded", status=429)


def _error(reason: str) -> AccessDenied:
    return AccessDenied(f"OAuth authentication error: {reason}")
