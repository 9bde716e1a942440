"""The service's paths and, beside them, as little as a view can be."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tokens import Caller, verified
from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as service

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


@csrf_exempt
def bare(request: HttpRequest) -> HttpResponse:
    """The ceiling of any Django view behind our middleware."""
    return HttpResponse(b"{}", content_type="application/json")


class Remembered(APIView):
    """The ceiling of our own DRF views: a token seen before, permission, limit, no database."""

    def post(self, request: Request) -> Response:
        return Response({"ok": True})


class CheckedEveryTime(BaseAuthentication):
    """As the usual JWT packages for DRF do it: the signature is verified at every request."""

    def authenticate(self, request: Request) -> tuple[Caller, str]:
        token = request.META["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
        return verified(token), token


class Signed(Remembered):
    """The ceiling of any DRF view with JWT."""

    authentication_classes = [CheckedEveryTime]


urlpatterns = [
    path("bench/bare", bare),
    path("bench/jwt", Signed.as_view()),
    path("bench/remembered", Remembered.as_view()),
    *service,
]
