"""The page of the player, what it may load, and whom it lets listen."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Listener, User
from billing.models import BillingEvent
from subscriptions.models import Subscription

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def kept_here(settings: Settings, tmp_path: Path) -> None:
    """Where the demo listener's password is made up."""
    settings.VAR_DIR = tmp_path


def ask(client: Client) -> dict[str, str]:
    answer = client.post("/listen/demo")
    assert answer.status_code == 200, answer.content
    assert answer.headers["Cache-Control"] == "no-store"
    login: dict[str, str] = json.loads(answer.content)
    return login


def test_the_page_may_load_its_own_files_and_the_platforms_sound_and_pictures(
    client: Client, settings: Settings
) -> None:
    hosts = {"stream_url": "https://stream.example.net/x", "media_url": "https://media.example.net"}
    settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | hosts | {"image_url": "https://art.example.com/covers"}

    answer = client.get("/listen")

    rules: dict[str, str] = {}
    for rule in answer.headers["Content-Security-Policy"].split("; "):
        name, _, sources = rule.partition(" ")
        rules[name] = sources
    assert rules["default-src"] == "'self'"
    assert rules["media-src"] == "https://media.example.net https://stream.example.net"
    assert rules["img-src"] == "'self' https://art.example.com"
    assert not any("unsafe" in sources or "*" in sources for sources in rules.values())
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_page_has_no_script_or_style_of_its_own(client: Client) -> None:
    text = client.get("/listen").content.decode()

    assert re.findall(r"<script[^>]*>", text) == ['<script type="module" src="/static/listen/main.js">']
    assert not re.search(r"<style|\sstyle=|\son\w+=|https?://", text)


def test_every_file_the_player_asks_for_is_there() -> None:
    folder = ROOT / "static" / "listen"
    asked = {name for path in folder.glob("*.js") for name in re.findall(r'from "\./([\w.]+)"', path.read_text())}

    assert asked == {path.name for path in folder.glob("*.js")} - {"main.js"}
    assert not any(
        re.search(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(", p.read_text()) for p in folder.glob("*.js")
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("kept_here")
def test_the_demo_listener_is_subscribed_and_can_sign_in(client: Client) -> None:
    login = ask(client)

    answer = client.post("/_allauth/app/v1/auth/login", login, content_type="application/json")
    assert answer.status_code == 200, answer.content
    token = json.loads(answer.content)["meta"]["access_token"]
    mine = client.get("/api/v1/subscription", headers={"Authorization": f"Bearer {token}"})
    assert json.loads(mine.content)["status"] == "ACTIVE"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("kept_here")
def test_every_visitor_is_the_same_listener_with_one_subscription(client: Client) -> None:
    assert ask(client) == ask(client)

    assert (Listener.objects.count(), Subscription.objects.count(), BillingEvent.objects.count()) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("kept_here")
def test_a_demo_listener_who_has_left_comes_back_as_another(client: Client) -> None:
    ask(client)
    User.objects.all().delete()

    ask(client)

    assert Listener.objects.exclude(user=None).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_a_demo_listener_is_made_by_post_alone(client: Client, method: str) -> None:
    answer: Any = getattr(client, method)("/listen/demo")

    assert answer.status_code == 405
    assert not User.objects.exists()


@pytest.mark.django_db
def test_nobody_is_made_up_in_production(client: Client, settings: Settings) -> None:
    settings.PRODUCTION = True

    answer = client.post("/listen/demo")

    assert answer.status_code == 404
    assert not User.objects.exists()
    assert b"demo listener" not in client.get("/listen").content
