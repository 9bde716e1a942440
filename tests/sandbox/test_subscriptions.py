"""POST and GET /1.2/user/unlimitedStreaming."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.platform import Partner, error_of, iso

NOW = datetime.now(UTC).replace(microsecond=0)
PATH = "/1.2/user/unlimitedStreaming"


def test_accepts_a_subscription_and_journals_every_field_as_it_came(partner: Partner):
    user_id, expiry = partner.new_user(), iso(NOW + timedelta(days=9))
    answer = partner.subscribe(user_id, expiryDate=expiry, postcode="N1 7AA", activatedAt="2024-01-01T00:00:00+00:00")
    (line,) = partner.platform.journal("subscriptions", userId=user_id)

    assert answer.status_code == 200
    assert answer.json() == {"streaming": {"level": "premium", "expiryDate": expiry}}
    assert sorted(line) == sorted(
        "seq kind at call userId planCode status currency recurringFee postcode country activatedAt"
        " currentPeriodStartDate expiryDate".split()
    )
    assert line["recurringFee"] == "999"
    assert line["activatedAt"] == "2024-01-01T00:00:00+00:00"
    assert line["expiryDate"] == expiry


def test_answers_in_xml(partner: Partner):
    user_id = partner.subscriber()
    answer = partner.request("GET", PATH, accept="*/*", userId=user_id, country="GB")
    assert '<response status="ok" version="1.2"><streaming><level>premium</level><expiryDate>' in answer.text


@pytest.mark.parametrize(
    ("plan", "level"), [("standard-unlimited-streaming", "standard"), ("premium-unlimited-streaming", "premium")]
)
def test_answers_with_the_level_of_the_plan(partner: Partner, plan: str, level: str):
    assert partner.subscribe(partner.new_user(), planCode=plan).json()["streaming"]["level"] == level


def test_accepts_a_trial(partner: Partner):
    user_id = partner.new_user()
    end = iso(NOW + timedelta(days=14))
    answer = partner.subscribe(user_id, planCode="trial-unlimited-streaming", trialEndsAt=end)
    assert answer.json()["streaming"]["level"] == "trial"
    assert partner.platform.journal("subscriptions", userId=user_id)[0]["trialEndsAt"] == end


@pytest.mark.parametrize(
    "name",
    [
        "userId",
        "planCode",
        "status",
        "currency",
        "recurringFee",
        "country",
        "activatedAt",
        "currentPeriodStartDate",
        "expiryDate",
    ],
)
def test_misses_a_required_field(partner: Partner, name: str):
    assert error_of(partner.subscribe(partner.new_user(), **{name: None})) == (400, 1001, f'Missing "{name}" parameter')


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("planCode", "gold"),
        ("status", "expired"),
        ("currency", "pounds"),
        ("recurringFee", "9.99"),
        ("recurringFee", "-1"),
        ("recurringFee", "99999999999"),
        ("activatedAt", "yesterday"),
        ("activatedAt", "2024-01-01T00:00:00"),
        ("activatedAt", "2024-01-01"),
        ("activatedAt", "0001-01-01T00:00:00+14:00"),
        ("expiryDate", "2024-02-30T00:00:00Z"),
    ],
)
def test_refuses_a_wrong_field(partner: Partner, name: str, value: str):
    user_id = partner.new_user()
    assert error_of(partner.subscribe(user_id, **{name: value})) == (400, 1002, f'Invalid value for "{name}": {value}')
    assert partner.platform.journal("subscriptions", userId=user_id) == []


def test_wants_dates_in_utc(partner: Partner):
    answer = partner.subscribe(partner.new_user(), activatedAt="2024-01-01T00:00:00+02:00")
    assert error_of(answer) == (400, 1002, 'Invalid value for "activatedAt": must be UTC')


def test_names_the_broken_rules(partner: Partner):
    late = iso(NOW + timedelta(days=60))
    answer = partner.subscribe(partner.new_user(), expiryDate=late, trialEndsAt=iso(NOW + timedelta(days=1)))
    assert error_of(answer) == (
        400,
        1002,
        'Invalid value for "trialEndsAt": is only for trial plans (R4); '
        'Invalid value for "expiryDate": must be no more than 1 month from currentPeriodStartDate (R6)',
    )


def test_reads_rule_2_as_it_is_told(partner: Partner, contrarian: Partner):
    old = iso(NOW - timedelta(days=3))
    user_id = partner.new_user()
    assert error_of(partner.subscribe(user_id, currentPeriodStartDate=old))[1] == 1002
    assert contrarian.subscribe(user_id, currentPeriodStartDate=old).status_code == 200


def test_wants_a_form(partner: Partner):
    answer = partner.request("POST", PATH, body='{"planCode": "x"}', userId="x", country="GB")
    assert error_of(answer) == (400, 1001, 'Missing "planCode" parameter')


def test_takes_nothing_else_from_the_query(partner: Partner):
    answer = partner.request(
        "POST", PATH, body={"userId": "x", "country": "GB"}, planCode="premium-unlimited-streaming"
    )
    assert error_of(answer) == (400, 1001, 'Missing "planCode" parameter')


def test_takes_user_and_country_from_the_query_too(partner: Partner):
    form = {
        "planCode": "premium-unlimited-streaming", "status": "active", "currency": "EUR", "recurringFee": "0",
        "activatedAt": iso(NOW), "currentPeriodStartDate": iso(NOW), "expiryDate": iso(NOW + timedelta(days=1)),
    }  # fmt: skip
    answer = partner.request("POST", PATH, body=form, userID=partner.new_user(), country="DE")
    assert answer.status_code == 200


def test_knows_only_its_users(partner: Partner):
    assert error_of(partner.subscribe("nobody at all")) == (404, 2001, "User not found: nobody at all")
    answer = partner.request("GET", PATH, userId="nobody at all", country="GB")
    assert error_of(answer) == (404, 2001, "User not found: nobody at all")


def test_says_when_there_never_was_a_subscription(partner: Partner):
    answer = partner.request("GET", PATH, userId=partner.new_user(), country="GB")
    assert error_of(answer) == (404, 2001, "Subscription not found")


def test_accepts_the_same_twice_and_tells_the_newest(partner: Partner):
    user_id, first, second = partner.new_user(), iso(NOW + timedelta(days=5)), iso(NOW + timedelta(days=6))
    for expiry in (first, first, second):
        assert partner.subscribe(user_id, expiryDate=expiry).status_code == 200

    answer = partner.request("GET", PATH, userId=user_id, country="GB")
    assert answer.json() == {"streaming": {"level": "premium", "expiryDate": second}}
    calls = [line["call"] for line in partner.platform.journal("subscriptions", userId=user_id)]
    assert calls == list(range(calls[0], calls[0] + 3))


def test_can_add_status_everywhere(contrarian: Partner):
    answer = contrarian.subscribe(contrarian.new_user()).json()
    assert (answer["status"], answer["version"], sorted(answer)) == ("ok", "1.2", ["status", "streaming", "version"])
