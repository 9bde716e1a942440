"""The editors' pages for whoever does not see them, has no mouse, or holds a tablet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import House
from tests.playlists.pages.conftest import Desk

GRAVE: Final = {"serious", "critical"}
SCHEMES: Final = ["light", "dark"]
TABLETS: Final = [(768, 1024), (1280, 800)]  # the narrowest, and one that lies or is a small laptop
DIALOGS: Final = ["Preview", "History", "Publish…", "Paste…", "Move to…"]
Open = Callable[..., Desk]


def findings(page: Page) -> list[str]:
    """What axe finds that keeps somebody out: the rule, and where."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


@pytest.fixture
def page_at(house: House, browser: Browser, sessions: dict[str, Any]) -> Callable[..., Any]:
    """Opens a page of the service, as ada unless told, for as long as it is looked at."""

    @contextmanager
    def open_(path: str, *, who: str | None = "ada", **options: Any) -> Iterator[Page]:
        context = browser.new_context(storage_state=sessions[who] if who else None, bypass_csp=True, **options)
        page = context.new_page()
        page.goto(f"{house.web}{path}", wait_until="networkidle")
        yield page
        context.close()

    return open_


@pytest.fixture
def full(at_desk: Open, playlist: str, ids: list[int]) -> Callable[..., Desk]:
    """The page of a list of five tracks, as grace has it, who may publish."""

    def open_(**options: Any) -> Desk:
        desk = at_desk("grace", playlist, **options)
        desk.paste("\n".join(map(str, [*ids, ids[0]])), add=6)
        desk.saved()
        expect(desk.page.locator("#notices li").first).to_be_visible()
        return desk

    return open_


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_grave_on_the_page_of_a_list(full: Callable[..., Desk], scheme: str) -> None:
    page = full(color_scheme=scheme).page
    found = {"page": findings(page)}
    page.get_by_role("checkbox").first.check()
    page.locator("#tracks tbody tr").nth(1).focus()
    found["picked"] = findings(page)
    page.get_by_role("combobox", name="Add a track").press_sequentially("harbour")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    found["hits"] = findings(page)
    page.get_by_role("combobox", name="Add a track").fill("zzzzzz")
    expect(page.get_by_role("option", name="Nothing on the shelves")).to_be_visible()
    found["no hits"] = findings(page)
    page.keyboard.press("Escape")
    for name in DIALOGS:
        page.get_by_role("button", name=name, exact=True).click()
        dialog = page.locator("dialog[open]")
        expect(dialog).to_be_visible()
        found[name] = findings(page)
        dialog.get_by_role("button", name="Cancel").or_(dialog.get_by_role("button", name="Close")).click()

    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/admin/playlists/playlist/", "ada"), ("/admin/playlists/playlist/add/", "ada"),
        ("/admin/playlists/rule/", "ada"), ("/admin/playlists/rule/add/", "ada"), ("/admin/login/", None),
        ("/listen", None),
    ],
)  # fmt: skip
def test_axe_finds_nothing_grave_on_the_other_pages(page_at: Any, path: str, who: str | None, scheme: str) -> None:
    with page_at(path, who=who, color_scheme=scheme) as page:
        assert findings(page) == []


def test_a_list_is_made_and_published_without_a_mouse(at_desk: Open, playlist: str, ids: list[int]) -> None:
    page = at_desk("grace", playlist).page
    go_to(page, "Paste…")
    page.keyboard.press("Enter")
    go_to(page, "Ids, ISRCs or UPCs")
    page.keyboard.insert_text("\n".join(map(str, ids)))
    go_to(page, "Look up")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Add 5 tracks")).to_be_enabled()
    go_to(page, "Add 5 tracks")
    page.keyboard.press("Enter")
    expect(page.locator("#tracks tbody tr")).to_have_count(5)
    assert focused(page) == "Paste…"  # where the dialog was opened

    go_to(page, "row")
    page.keyboard.press("Delete")
    expect(page.locator("#said")).to_have_text("1 removed")
    go_to(page, "Publish…", back=True)
    page.keyboard.press("Enter")
    go_to(page, "Publish")
    page.keyboard.press("Enter")
    expect(page.locator("#standing")).to_contain_text("Live")


def go_to(page: Page, name: str, *, back: bool = False) -> None:
    """Press Tab until the thing of this name has the focus."""
    for _ in range(80):
        if focused(page) == name:
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    pytest.fail(f"{name} is not reached by keys")


def focused(page: Page) -> str:
    look = "(e) => e.labels?.[0]?.textContent ?? (e.tagName === 'TR' ? 'row' : e.textContent)"
    return str(page.evaluate(f"({look})(document.activeElement)")).strip()


@pytest.mark.parametrize(("width", "height"), TABLETS)
def test_a_tablet_shows_all_of_a_list_and_its_dialogs(full: Callable[..., Desk], width: int, height: int) -> None:
    page = full().page
    page.set_viewport_size({"width": width, "height": height})

    everything_fits(page, "#curate")
    for name in DIALOGS:
        page.get_by_role("button", name=name, exact=True).click()
        dialog = page.locator("dialog[open]")
        everything_fits(page, "dialog[open]")
        dialog.get_by_role("button", name="Cancel").or_(dialog.get_by_role("button", name="Close")).click()


@pytest.mark.parametrize(("width", "height"), TABLETS)
@pytest.mark.parametrize("path", ["/admin/playlists/playlist/", "/admin/playlists/rule/add/"])
def test_a_tablet_shows_all_of_the_other_pages(page_at: Any, path: str, width: int, height: int) -> None:
    with page_at(path, viewport={"width": width, "height": height}) as page:
        everything_fits(page, "#content-main, #changelist, #submit-row")


def everything_fits(page: Page, within: str) -> None:
    """Nothing scrolls sideways, and every button and field that is shown can be seen and touched."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    seen = page.locator(within).locator("button:visible, input:visible, select:visible, textarea:visible").all()
    assert seen
    for each in seen:
        each.scroll_into_view_if_needed()
        box = each.bounding_box()
        assert box is not None
        assert box["x"] >= 0, each
        assert box["x"] + box["width"] <= page.evaluate("innerWidth"), each
