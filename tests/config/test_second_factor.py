"""No page of the admin opens for a password alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.factors import shown
from accounts.models import Listener, SecondFactor, User
from accounts.totp import code_at, step_at
from catalogue.models import Track
from config.settings import LIMITS
from tests.config.desks import extra_pages, page, rows_for

pytestmark = pytest.mark.django_db

INDEX, LOGIN, FACTOR = "/admin/", "/admin/login/", "/admin/second-factor/"
ADA = {"username": "ada@example.org", "password": "correct horse"}


@pytest.fixture(autouse=True)
def required(settings: Settings) -> None:
    settings.ADMIN_SECOND_FACTOR = "required"


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_superuser(ADA["username"], ADA["password"])


@pytest.fixture
def app(ada: User) -> tuple[str, list[str]]:
    """Ada's second factor, set up at her first sign-in: its secret and recovery codes."""
    client = with_password()
    secret = client.get(FACTOR).context["secret"]
    kept = client.post(FACTOR, {"code": code(secret)})
    return secret, kept.context["codes"]


def with_password() -> Client:
    client = Client()
    assert client.post(f"{LOGIN}?next=/admin/usage/play/", ADA).status_code == 302
    return client


def code(secret: str, *, steps: int = 0) -> str:
    return code_at(secret, step_at(timezone.now()) + steps)


def wrong(secret: str) -> str:
    """Six digits that are no code now."""
    near = {code(secret, steps=steps) for steps in range(-3, 4)}
    return next(f"{number:06}" for number in range(8) if f"{number:06}" not in near)


def is_in(client: Client) -> bool:
    return client.get(INDEX).status_code == 200


# --- The password alone ---------------------------------------------------------------------------------


def test_every_page_asks_for_more_than_the_password(ada: User, listener: Listener, track: Track) -> None:
    rows, client = rows_for(listener, track), with_password()
    pages = [
        page(row, name, *args)
        for row in rows.values()
        for name, args in [
            ("changelist", ()),
            ("add", ()),
            ("change", (row.pk,)),
            ("delete", (row.pk,)),
            ("history", (row.pk,)),
        ]
    ]
    pages += [address for _, address in extra_pages(rows)]
    pages += [reverse(f"admin:{name}") for name in ("index", "search", "autocomplete", "password_change", "jsi18n")]

    for address in pages:
        for answer in (client.get(address), client.post(address, {})):
            away = answer.headers.get("Location", "").startswith(LOGIN)
            assert answer.status_code == 403 or away, address


def test_a_session_from_before_it_was_required_opens_nothing(ada: User, settings: Settings) -> None:
    settings.ADMIN_SECOND_FACTOR = "off"
    client = with_password()
    assert is_in(client)

    settings.ADMIN_SECOND_FACTOR = "required"

    assert not is_in(client)


def test_where_it_is_off_the_password_is_enough(ada: User, settings: Settings) -> None:
    settings.ADMIN_SECOND_FACTOR = "off"
    client = with_password()

    assert is_in(client)
    assert client.get(FACTOR).headers["Location"] == INDEX


def test_a_listener_sets_none_up(listener: Listener, client: Client) -> None:
    client.force_login(listener.user)

    assert client.get(FACTOR).headers["Location"] == LOGIN
    assert not is_in(client)


def test_guesses_at_the_password_are_counted_as_those_of_listeners(ada: User, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "3/5m/key"}
    for _ in range(3):
        assert b"Too many" not in Client().post(LOGIN, ADA | {"password": "wrong"}).content

    assert b"Too many" in Client().post(LOGIN, ADA).content


# --- Setting it up --------------------------------------------------------------------------------------


