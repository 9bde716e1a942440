"""Editors at their pages, in Chromium against a whole service."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import ROOT, House, a_house
from tests.listen.conftest import PATIENCE_MS, chromium, launched

PASSWORD: Final = "correct horse"
STAFF: Final = f"""
from django.contrib.auth.models import Permission
from accounts.models import User
for name, verb in [("Ada", "propose"), ("Grace", "publish")]:
    user = User.objects.create_user(f"{{name.lower()}}@example.org", "{PASSWORD}", is_staff=True, first_name=name)
    wanted = ["change_playlist", f"{{verb}}_playlist", "view_track", "view_rule", "add_rule", "change_rule"]
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
"""


@pytest.fixture(scope="package")
def house() -> Iterator[House]:
    """A house with filled shelves and two editors: Ada proposes, Grace publishes."""
    chromium()
    with a_house() as house:
        assert requests.post(f"{house.sandbox}/_control/publish", json={"what": "all"}, timeout=60).json()["accepted"]
        staff = [sys.executable, "manage.py", "shell", "-v", "0", "-c", STAFF]
        subprocess.run(staff, cwd=ROOT, env=house.environment, check=True)
        yield house


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="package")
def sessions(house: House, browser: Browser) -> dict[str, Any]:
    """What each editor's browser keeps once they have signed in."""
    kept: dict[str, Any] = {}
    for name in ("ada", "grace"):
        page = browser.new_page()
        page.goto(f"{house.web}/admin/login/?next=/admin/")
        page.get_by_label("Email").fill(f"{name}@example.org")
        page.locator("[name=password]").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{house.web}/admin/")
        kept[name] = page.context.storage_state()
        page.context.close()
    return kept


class Desk:
    """One editor at the page of one playlist; `faults` is what went wrong in their browser."""

    def __init__(self, page: Page, url: str, expected: set[int]) -> None:
        self.page, self.faults, self.expected = page, list[str](), expected
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("response", lambda response: self.note(response.status, response.url))
        page.goto(url)
        expect(page.locator("#standing b").first).to_be_visible()

    def note(self, status: int, url: str) -> None:
        if status >= 400 and status not in self.expected:
            self.faults.append(f"{status} {url}")

    def titles(self) -> list[str]:
        return self.page.locator("#tracks .title").all_inner_texts()

    def saved(self) -> None:
        expect(self.page.locator("#saved")).to_have_text("Saved")

    def paste(self, text: str, *, add: int) -> None:
        self.page.get_by_role("button", name="Paste…").click()
        self.page.get_by_label("Ids, ISRCs or UPCs").fill(text)
        self.page.get_by_role("button", name="Look up").click()
        self.page.get_by_role("button", name=f"Add {add:,}").click()
        expect(self.page.locator("#paste")).to_be_hidden()

    def press(self, row: int, *keys: str) -> None:
        self.page.locator("#tracks tbody tr").nth(row).focus()
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def at_desk(house: House, browser: Browser, sessions: dict[str, Any]) -> Iterator[Callable[..., Desk]]:
    """Opens the page of a playlist as ada or grace; what was expected to be refused is named by its status."""
    desks: list[Desk] = []

    def open_(who: str, url: str, *, expected: set[int] | None = None, **options: Any) -> Desk:
        context = browser.new_context(storage_state=sessions[who], viewport={"width": 1440, "height": 900}, **options)
        context.set_default_timeout(PATIENCE_MS)
        desks.append(Desk(context.new_page(), url, expected or set()))
        return desks[-1]

    yield open_
    for desk in desks:
        assert desk.page.evaluate("window.ran") is None
        desk.page.context.close()
        assert desk.faults == []


@pytest.fixture
def playlist(house: House, browser: Browser, sessions: dict[str, Any]) -> str:
    """The address of a new playlist's page, as it is begun in the list."""
    context = browser.new_context(storage_state=sessions["ada"])
    page = context.new_page()
    page.goto(f"{house.web}/admin/playlists/playlist/add/")
    page.locator("[name=name]").fill("Slow Sunday")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/curate/**")
    url = page.url
    context.close()
    return url


@pytest.fixture
def ids(house: House) -> list[int]:
    rows = house.rows("SELECT id FROM catalogue_track WHERE gone_at IS NULL AND search IS NOT NULL ORDER BY id LIMIT 5")
    return [pk for (pk,) in rows]
