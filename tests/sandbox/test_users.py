"""GET and POST /1.2/user/create."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox.platform import Partner, Platform, error_of


def test_makes_a_user_and_answers_in_xml_unless_asked_otherwise(partner: Partner):
    answer = partner.request("GET", "/1.2/user/create", accept="*/*", userId="in-xml", country="GB")
    number = partner.platform.journal("users", userId="in-xml")[0]["id"]

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert answer.text == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        f'<response status="ok" version="1.2"><user id="{number}"><type>partner</type></user></response>'
    )
    assert number > 900_000


@pytest.mark.parametrize("accept", ["application/json", "application/json, application/xml;q=0.5"])
def test_makes_a_user_and_answers_in_json(partner: Partner, accept: str):
    user_id = f"in {accept} ünd £"
    answer = partner.request("GET", "/1.2/user/create", accept=accept, userid=user_id, COUNTRY="ie")
    line = partner.platform.journal("users", userId=user_id)[0]

    assert answer.json() == {"status": "ok", "version": "1.2", "user": {"id": line["id"], "type": "partner"}}
    assert line["country"] == "IE"


def test_takes_the_same_as_a_form(partner: Partner):
    answer = partner.request("POST", "/1.2/user/create", body={"userID": "by form", "country": "GB"})
    assert answer.json()["user"]["type"] == "partner"
    assert len(partner.platform.journal("users", userId="by form")) == 1


def test_refuses_a_second_user_of_the_name(partner: Partner):
    user_id = partner.new_user()
    again = partner.request("GET", "/1.2/user/create", userId=user_id, country="IE")

    assert error_of(again) == (409, 2003, f"User already exists: {user_id}")
    assert len(partner.platform.journal("users", userId=user_id)) == 1


def test_makes_one_of_many_that_come_at_once(platform: Platform):
    partners = [Partner(platform) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda each: each.request("GET", "/1.2/user/create", userId="rush", country="GB").status_code, partners
            )
        )
    assert sorted(answers) == [200] + [409] * 7
    assert len(platform.journal("users", userId="rush")) == 1
    for each in partners:
        each.close()


@pytest.mark.parametrize(
    ("parameters", "status", "code", "message"),
    [
        ({"country": "GB"}, 400, 1001, 'Missing "userId" parameter'),
        ({"userId": "", "country": "GB"}, 400, 1001, 'Missing "userId" parameter'),
        ({"userId": "x"}, 400, 1001, 'Missing "country" parameter'),
        ({"userId": "x", "country": "XX"}, 400, 1002, "country is not valid"),
        ({"userId": "x", "country": "GBR"}, 400, 1002, "country is not valid"),
        ({"userId": "x" * 256, "country": "GB"}, 400, 1002, f'Invalid value for "userId": {"x" * 100}'),
        ({"userId": "a\0b", "country": "GB"}, 400, 1002, 'Invalid value for "userId": a\0b'),
    ],
)
def test_names_the_parameter_that_is_missing_or_wrong(partner: Partner, parameters, status, code, message):
    answer = partner.request("GET", "/1.2/user/create", **parameters)
    assert error_of(answer) == (status, code, message)


def test_accepts_255_characters(partner: Partner):
    assert partner.request("GET", "/1.2/user/create", userId="u" * 255, country="GB").status_code == 200


def test_errors_in_xml_carry_the_code_as_an_attribute(partner: Partner):
    answer = partner.request("GET", "/1.2/user/create", accept="application/xml", userId="a\x01<b>", country="XX")
    assert answer.status_code == 400
    assert answer.text == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<response status="error" version="1.2">'
        '<error code="1002"><errorMessage>country is not valid</errorMessage></error></response>'
    )


def test_can_answer_errors_with_200_as_it_once_did(differently):
    partner = Partner(differently(SANDBOX_LEGACY200="1", SANDBOX_WORKERS="1"))
    answer = partner.request("GET", "/1.2/user/create", country="GB")
    assert error_of(answer) == (200, 1001, 'Missing "userId" parameter')
    assert partner.session.get(f"{partner.platform.url}/1.2/user/create", timeout=5).status_code == 401
    partner.close()


def test_can_use_other_statuses(contrarian: Partner):
    user_id = contrarian.new_user()
    assert error_of(contrarian.request("GET", "/1.2/user/create", userId=user_id, country="GB"))[:2] == (400, 2003)


def test_tells_its_time_to_whoever_has_a_key(partner: Partner):
    url = f"{partner.platform.url}/1.2/status"
    answer = partner.fetch(f"{url}?oauth_consumer_key={partner.key}")
    assert sorted(answer.json()) == ["serviceStatus", "status", "version"]
    assert answer.json()["serviceStatus"]["serverTime"].endswith("Z")
    assert partner.fetch(url, Authorization=f"oauth_consumer_key={partner.key}").status_code == 200
    assert partner.fetch(url).text == "Access to resource denied"
    assert partner.fetch(f"{url}?oauth_consumer_key=nobody").status_code == 401
