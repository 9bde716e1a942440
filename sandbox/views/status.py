"""Service status."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from sandbox import answers, clock, instants
from sandbox.gate import keyed


@keyed
def show(request: HttpRequest) -> HttpResponse:
    """GET /1.2/status?oauth_consumer_key=… → the platform's time."""
    return answers.ok(request, {"serviceStatus": {"serverTime": instants.iso(clock.now())}})
