"""The service's paths and, beside them, as little as a view can be."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as service

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


@csrf_exempt
def bare(request: HttpRequest) -> HttpResponse:
    """The ceiling of any Django view behind our middleware."""
    return HttpResponse(b"{}", content_type="application/json")


class Signed(APIView):
    """The ceiling of any DRF view that knows its caller: token, permission, limit, no database."""

    def post(self, request: Request) -> Response:
        return Response({"ok": True})


urlpatterns = [path("bench/bare", bare), path("bench/drf", Signed.as_view()), *service]
