"""The platform is told of periods in its words, and believed in no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from massivemusic import errors
from massivemusic.subscriptions import (
    SubscriptionStatus,
    SubscriptionTerms,
    create_subscription,
    read_subscription,
)
from tests.massivemusic.behaviours import error_json, error_xml, no, ok
from tests.massivemusic.conftest import ClientTo
from tests.massivemusic.stage import Stage, fields

NOON = datetime(2026, 11, 21, 12, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
TERMS = SubscriptionTerms(
    plan_code="premium-unlimited-streaming",
    recurring_fee=999,
    currency="GBP",
    country="GB",
    activated_at=NOON - timedelta(days=400),
    starts_at=NOON,
    expires_at=NOON + timedelta(days=30),
)


ANSWER = '{"streaming":{"level":"premium","expiryDate":"2026-12-21T11:00:00Z"}}'
STATUS = SubscriptionStatus(level="premium", expires_at=datetime(2026, 12, 21, 11, tzinfo=UTC))


def test_subscriptions_are_posted_as_a_form(client_to: ClientTo) -> None:
    with Stage(ok(ANSWER)) as stage:
        assert create_subscription(client_to(stage.origin), user_id="u 1", terms=TERMS) == STATUS
    heard = stage.heard[0]
    assert (heard.method, heard.target) == ("POST", "/1.2/user/unlimitedStreaming")
    assert heard.headers["content-type"] == "application/x-www-form-urlencoded"
    assert fields(heard.body) == {
        "userId": "u 1",
        "planCode": "premium-unlimited-streaming",
        "status": "active",
        "currency": "GBP",
        "recurringFee": "999",
        "country": "GB",
        "activatedAt": "2025-10-17T11:00:00Z",
        "currentPeriodStartDate": "2026-11-21T11:00:00Z",
        "expiryDate": "2026-12-21T11:00:00Z",
    }


def test_subscriptions_carry_a_trial_and_a_postcode(client_to: ClientTo) -> None:
    terms = replace(TERMS, trial_ends_at=NOON + timedelta(days=7), postcode="SW1A 1AA")
    with Stage(ok(ANSWER)) as stage:
        create_subscription(client_to(stage.origin), user_id="u", terms=terms)
    sent = fields(stage.heard[0].body)
    assert (sent["trialEndsAt"], sent["postcode"]) == ("2026-11-28T11:00:00Z", "SW1A 1AA")


def test_subscriptions_refuse_a_naive_instant(client_to: ClientTo) -> None:
    terms = replace(TERMS, starts_at=datetime(2026, 11, 21))  # noqa: DTZ001
    with pytest.raises(ValueError, match="naive"):
        create_subscription(client_to("http://127.0.0.1:9"), user_id="u", terms=terms)


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,
        '{"status":"ok","version":"1.2","streaming":{"level":"premium","expiryDate":"2026-12-21T12:00:00+01:00"}}',
        '{"streaming":{"level":"premium","expiryDate":"2026-12-21T11:00:00"}}',
        '<response status="ok"><streaming><level>premium</level><expiryDate>2026-12-21T11:00:00.0000000Z'
        "</expiryDate></streaming></response>",
    ],
)
def test_subscriptions_are_read(answer: str, client_to: ClientTo) -> None:
    with Stage(ok(answer)) as stage:
        assert read_subscription(client_to(stage.origin), user_id="u", country="GB") == STATUS
    heard = stage.heard[0]
    assert (heard.method, heard.target) == ("GET", "/1.2/user/unlimitedStreaming?userId=u&country=GB")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("404 No", error_json(2001, "no subscription")),
        ("200 OK", error_xml(2001, "no subscription")),
        ("403 No", error_json(2002, "no valid subscription")),
        ("200 OK", '{"status":"ok"}'),
        ("200 OK", '{"status":"ok","streaming":null}'),
        ("200 OK", '<response status="ok"><streaming/></response>'),
    ],
)
def test_subscriptions_may_be_none(status: str, body: str, client_to: ClientTo) -> None:
    with Stage(no(status, body)) as stage:
        assert read_subscription(client_to(stage.origin), user_id="u", country="GB") is None


@pytest.mark.parametrize(
    "body",
    ["", "{}", '{"streaming":{}}', '{"streaming":{"level":"x"}}', '{"streaming":"premium"}',
     '{"streaming":{"level":"x","expiryDate":"soon"}}', '{"streaming":{"level":7,"expiryDate":"2026-12-21"}}',
     '{"streaming":{"level":"x","expiryDate":1797850800}}', '{"streaming":[]}'],
)  # fmt: skip
def test_subscriptions_are_not_guessed(body: str, client_to: ClientTo) -> None:
    with Stage(ok(body)) as stage:
        client = client_to(stage.origin)
        with pytest.raises(errors.Unreadable):
            read_subscription(client, user_id="u", country="GB")
        with pytest.raises(errors.Unreadable):
            create_subscription(client, user_id="u", terms=TERMS)


def test_an_answer_without_one_is_no_confirmation(client_to: ClientTo) -> None:
    with Stage(ok('{"status":"ok"}')) as stage, pytest.raises(errors.Unreadable, match="names no subscription"):
        create_subscription(client_to(stage.origin), user_id="u", terms=TERMS)
