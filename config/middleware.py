"""Django's middleware, each on the paths that need it, and the answer to a database that is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib.auth.middleware import AuthenticationMiddleware as DjangoAuthentication
from django.contrib.messages.middleware import MessageMiddleware as DjangoMessages
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessions
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware as DjangoConditionalGet
from django.utils.deprecation import MiddlewareMixin
from simple_history.models import HistoricalRecords

from web.problems import is_database_away, respond_database_away

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class Scoped(MiddlewareMixin):
    """Mixed in before a middleware of Django's: it runs on requests below `prefixes` only."""

    prefixes: ClassVar[tuple[str, ...]] = ("/admin/", "/_allauth/")

    def __call__(self, request: HttpRequest) -> Any:
        if request.path.startswith(self.prefixes):
            return super().__call__(request)
        return self.get_response(request)


class SessionMiddleware(Scoped, DjangoSessions):
    pass


class AuthenticationMiddleware(Scoped, DjangoAuthentication):
    pass


class MessageMiddleware(Scoped, DjangoMessages):
    pass


class ConditionalGetMiddleware(Scoped, DjangoConditionalGet):
    """ETag and 304 for what phones read again and again."""

    prefixes = ("/api/v1/catalogue/", "/api/v1/playlists")

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return response if response.status_code >= 400 else super().process_response(request, response)


class HistoryMiddleware(Scoped):
    """Lets the history of a row know who changed it in the admin."""

    prefixes = ("/admin/",)

    def process_request(self, request: HttpRequest) -> None:
        HistoricalRecords.context.request = request

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        del HistoricalRecords.context.request
        return response


class UnavailableMiddleware:
    """503 with Retry-After where the database is away, on paths that DRF does not answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return respond_database_away() if is_database_away(error) else None