def test_the_first_sign_in_sets_it_up_and_leads_on(ada: User) -> None:
    client = with_password()
    asked = client.get("/admin/usage/play/", follow=True)
    assert asked.templates[0].name == "admin/accounts/second_factor.html"
    assert b"<svg" in asked.content

    kept = client.post(f"{FACTOR}?next=/admin/usage/play/", {"code": code(asked.context["secret"])})

    assert len(set(kept.context["codes"])) == 10
    assert b'href="/admin/usage/play/"' in kept.content
    assert client.get("/admin/usage/play/").status_code == 200
    assert LogEntry.objects.get().get_change_message() == "Set up a second factor"


def test_a_wrong_code_sets_nothing_up_and_keeps_the_secret(ada: User) -> None:
    client = with_password()
    secret = client.get(FACTOR).context["secret"]

    again = client.post(FACTOR, {"code": wrong(secret)})

    assert again.context["secret"] == secret
    assert not SecondFactor.objects.exists()
    assert not is_in(client)


def test_each_look_at_the_page_makes_another_secret(ada: User) -> None:
    client = with_password()
    seen = client.get(FACTOR).context["secret"]
    assert with_password().get(FACTOR).context["secret"] != client.get(FACTOR).context["secret"] != seen

    client.post(FACTOR, {"code": code(seen)})

    assert not is_in(client)


def test_a_second_one_cannot_be_set_up_beside_the_first(app: Any) -> None:
    client = with_password()
    shown = client.get(FACTOR)

    assert "secret" not in shown.context
    assert b"<svg" not in shown.content


def test_of_two_browsers_that_set_it_up_one_does(ada: User) -> None:
    one, two = with_password(), with_password()
    secrets = [client.get(FACTOR).context["secret"] for client in (one, two)]

    for client, secret in zip((one, two), secrets, strict=True):
        client.post(FACTOR, {"code": code(secret)})

    assert (is_in(one), is_in(two)) == (True, False)


def test_neither_rows_nor_sessions_tell_the_secret(app: Any, ada: User) -> None:
    secret, codes = app
    client = with_password()
    row = SecondFactor.objects.values().get()

    assert secret not in str(row)
    assert not any(each in str(row) for each in codes)
    client.get(FACTOR)
    SecondFactor.objects.all().delete()
    pending = client.get(FACTOR).context["secret"]
    assert pending not in str(dict(client.session))


# --- Showing it -----------------------------------------------------------------------------------------


def test_a_code_lets_in_under_a_new_session_key(app: Any) -> None:
    client = with_password()
    before = client.session.session_key

    client.post(FACTOR, {"code": code(app[0], steps=1)})

    assert is_in(client)
    assert client.session.session_key != before


def test_no_code_is_good_twice(app: Any) -> None:
    now = code(app[0], steps=1)
    with_password().post(FACTOR, {"code": now})
    client = with_password()

    for used in (now, code(app[0])):
        assert b"has been used before" in client.post(FACTOR, {"code": used}).content
    assert not is_in(client)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["code", "recovery code"])
def test_of_eight_who_show_one_code_at_once_one_is_let_in(app: Any, ada: User, kind: str) -> None:
    text, together = code(app[0], steps=1) if kind == "code" else app[1][0], Barrier(8)

    def show(_: int) -> bool:
        together.wait()
        try:
            return shown(user=ada, code=text, now=timezone.now()) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(show, range(8))) == 1


def test_after_too_many_codes_not_even_the_right_one_is_taken(app: Any, settings: Settings) -> None:
    settings.LIMITS = settings.LIMITS | {"second_factor": (5, 3600)}
    for _ in range(5):
        with_password().post(FACTOR, {"code": wrong(app[0])})
    client = with_password()

    answer = client.post(FACTOR, {"code": code(app[0], steps=1)})

    assert b"Too many codes" in answer.content
    assert not is_in(client)


def test_the_limit_holds_in_development_too() -> None:
    assert LIMITS["second_factor"] == (10, 3600)


