"""Browsers: Debian's Chromium, driven against a service as its operator runs it. Every tab is checked at its end."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Error, Page, Response, expect, sync_playwright

from tests.journeys.conftest import House, a_house

BLOCK_SECONDS: Final = 8
PATIENCE_MS: Final = 15_000  # a busy machine draws covers and composes music
SECRETS: Final = re.compile(r"oauth_|eyJ[\w-]{10,}\.")
EXPECTED: Final = {
    (401, "/api/v1/"),  # an access token ran out: a new one is fetched
    (409, "/api/v1/streams"),  # playing elsewhere
}
# Notes what the browser would keep to itself: the audio element, which is not in the page, and what the policy forbade.
LOOK: Final = """
    window.refused = [];
    addEventListener("securitypolicyviolation", (event) => refused.push(event.violatedDirective));
    const Made = window.Audio;
    window.Audio = class extends Made { constructor() { super(); window.audio = this; } };
"""


expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str:
    """Where Chromium is, rather without a window: that takes a third of the work. Skips where there is none, except
    in CI, which must not do without."""
    known = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, known)), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium: apt-get install chromium-headless-shell")
    return found


@contextmanager
def launched(*arguments: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--disable-dev-shm-usage", *arguments])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A house whose devices wait for seconds and whose access tokens run out soon, its shelves filled."""
    chromium()
    with a_house(STREAM_BLOCK_SECONDS=str(BLOCK_SECONDS), ACCESS_TOKEN_SECONDS="1") as house:
        filled = requests.post(f"{house.sandbox}/_control/publish", json={"what": "all"}, timeout=60).json()
        assert filled["accepted"]
        yield house


@pytest.fixture(scope="module")
def browser(house: House) -> Iterator[Browser]:
    with launched("--mute-audio") as browser:
        yield browser


@dataclass
class Tab:
    """One tab as its listener sees it, and what went wrong in it."""

    page: Page
    context: BrowserContext
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch()

    def watch(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("response", self.note_refusal)
        self.page.on("console", lambda message: self.note_console(message.type, message.text))

    def note_console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith("Failed to load resource"):
            self.faults.append(text)

    def note_refusal(self, response: Response) -> None:
        path = "/" + response.url.split("/", 3)[-1]
        if response.status >= 400 and not any(response.status == s and path.startswith(p) for s, p in EXPECTED):
            self.faults.append(f"{response.status} {path}")

    def sign_in(self) -> None:
        self.page.get_by_role("button", name="Listen as the demo listener").click()
        expect(self.page.get_by_role("heading", name="Newest releases")).to_be_visible(timeout=2 * PATIENCE_MS)

    def search(self, words: str) -> None:
        self.page.get_by_role("searchbox").fill(words)
        expect(self.page.get_by_role("heading", name="Tracks")).to_be_visible()

    def play(self, title: str, *, release: str = "The Long Slipway") -> None:
        """Open the release that the track is on, and click the track."""
        self.page.get_by_role("link", name=release).click()
        self.page.locator(".tracks .open").filter(has_text=title).click()

    def time(self) -> float:
        return float(self.page.evaluate("audio.currentTime"))

    def hears(self, seconds: float = 1.0) -> None:
        """Audio is decoded, and its time moves on."""
        began = self.time()
        self.page.wait_for_timeout(100)
        for _ in range(PATIENCE_MS // 100):
            if began + seconds <= self.time() and self.page.evaluate("audio.webkitAudioDecodedByteCount") > 0:
                return
            self.page.wait_for_timeout(100)
        told = self.page.inner_text("#happened").replace("\n", " ")
        pytest.fail(f"the audio stands at {self.time():.1f} s, from {began:.1f} s; {told}")

    def plays_kept(self) -> int:
        """How many plays wait in the browser or are under way."""
        return int(self.page.evaluate("Object.keys(localStorage).filter((n) => n.startsWith('tonearm.play.')).length"))

    def crash(self) -> None:
        """The tab dies without a word; another one is opened in the same browser."""
        with suppress(Error):
            self.page.goto("chrome://crash")
        url = self.page.url.partition("#")[0]
        self.page = self.context.new_page()
        self.watch()
        self.page.goto(url)

    def happened(self, words: str) -> Any:
        """The rows of the panel that hold these words."""
        return self.page.locator("#happened li").filter(has_text=words)

    def check(self) -> None:
        """Nothing went wrong, and nothing secret lies about."""
        kept = self.page.evaluate("JSON.stringify({ ...localStorage })")
        fetched = self.page.evaluate("JSON.stringify(performance.getEntriesByType('resource'))")
        assert self.faults == []
        assert self.page.evaluate("window.refused") == []
        for text in (self.page.content(), self.page.inner_text("body"), kept, fetched, self.page.url):
            assert not SECRETS.search(text)
        assert set(self.page.evaluate("Object.keys(sessionStorage)")) <= {
            "tonearm.device", "tonearm.device.name", "tonearm.refresh",
        }  # fmt: skip


@pytest.fixture(scope="module")
def open_browser(house: House, browser: Browser) -> Callable[..., Tab]:
    def open_(**options: Any) -> Tab:
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(LOOK)
        tab = Tab(page=context.new_page(), context=context)
        tab.page.goto(f"{house.web}/listen")
        return tab

    return open_


@pytest.fixture
def open_tab(open_browser: Callable[..., Tab]) -> Iterator[Callable[..., Tab]]:
    """Opens the player in a browser of its own."""
    tabs: list[Tab] = []

    def open_(**options: Any) -> Tab:
        tabs.append(open_browser(**options))
        return tabs[-1]

    yield open_
    for tab in tabs:
        tab.check()
        tab.context.close()


@pytest.fixture(scope="module")
def long_session(open_browser: Callable[..., Tab]) -> Tab:
    tab = open_browser()
    tab.sign_in()
    return tab


@pytest.fixture
def tab(house: House, long_session: Tab) -> Iterator[Tab]:
    """A tab in which the demo listener signed in some time ago, as a new device that nobody has displaced."""
    long_session.page.evaluate("sessionStorage.removeItem('tonearm.device')")
    long_session.page.goto(f"{house.web}/listen")
    expect(long_session.page.get_by_role("heading", name="Newest releases")).to_be_visible()
    yield long_session
    long_session.check()
