"""Editors, curated playlists with tracks on them, and their page in a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import pytest
import requests
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect, sync_playwright

from accounts.models import User
from catalogue.models import Track
from playlists.curation import Edit, create_curated, describe, put_tracks
from playlists.models import Playlist
from tests.helpers import apply_member, track_member
from tests.journeys.conftest import ROOT, House, a_house
from tests.listen.conftest import PATIENCE_MS, chromium

PASSWORD: Final = "correct horse"
STAFF: Final = f"""
from django.contrib.auth.models import Permission
from accounts.models import User
for name, verb in [("Ada", "propose"), ("Grace", "publish")]:
    user = User.objects.create_user(f"{{name.lower()}}@example.org", "{PASSWORD}", is_staff=True, first_name=name)
    wanted = ["change_playlist", f"{{verb}}_playlist", "view_track", "view_rule", "add_rule", "change_rule"]
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
"""
CROWD = (
    "INSERT INTO catalogue_artist (id, version, name) SELECT n, 1, 'Artist ' || n FROM generate_series(10001, 15000) n",
    "INSERT INTO catalogue_track (id, release_id, artist_id, title, subtitle, isrc, disc_number, track_number,"
    " duration_seconds, explicit, search) SELECT 1000000 + n, 7001001, n, 'Song', '', 'XX' || n, 1, 1, 200, false,"
    " to_tsvector('simple', 'song ' || n) FROM generate_series(10001, 15000) n",
    "INSERT INTO catalogue_offer (release_id, track_id, use, region_id, starts_at)"
    " SELECT 7001001, 1000000 + n, 'STREAM', region_id, '2020-01-01' FROM generate_series(10001, 15000) n,"
    " (SELECT region_id FROM catalogue_offer LIMIT 1) AS o",
    "ANALYZE catalogue_artist, catalogue_track, catalogue_release, catalogue_offer, catalogue_region",
)


def edit(playlist: Playlist, by: User, *, version: int | None = None, now: datetime | None = None) -> Edit:
    """A change by somebody, of whatever version there is unless told."""
    return Edit(playlist_id=playlist.pk, version=version, by=by, now=now or timezone.now())


@pytest.fixture
def editor(db: None) -> User:
    return User.objects.create_user("ada@example.org", "correct horse", is_staff=True, first_name="Ada")


@pytest.fixture
def senior(db: None) -> User:
    return User.objects.create_user("grace@example.org", "correct horse", is_staff=True, first_name="Grace")


@pytest.fixture
def shelf_of_tracks(shelve: Callable[..., list[Track]]) -> Callable[..., list[int]]:
    """Tracks of one release, with offers of their own where they are named."""

    def put(count: int, *, release: int = 7001001, **changes: Any) -> list[int]:
        first = release % 1_000_000 * 100
        members = [
            track_member(first + number, title=f"Étude {number}", number=number, **changes)
            for number in range(1, count + 1)
        ]
        return [track.pk for track in shelve(id=release, tracks=members)]

    return put


@pytest.fixture
def draft(editor: User, shelf_of_tracks: Callable[..., list[int]]) -> Callable[..., Playlist]:
    """A curated playlist with tracks, published to nobody yet."""

    def make(*, tracks: list[int] | None = None, **facts: Any) -> Playlist:
        playlist = create_curated(name="Morning", by=editor, now=timezone.now())
        put_tracks(edit(playlist, editor), shelf_of_tracks(4) if tracks is None else tracks)
        if facts:
            describe(edit(playlist, editor), facts)
        return Playlist.objects.get(pk=playlist.pk)

    return make


@pytest.fixture
def twins(shelve: Callable[..., list[Track]]) -> Callable[..., list[int]]:
    """One recording on several releases: that of number 1 is 7003001, and so on; with offers of their own if told."""

    def put(*offers: Any, title: str = "Tide") -> list[int]:
        return [
            shelve(
                id=7_003_000 + number,
                title=f"Harbour {number}",
                tracks=[track_member(300_000 + number, title=title, isrc="GBQQQ2530000", offers=each)],
            )[0].pk
            for number, each in enumerate(offers or (None, None), 1)
        ]

    return put


@pytest.fixture
def crowd(db: None, track: Track) -> None:
    """So many other tracks that PostgreSQL knows what an index is worth."""
    with connection.cursor() as cursor:
        for statement in CROWD:
            cursor.execute(statement)


def take_down(release: int, *, version: int = 2) -> None:
    assert apply_member({"id": release, "version": version, "takedown": True}) == "applied"


# --- In a browser, against a whole service --------------------------------------------------------------------


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A house with filled shelves and two editors: Ada proposes, Grace publishes."""
    chromium()
    with a_house() as house:
        assert requests.post(f"{house.sandbox}/_control/publish", json={"what": "all"}, timeout=60).json()["accepted"]
        staff = [sys.executable, "manage.py", "shell", "-v", "0", "-c", STAFF]
        subprocess.run(staff, cwd=ROOT, env=house.environment, check=True)
        yield house


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
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
