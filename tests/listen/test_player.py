"""The player at /listen, in browsers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import requests
from playwright.sync_api import expect

from tests.journeys.conftest import House, eventually
from tests.listen.conftest import BLOCK_SECONDS, Tab


def journalled(house: House, title: str) -> list[dict[str, Any]]:
    """The platform's journal of a track's plays."""
    shelves = requests.get(f"{house.sandbox}/_control/shelves", timeout=10).json()["releases"]
    track = next(t["id"] for release in shelves for t in release["tracks"] if t["title"] == title)
    return house.journey().journal("plays", trackId=track)


def test_a_listener_finds_a_track_and_hears_it(house: House, tab: Tab) -> None:
    tab.search("harbor lamp")
    tab.page.get_by_role("button", name="Harbour Lamp").click()

    tab.hears(2)
    expect(tab.page.locator("#now-title")).to_have_text("Harbour Lamp")
    expect(tab.page.locator("#position")).not_to_have_text("0:00")
    expect(tab.happened("POST").filter(has_text="/streams")).to_contain_text("201")


def test_a_release_opens_with_its_cover_and_tracks(tab: Tab) -> None:
    tab.page.get_by_role("link", name="Slipway").click()

    expect(tab.page.get_by_role("heading", name="The Long Slipway")).to_be_focused()
    expect(tab.page.locator(".tracks li")).to_have_count(9)
    expect(tab.page.locator(".release .cover")).to_have_class(re.compile("drawn"))
    tab.page.get_by_role("button", name="Play", exact=True).first.click()
    tab.hears()
    expect(tab.page.locator("[aria-current=true]")).to_contain_text("Slipway")


def test_what_cannot_be_played_says_why(tab: Tab) -> None:
    tab.search("The Room Remembers")

    row = tab.page.locator(".unplayable").first
    expect(row).to_contain_text("Not released yet")
    row.get_by_role("button").click()
    expect(row.locator(".rules .fails")).to_have_count(1)
    expect(row.locator(".rules .holds").first).to_be_visible()


def test_one_device_streams_at_a_time_and_may_take_back(house: House, tab: Tab, open_tab: Callable[..., Tab]) -> None:
    sofa, kitchen = tab, open_tab()
    kitchen.sign_in()
    kitchen.page.get_by_label("This device’s name").fill("Kitchen")
    kitchen.page.keyboard.press("Enter")
    turn = sofa.page.locator("#turn")

    sofa.play("Copper Nails")
    sofa.hears()
    kitchen.play("Lantern Song")
    kitchen.hears()

    expect(turn).to_contain_text("This track may finish here")
    sofa.hears()  # ... and it does
    sofa.page.get_by_label("Next track").click()
    expect(turn).to_contain_text(re.compile(r"may take over again in \d+ s"))
    expect(turn).to_contain_text("Playing on Kitchen")
    expect(turn.get_by_role("button")).to_be_hidden()

    turn.get_by_role("button", name="Play here").click(timeout=(BLOCK_SECONDS + 2) * 1000)
    sofa.hears()
    expect(turn).to_be_hidden()
    expect(kitchen.page.locator("#turn")).to_be_visible()
    expect(sofa.happened("/tokens/refresh").first).to_contain_text("200", timeout=15_000)
    eventually(lambda: journalled(house, "Copper Nails"), seconds=60, what="the play is in the platform's journal")


def test_the_next_track_waits_where_another_device_took_over(tab: Tab, open_tab: Callable[..., Tab]) -> None:
    sofa, kitchen = open_tab(), tab
    sofa.sign_in()
    sofa.play("Rope Walk")
    sofa.hears()
    kitchen.play("Mackerel Sky")
    expect(sofa.page.locator("#turn")).to_be_visible()

    sofa.page.get_by_label("Position").evaluate(
        "bar => { bar.value = bar.max; bar.dispatchEvent(new Event('change')) }"
    )

    expect(sofa.page.get_by_label("Play", exact=True)).to_be_visible()
    sofa.page.wait_for_timeout(500)
    assert sofa.happened("POST").filter(has_text="/streams").count() == 1
    expect(sofa.page.locator("#turn")).not_to_contain_text("may finish here")


def test_plays_wait_while_the_line_is_away(house: House, tab: Tab) -> None:
    tab.play("Keel and Kettle", release="Salt on the Sill")
    tab.hears()

    tab.context.set_offline(True)
    tab.page.keyboard.press("Shift+ArrowRight")
    expect(tab.page.locator("#plays")).to_contain_text("1 play waits to be reported")
    expect(tab.page.locator("#line")).to_have_text("offline")
    assert journalled(house, "Keel and Kettle") == []

    tab.context.set_offline(False)
    expect(tab.page.locator("#plays")).to_contain_text(re.compile(r"None waits to be reported. \d+ plays? reported"))
    eventually(lambda: journalled(house, "Keel and Kettle"), seconds=60, what="the play is in the journal")
    tab.page.get_by_label("Play", exact=True).click()
    tab.hears()


def test_a_play_that_is_refused_is_shown_and_dropped(tab: Tab) -> None:
    tab.play("Nine Fathom Waltz", release="Salt on the Sill")
    tab.hears(0.5)
    tab.context.set_offline(True)
    tab.page.keyboard.press("Shift+ArrowRight")
    expect(tab.page.locator("#plays")).to_contain_text("1 play waits to be reported")
    tab.page.evaluate(
        """() => {
            const name = Object.keys(localStorage).find((each) => each.startsWith("tonearm.play."));
            localStorage[name] = localStorage[name].replace(/"track_id":\\d+/, '"track_id":1');
        }"""
    )

    tab.context.set_offline(False)

    expect(tab.page.locator("#plays li")).to_contain_text("Refused")
    assert tab.plays_kept() == 0


def test_the_plays_of_a_tab_that_crashed_are_reported(house: House, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab()
    tab.sign_in()
    tab.play("Don't Wake the Gulls", release="Salt on the Sill")
    tab.hears(3)
    assert tab.plays_kept() == 1
    tab.crash()

    tab.sign_in()

    plays = eventually(lambda: journalled(house, "Don't Wake the Gulls"), seconds=60, what="the play is in the journal")
    assert plays[0]["totalTimePlayed"] >= 2


def test_seconds_heard_are_counted_and_not_those_leapt_over(house: House, tab: Tab) -> None:
    tab.play("Low Water", release="Salt on the Sill")
    tab.hears(1.5)

    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowRight")
    tab.hears(1)
    position = tab.time()
    tab.page.reload()

    plays = eventually(lambda: journalled(house, "Low Water"), seconds=60, what="the play is in the journal")
    assert position > 12
    assert 2 <= plays[0]["totalTimePlayed"] < 8


def test_keys_steer_it(tab: Tab) -> None:
    tab.play("Name on the Stern")
    tab.hears()

    tab.page.keyboard.press("Space")
    expect(tab.page.get_by_label("Play", exact=True)).to_be_visible()
    still = tab.time()
    tab.page.keyboard.press("ArrowRight")
    assert 4 < tab.time() - still < 6
    tab.page.keyboard.press("Space")
    tab.hears()
    tab.page.keyboard.press("/")
    expect(tab.page.get_by_role("searchbox")).to_be_focused()
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_role("heading", name="Newest releases")).to_be_visible()


def test_a_tab_that_is_loaded_again_is_the_same_device(tab: Tab) -> None:
    device = tab.page.evaluate("sessionStorage['tonearm.device']")

    tab.page.reload()

    expect(tab.page.get_by_role("heading", name="Newest releases")).to_be_visible()
    assert tab.page.evaluate("sessionStorage['tonearm.device']") == device


def test_a_tab_that_is_copied_is_another_device(tab: Tab) -> None:
    with tab.context.expect_page() as opened:
        tab.page.evaluate("window.open('/listen')")

    copy = opened.value
    expect(copy.get_by_role("heading", name="Put a record on")).to_be_visible()
    devices = [page.evaluate("sessionStorage['tonearm.device']") for page in (tab.page, copy)]
    assert devices[0] != devices[1]
    tab.page.reload()
    expect(tab.page.get_by_role("heading", name="Newest releases")).to_be_visible()


def test_signing_out_ends_it(open_tab: Callable[..., Tab]) -> None:
    tab = open_tab()
    tab.sign_in()
    tab.play("Two Tides Behind")
    tab.hears()

    tab.page.get_by_role("button", name="Sign out").click()

    expect(tab.page.get_by_role("heading", name="Put a record on")).to_be_visible()
    assert tab.page.evaluate("audio.paused")
    assert tab.page.evaluate("sessionStorage['tonearm.refresh']") is None
    tab.faults.clear()  # allauth says 401 for: done, and not signed in


def test_a_wrong_password_is_told(open_tab: Callable[..., Tab]) -> None:
    tab = open_tab()
    tab.page.get_by_label("E-mail").fill("nobody@example.org")
    tab.page.get_by_label("Password").fill("wrong horse")
    tab.page.get_by_role("button", name="Sign in").click()

    expect(tab.page.get_by_role("alert")).to_contain_text("not correct")
    assert tab.faults.pop() == "400 /_allauth/app/v1/auth/login"


def test_it_fits_a_phone(open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    tab.sign_in()

    tab.play("Rope Walk")

    tab.hears()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360