@pytest.mark.parametrize("typed", [str, str.lower, lambda text: text.replace("-", " ")])
def test_a_recovery_code_is_good_once(app: Any, typed: Any) -> None:
    client = with_password()
    client.post(FACTOR, {"code": typed(app[1][3])})
    assert is_in(client)
    assert "10 before, 9 left" in LogEntry.objects.latest("pk").get_change_message()

    again = with_password()
    again.post(FACTOR, {"code": app[1][3]})

    assert not is_in(again)


@pytest.mark.parametrize("text", ["", " ", "-", "x" * 40, "x" * 41, "\x00", "１２３４５６", "é" * 6])
def test_nonsense_is_refused_in_words(app: Any, text: str) -> None:
    answer = with_password().post(FACTOR, {"code": text})

    assert answer.status_code == 200
    assert answer.context["form"].errors["code"]


def test_another_persons_code_lets_nobody_in(app: Any) -> None:
    eve = User.objects.create_superuser("eve@example.org", "correct horse")
    client = Client()
    client.force_login(eve)
    client.get(FACTOR)

    client.post(FACTOR, {"code": code(app[0], steps=1)})

    assert not is_in(client)


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_one_is_led_to_no_other_site(app: Any, elsewhere: str) -> None:
    answer = with_password().post(f"{FACTOR}?next={elsewhere}", {"code": code(app[0], steps=1)})

    assert answer.headers["Location"] == INDEX


def test_one_may_leave_instead(app: Any) -> None:
    client = with_password()

    assert client.post(FACTOR, {"leave": ""}).headers["Location"] == LOGIN
    assert "_auth_user_id" not in client.session


def test_a_new_secret_key_keeps_it_as_long_as_the_earlier_one_is_named(app: Any, settings: Settings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another" * 8, [settings.SECRET_KEY]
    with_password().post(FACTOR, {"code": code(app[0], steps=1)})
    settings.SECRET_KEY_FALLBACKS = []
    SecondFactor.objects.update(step=0)
    client = with_password()

    client.post(FACTOR, {"code": code(app[0])})

    assert is_in(client)


def test_without_its_key_it_is_no_error_and_a_recovery_code_still_helps(app: Any, settings: Settings) -> None:
    settings.SECRET_KEY = "another" * 8
    client = with_password()
    assert client.post(FACTOR, {"code": code(app[0], steps=1)}).status_code == 200
    assert not is_in(client)

    client.post(FACTOR, {"code": app[1][0]})

    assert is_in(client)


# --- Losing it ------------------------------------------------------------------------------------------


def test_a_superuser_resets_it_and_open_sessions_end(app: Any, ada: User) -> None:
    lost, boss = with_password(), Client()
    lost.post(FACTOR, {"code": code(app[0], steps=1)})
    eve = User.objects.create_superuser("eve@example.org", "correct horse")
    boss.force_login(eve)
    boss.post(FACTOR, {"code": code(boss.get(FACTOR).context["secret"])})

    boss.post(page(User), {"action": "reset_second_factor", "_selected_action": [ada.pk]})

    assert not is_in(lost)
    assert "secret" in lost.get(FACTOR).context
    last = LogEntry.objects.latest("pk")
    found = with_password()
    found.post(FACTOR, {"code": code(found.get(FACTOR).context["secret"])})
    assert (is_in(found), is_in(lost)) == (True, False)
    assert (last.user, last.object_id, last.get_change_message()) == (eve, str(ada.pk), "Reset the second factor")


def test_the_command_line_resets_it(app: Any, ada: User) -> None:
    call_command("reset_second_factor", "ADA@example.org")

    assert not SecondFactor.objects.exists()
    assert LogEntry.objects.latest("pk").get_change_message() == "Second factor reset on the command line"


@pytest.mark.parametrize("email", ["nobody@example.org", "ada@example.org"])
def test_the_command_line_says_what_it_cannot_reset(ada: User, email: str) -> None:
    with pytest.raises(CommandError, match=r"there is no such login$|this login has no second factor$"):
        call_command("reset_second_factor", email)
