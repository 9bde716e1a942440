"""Every operation in our own OpenAPI document, called with whatever it allows and whatever it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from accounts.models import Listener
from catalogue.models import Track
from config.wsgi import application
from tests.helpers import token_for


def not_our_fault(ctx: Any, response: Any, case: Any) -> None:
    """A neighbour who is away, which here all of them are, is a 503; anything else from 500 on is a bug."""
    assert response.status_code < 500 or response.status_code == 503, response.status_code


CHECKS = [not_our_fault, content_type_conformance, response_schema_conformance]
schema = schemathesis.openapi.from_wsgi(
    "/api/v1/schema", application, headers={"Accept": "application/vnd.oai.openapi+json"}
)


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """The test's transaction, which Django would close at the end of a request that no test client sent."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.django_db
@pytest.mark.usefixtures("kept_connection")
@schema.parametrize()
@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_as_documented(case: Any, subscriber: Listener, track: Track) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {token_for(subscriber)}"}, checks=CHECKS)
