"""RevenueCat's door: a value that was agreed, compared to the letter; stored once for ever."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from billing.actions import process_event
from billing.models import BillingEvent
from tests.billing.revenuecat_events import PATH, changed, fixture, send
from tests.helpers import Api, expect_problem, statuses_at_once

pytestmark = pytest.mark.django_db
OTHER = "another-agreed-value"


def test_keeps_a_proven_event_as_it_came(stranger: Api) -> None:
    response = send(stranger, fixture("initial_purchase"))

    assert response.status_code == 202, response.content
    event = BillingEvent.objects.get()
    assert json.loads(response.content) == {"event_id": event.event_id, "state": "WAITING"}
    assert bytes(event.body) == fixture("initial_purchase")
    assert (event.provider, event.type, event.subject) == ("revenuecat", "subscription.updated", "390001234567890")
    assert event.occurred_at == datetime(2026, 11, 1, 12, 0, 4, 679000, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_one() -> None:
    body = fixture("initial_purchase")

    assert statuses_at_once(lambda api: send(api, body)) == [202] * 100
    assert BillingEvent.objects.count() == 1


def test_a_sandbox_event_has_no_effect_where_such_do_not_count(stranger: Api, settings: Settings) -> None:
    settings.BILLING_TEST_EVENTS = False

    assert json.loads(send(stranger, changed("initial_purchase", environment="SANDBOX")).content)["state"] == "SANDBOX"

    assert process_event(event_id=BillingEvent.objects.get().pk) is None
    assert not BillingEvent.objects.about("390001234567890").exists()


def test_a_sandbox_event_counts_where_told_so(stranger: Api) -> None:
    assert json.loads(send(stranger, changed("initial_purchase", environment="SANDBOX")).content)["state"] == "WAITING"


# --- proof -----------------------------------------------------------------------------------------

FORGERIES: dict[str, Callable[[str], str]] = {
    "nothing": lambda good: "",
    "a space": lambda good: " ",
    "the scheme alone": lambda good: "Bearer",
    "the scheme and a space": lambda good: "Bearer ",
    "without the scheme": lambda good: good.removeprefix("Bearer "),
    "the scheme twice": lambda good: f"Bearer {good}",
    "another scheme": lambda good: good.replace("Bearer", "Basic"),
    "a small scheme": lambda good: good.replace("Bearer", "bearer"),
    "a tab for the space": lambda good: good.replace(" ", "\t"),
    "two spaces": lambda good: good.replace(" ", "  "),
    "no space": lambda good: good.replace(" ", ""),
    "a space before": lambda good: f" {good}",
    "a space behind": lambda good: f"{good} ",
    "cut off": lambda good: good[:-1],
    "its first letter": lambda good: good[:1],
    "longer": lambda good: good + "x",
    "twice": lambda good: good + good,
    "two with a comma": lambda good: f"{good}, {good}",
    "a comma behind": lambda good: f"{good},",
    "in capitals": lambda good: good.upper(),
    "the last letter changed": lambda good: good[:-1] + "x",
    "the first letter changed": lambda good: "b" + good[1:],
    "backwards": lambda good: good[::-1],
    "quoted": lambda good: f'"{good}"',
    "base64": lambda good: base64.b64encode(good.encode()).decode(),
    "hex": lambda good: good.encode().hex(),
    "percent": lambda good: good.replace(" ", "%20"),
    "a letter that looks alike": lambda good: good.replace("a", "á", 1),
    "a wildcard": lambda good: "*",
    "null": lambda good: "null",
    "zeros": lambda good: "0" * len(good),
    "very long": lambda good: good * 100,
}


@pytest.mark.parametrize("name", FORGERIES)
def test_keeps_forgeries_out(stranger: Api, settings: Settings, name: str) -> None:
    forged = FORGERIES[name](settings.BILLING_REVENUECAT_SECRETS[0])

    expect_problem(send(stranger, fixture("initial_purchase"), secret=forged), 401, "not_authenticated")
    assert not BillingEvent.objects.exists()


def test_wants_the_header(stranger: Api) -> None:
    expect_problem(stranger.post(PATH, fixture("initial_purchase")), 401, "not_authenticated")


def test_takes_two_values_during_rotation(stranger: Api, settings: Settings) -> None:
    old = settings.BILLING_REVENUECAT_SECRETS[0]

    for secrets, with_old, with_new in [([old], 202, 401), ([old, OTHER], 202, 202), ([OTHER], 401, 202)]:
        settings.BILLING_REVENUECAT_SECRETS = secrets
        assert send(stranger, fixture("initial_purchase"), secret=old).status_code == with_old
        assert send(stranger, fixture("initial_purchase"), secret=OTHER).status_code == with_new


def test_a_door_without_a_secret_does_not_exist(stranger: Api, settings: Settings) -> None:
    good = settings.BILLING_REVENUECAT_SECRETS[0]
    settings.BILLING_REVENUECAT_SECRETS = []

    expect_problem(send(stranger, fixture("initial_purchase"), secret=good), 404, "not_found")
    expect_problem(send(stranger, fixture("initial_purchase"), secret=""), 404, "not_found")


def test_an_oversized_event_is_refused_unread(stranger: Api) -> None:
    expect_problem(send(stranger, b" " * 65537), 413, "body_too_large")
