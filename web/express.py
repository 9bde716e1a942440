"""A shorter way through DRF for the few paths that are asked thousands of times a second."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.views import APIView

from kernel.errors import Refusal
from web.bodies import AlwaysJSON
from web.callers import IsListener
from web.exceptions import respond_validation
from web.idempotency import HEADER
from web.limits import count
from web.problems import respond_refusal


class ExpressView(APIView):
    """A view for listeners whose `post` is `express`, called without DRF's wrapping wherever all is well.

    Whoever is nobody's listener, or asks too often, is told so by DRF, as everywhere. So is whoever sends an
    `Idempotency-Key` to a view that `takes_keys`.
    """

    permission_classes = [IsListener]
    content_negotiation_class = AlwaysJSON
    limit_scope = "api"
    takes_keys = False

    @abstractmethod
    def express(self, request: HttpRequest, listener_id: UUID) -> HttpResponse:
        """Answer a POST. Raises a Refusal or a ValidationError."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        short = request.method == "POST" and not (self.takes_keys and HEADER in request.META)
        listener_id = self.listener_at(request) if short else None
        if listener_id is None or count(self.limit_scope, str(listener_id)) is not None:
            return super().dispatch(request, *args, **kwargs)
        try:
            return self.finished(self.express(request, listener_id))
        except Refusal as no:
            return self.finished(respond_refusal(no))
        except ValidationError as wrong:
            return self.finished(respond_validation(wrong))

    def listener_at(self, request: HttpRequest) -> UUID | None:
        """Who calls, where a good token says so."""
        try:
            known = self.get_authenticators()[0].authenticate(request)  # type: ignore[arg-type]  # it reads META
        except AuthenticationFailed:
            return None
        return getattr(known[0], "listener_id", None) if known else None

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        return self.finished(super().finalize_response(request, response, *args, **kwargs))

    def finished(self, response: HttpResponseBase) -> HttpResponseBase:
        """Headers that every answer of the view carries."""
        return response
