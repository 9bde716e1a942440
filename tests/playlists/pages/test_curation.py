"""The page of a curated playlist, as two editors use it in Chromium against a whole service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import Browser, expect

from tests.journeys.conftest import House, eventually
from tests.playlists.pages.conftest import Desk
from tests.playlists.test_covers import picture

AT_ONCE_MS: Final = 5_000  # well before the page next asks by itself
XSS: Final = '"><img src=x onerror="window.ran=1"><script>window.ran=1</script>{{ 7*7 }}'
SHORT_XSS: Final = '<img src=x onerror="window.ran=1">'  # what a tag has room for


def test_tracks_are_pasted_found_moved_and_brought_back(
    at_desk: Callable[..., Desk], playlist: str, ids: list[int]
) -> None:
    desk = at_desk("ada", playlist)
    desk.paste("\n".join([*map(str, ids), "junk", XSS]), add=5)
    a, b, c, d, e = desk.titles()

    desk.press(0, "Alt+ArrowDown", "Alt+ArrowDown")
    assert desk.titles() == [b, c, a, d, e]
    desk.press(3, "Space", "ArrowDown", "Space", "m", "1", "Enter")
    assert desk.titles() == [d, e, b, c, a]
    rows = desk.page.locator("#tracks tbody tr")
    desk.page.get_by_label(f"Pick {d}").uncheck()
    desk.page.get_by_label(f"Pick {e}").uncheck()
    rows.nth(4).drag_to(rows.nth(0), target_position={"x": 200, "y": 3})
    assert desk.titles() == [a, d, e, b, c]
    desk.press(1, "Delete")
    assert desk.titles() == [a, e, b, c]
    desk.page.keyboard.press("Control+z")
    assert desk.titles() == [a, d, e, b, c]

    assert desk.page.locator("#tracks .number").all_inner_texts() == list("12345")

    desk.saved()
    desk.page.reload()
    expect(rows).to_have_count(5)
    assert desk.titles() == [a, d, e, b, c]


def test_a_track_is_found_while_it_is_typed(at_desk: Callable[..., Desk], playlist: str) -> None:
    desk = at_desk("ada", playlist)
    field = desk.page.get_by_role("combobox", name="Add a track")

    field.press_sequentially("harbour la")
    expect(desk.page.get_by_role("option", name="Harbour Lamp").first).to_be_visible()
    field.press("ArrowDown")
    field.press("Enter")

    expect(desk.page.get_by_role("checkbox", name="Pick Harbour Lamp")).to_have_count(1)
    expect(desk.page.locator("#length")).to_contain_text("1 track")


def test_markets_are_the_lists_own_unless_others_are_looked_at(
    at_desk: Callable[..., Desk], playlist: str, ids: list[int]
) -> None:
    desk = at_desk("ada", playlist)
    desk.paste("\n".join(map(str, ids)), add=5)
    heads, rows = desk.page.locator("#markets-head .marks > span"), desk.page.locator("#tracks tbody tr")
    desk.press(0, "Delete")

    desk.page.get_by_label("Countries").fill("gb, us")
    expect(heads).to_have_text(["GB", "US"])
    desk.page.get_by_label("Look at").fill("DE")
    desk.page.get_by_label("Look at").press("Enter")
    expect(heads).to_have_text(["DE"])

    expect(rows).to_have_count(4)
    desk.page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(5)


def test_who_is_overtaken_is_told_by_whom_and_overwrites_nothing(at_desk: Callable[..., Desk], playlist: str) -> None:
    ada = at_desk("ada", playlist, expected={412})
    grace = at_desk("grace", playlist)
    expect(grace.page.locator("#others")).to_have_text("Ada has this page open too")
    grace.page.get_by_label("Name").fill("Grace’s")
    grace.saved()

    ada.page.get_by_label("Name").fill("Ada’s")

    expect(ada.page.get_by_role("alert")).to_contain_text("Grace has changed this list", timeout=AT_ONCE_MS)
    ada.page.get_by_role("button", name="Load what there is now").click()
    expect(ada.page.get_by_label("Name")).to_have_value("Grace’s")
    ada.page.get_by_label("Description").fill("and Ada’s words")
    ada.saved()


def test_a_cover_is_shown_once_it_is_taken_and_a_refusal_is_read(at_desk: Callable[..., Desk], playlist: str) -> None:
    desk = at_desk("ada", playlist, expected={400})
    field = desk.page.get_by_label("Upload a cover")
    field.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"<svg onload='window.ran=1'/>"})
    expect(desk.page.get_by_role("alert")).to_contain_text("a cover is a JPEG, PNG or WebP picture")

    field.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": picture()})

    shown = desk.page.get_by_role("img", name="Cover")
    expect(shown).to_be_visible()
    desk.page.wait_for_function("document.querySelector('#cover').naturalWidth === 200")
    desk.page.get_by_role("button", name="Remove the cover").click()
    expect(shown).to_be_hidden()


def test_a_cover_is_made_of_the_tracks_own(at_desk: Callable[..., Desk], playlist: str, house: House) -> None:
    firsts = house.rows("SELECT min(id) FROM catalogue_track WHERE search IS NOT NULL GROUP BY release_id LIMIT 4")
    desk = at_desk("ada", playlist)
    desk.paste("\n".join(str(pk) for (pk,) in firsts), add=len(firsts))

    desk.page.get_by_role("button", name="Make from covers").click()

    expect(desk.page.get_by_role("img", name="Cover, made of the tracks’")).to_be_visible()
    desk.page.wait_for_function("document.querySelector('#cover').naturalWidth === 200")
    expect(desk.page.get_by_role("button", name="Remove the cover")).to_be_hidden()
    expect(desk.page.get_by_role("alert")).to_be_hidden()


def test_a_rule_begins_a_list_and_brings_what_is_new(
    at_desk: Callable[..., Desk], sessions: dict[str, Any], house: House, browser: Browser
) -> None:
    context = browser.new_context(storage_state=sessions["ada"])
    page = context.new_page()
    page.goto(f"{house.web}/admin/playlists/rule/add/")
    page.get_by_label("Name").fill("Four of them")
    page.get_by_label("How many tracks").fill("4")
    expect(page.locator("#preview-count")).to_have_text("4 tracks:")
    expect(page.locator("#preview li")).to_have_count(4)
    page.get_by_label("Markets").fill("XX")
    expect(page.locator("#preview-count")).to_contain_text("No country: XX")
    page.get_by_label("Markets").fill("")
    page.get_by_role("button", name="Save, and make a draft").click()
    page.wait_for_url("**/admin/curate/**")
    url = page.url
    context.close()

    desk = at_desk("ada", url)
    expect(desk.page.locator("#tracks tbody tr")).to_have_count(4)
    house.rows("UPDATE playlists_rule SET count = 6")
    desk.page.get_by_role("button", name="Refresh from the rule").click()
    expect(desk.page.locator("#tracks tbody tr")).to_have_count(6)
    desk.page.get_by_role("button", name="Refresh from the rule").click()
    expect(desk.page.locator("#picked")).to_have_text("The rule has nothing new")


def test_one_proposes_another_schedules_and_publishes(
    at_desk: Callable[..., Desk], playlist: str, ids: list[int]
) -> None:
    ada = at_desk("ada", playlist)
    ada.paste("\n".join(map(str, ids)), add=5)
    ada.page.get_by_role("button", name="Propose…").click()
    ada.page.get_by_label("What to know about it").fill("for Monday")
    ada.page.get_by_role("button", name="Propose", exact=True).click()
    expect(ada.page.locator("#standing")).to_contain_text("Proposed by Ada: for Monday")
    assert ada.page.get_by_role("button", name="Publish…").count() == 0

    grace = at_desk("grace", playlist, timezone_id="America/New_York")
    grace.page.get_by_role("button", name="Publish…").click()
    grace.page.get_by_label("From, in your time").fill("2099-12-24T13:00")
    expect(grace.page.locator("#zones")).to_contain_text("24 Dec 2099, 18:00 UTC")
    expect(grace.page.locator("#zones")).to_contain_text("19:00 in DE")
    grace.page.get_by_role("button", name="Publish", exact=True).click()
    expect(grace.page.locator("#standing")).to_contain_text("Scheduled")
    grace.page.get_by_role("button", name="Publish…").click()
    grace.page.get_by_role("button", name="Publish", exact=True).click()
    expect(grace.page.locator("#standing")).to_contain_text("Live")

    grace.page.get_by_role("button", name="Preview").click()
    grace.page.locator("[name=of]").select_option("live")
    grace.page.get_by_role("button", name="Look", exact=True).click()
    expect(grace.page.locator("#previewed ol li")).to_have_count(5)


def test_history_compares_and_restores(at_desk: Callable[..., Desk], playlist: str, ids: list[int]) -> None:
    grace = at_desk("grace", playlist)
    grace.paste("\n".join(map(str, ids)), add=5)
    before = grace.titles()
    grace.page.get_by_role("button", name="Publish…").click()
    grace.page.get_by_role("button", name="Publish", exact=True).click()
    expect(grace.page.locator("#standing")).to_contain_text("Live")
    grace.press(2, "Delete")
    grace.saved()

    grace.page.get_by_role("button", name="History").click()
    grace.page.get_by_role("button", name="Compare with revision 1").click()
    expect(grace.page.locator("#comparison")).to_contain_text("Removed since: 1")
    grace.page.get_by_role("button", name="Restore revision 1").click()

    expect(grace.page.locator("#tracks tbody tr")).to_have_count(5)
    assert grace.titles() == before


def test_whatever_anybody_wrote_is_text(
    at_desk: Callable[..., Desk], house: House, playlist: str, ids: list[int]
) -> None:
    was = house.rows("SELECT title FROM catalogue_track WHERE id = %s", ids[0])[0][0]
    house.rows("UPDATE catalogue_track SET title = %s, subtitle = %s WHERE id = %s", XSS, XSS, ids[0])
    house.rows("UPDATE accounts_user SET first_name = %s WHERE email = 'grace@example.org'", XSS)
    try:
        grace = at_desk("grace", playlist, expected={400})
        grace.paste("\n".join([XSS, str(ids[0]), str(ids[1])]), add=2)
        for name, text in (("Name", XSS), ("Description", XSS), ("Tags", SHORT_XSS)):
            grace.page.get_by_label(name, exact=True).fill(text)
            grace.saved()
        for name in ("Countries", "Plans", "Languages"):
            grace.page.get_by_label(name, exact=True).fill(XSS)
            expect(grace.page.get_by_role("alert")).to_be_visible()
            grace.page.get_by_role("button", name="Put it back").click()
            expect(grace.page.get_by_role("alert")).to_be_hidden()
        grace.page.get_by_role("button", name="Publish…").click()
        grace.page.get_by_label("Note").fill(XSS)
        grace.page.get_by_role("button", name="Publish", exact=True).click()
        expect(grace.page.locator("#standing")).to_contain_text("Live")
        grace.press(0, "Delete")
        grace.page.get_by_role("button", name="History").click()
        grace.page.get_by_role("button", name="Compare with revision 1").click()
        expect(grace.page.locator("#comparison")).to_contain_text("onerror")
        grace.page.get_by_role("button", name="Close").click()
        grace.page.get_by_role("button", name="Preview").click()
        grace.page.locator("[name=of]").select_option("live")
        grace.page.get_by_role("button", name="Look", exact=True).click()
        expect(grace.page.locator("#previewed h3")).to_contain_text("<script>")
        grace.page.get_by_role("button", name="Close").click()
        ada = at_desk("ada", playlist)
        expect(ada.page.locator("#others")).to_contain_text("onerror")
        assert ada.page.locator("#curate img:not(#cover)").count() == 0
    finally:
        house.rows("UPDATE catalogue_track SET title = %s, subtitle = '' WHERE id = %s", was, ids[0])
        house.rows("UPDATE accounts_user SET first_name = 'Grace' WHERE email = 'grace@example.org'")


def test_everything_has_a_name_and_is_reached_by_keys(
    at_desk: Callable[..., Desk], playlist: str, ids: list[int]
) -> None:
    desk = at_desk("ada", playlist)
    desk.paste("\n".join(map(str, ids)), add=5)
    unnamed = "[...document.querySelectorAll('#curate :is(button, input, select, textarea)')].filter((e) => " \
        "!(e.textContent.trim() || e.labels?.length || e.ariaLabel)).length"  # fmt: skip
    assert desk.page.evaluate(unnamed) == 0

    reached = set()
    desk.page.locator("#facts [name=name]").focus()
    for _ in range(16):
        reached.add(desk.page.evaluate("document.activeElement.id || document.activeElement.name || 'row'"))
        desk.page.keyboard.press("Tab")

    assert {"name", "description", "countries", "plans", "locales", "tags", "markets", "find", "row"} <= reached
    desk.press(1, "Alt+ArrowUp")
    expect(desk.page.locator("#said")).to_contain_text("now 1 of 5")


def test_a_thousand_tracks_are_there_soon(at_desk: Callable[..., Desk], playlist: str, ids: list[int]) -> None:
    desk = at_desk("ada", playlist)
    desk.paste("\n".join(map(str, ids * 200)), add=1000)
    desk.saved()
    desk.page.reload()
    desk.page.wait_for_function("document.querySelectorAll('#tracks tbody tr').length === 1000", polling=20)

    took = desk.page.evaluate("performance.now()")

    assert took < 10_000, "1.6 s with nothing else on the machine"


def test_a_clip_is_heard_and_told_of(at_desk: Callable[..., Desk], house: House, playlist: str, ids: list[int]) -> None:
    grace = at_desk("grace", playlist)
    grace.paste("\n".join(map(str, ids[:2])), add=2)
    grace.saved()
    button = grace.page.get_by_role("button", name="Hear", exact=False).first

    grace.press(0, "p")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(grace.page.locator("#said")).to_contain_text("Playing")
    grace.page.wait_for_timeout(1200)  # of listening
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")

    heard = eventually(
        lambda: house.rows("SELECT track_id, usage, user_id, seconds_played FROM previews_previewplay"),
        seconds=30, what="the clip is told of",
    )  # fmt: skip
    assert [(row[0], row[1], row[2][:6]) for row in heard] == [(ids[0], "creation", "staff-")]
    assert heard[0][3] >= 1
