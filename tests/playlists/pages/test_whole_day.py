"""An editor's whole day, in Chromium against a whole service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import requests
from playwright.sync_api import Locator, expect

from tests.journeys.conftest import House, eventually
from tests.playlists.pages.conftest import Desk

# Tracks that are on the shelves, by their release, and no two of one recording.
SHELVES = """
    SELECT DISTINCT ON (t.isrc) t.id, t.isrc, t.release_id FROM catalogue_track t
      JOIN catalogue_release r ON r.id = t.release_id
     WHERE t.gone_at IS NULL AND r.taken_down_at IS NULL AND t.isrc <> '' ORDER BY t.isrc, t.id LIMIT 60
"""
# One of them that has gone is on another release as well; here that is another of the list's shelf-mates.
TWIN = """
    UPDATE catalogue_track SET isrc = %s WHERE id = (
        SELECT t.id FROM catalogue_track t JOIN catalogue_release r ON r.id = t.release_id
         WHERE t.gone_at IS NULL AND r.taken_down_at IS NULL AND t.release_id <> %s AND t.id <> ALL (%s)
         ORDER BY t.id LIMIT 1) RETURNING id
"""


def test_from_a_paste_to_a_swap(at_desk: Callable[..., Desk], house: House, playlist: str) -> None:
    shelf = house.rows(SHELVES)
    assert len(shelf) == 60
    pasted = [isrc if number % 2 else str(pk) for number, (pk, isrc, _) in enumerate(shelf)]
    ada = at_desk("ada", playlist)
    rows = ada.page.locator("#tracks tbody tr")

    # A draft from sixty ISRCs and ids, mixed.
    ada.paste("\n".join(pasted), add=60)
    expect(rows).to_have_count(60)
    expect(ada.page.locator("#length")).to_contain_text("60 tracks")

    # Listened to, and put in order by keyboard and by mouse.
    ada.press(0, "p")
    expect(ada.page.locator("#said")).to_contain_text("Playing")
    ada.page.keyboard.press("p")
    first, second, third, *_ = ada.titles()
    ada.press(0, "Alt+ArrowDown")
    assert ada.titles()[:3] == [second, first, third]
    rows.nth(2).drag_to(rows.nth(0), target_position={"x": 200, "y": 3})
    assert ada.titles()[:3] == [third, second, first]
    ada.saved()

    # Made for two markets: the page says what does not play there.
    ada.page.get_by_label("Countries").fill("FR, US")
    ada.saved()
    expect(ada.page.locator("#notices")).to_contain_text("FR")
    ada.page.get_by_role("button", name="Propose…").click()
    ada.page.get_by_label("What to know about it").fill("for tomorrow")
    ada.page.get_by_role("button", name="Propose", exact=True).click()
    expect(ada.page.locator("#standing")).to_contain_text("Proposed by Ada: for tomorrow")

    # The senior editor publishes it for tomorrow.
    grace = at_desk("grace", playlist, timezone_id="UTC")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    grace.page.get_by_role("button", name="Publish…").click()
    grace.page.get_by_label("From, in your time").fill(f"{tomorrow:%Y-%m-%dT%H:%M}")
    grace.page.get_by_role("button", name="Publish", exact=True).click()
    expect(grace.page.locator("#standing")).to_contain_text("Scheduled")

    # One of its releases is taken down, and the desk knows another that has the recording.
    gone, isrc, release = shelf[30]
    [(substitute,)] = house.rows(TWIN, isrc, release, [pk for pk, _, _ in shelf])
    requests.post(f"{house.sandbox}/_control/publish", json={"what": "takedown", "release_id": release}, timeout=60)
    card = grace.page.locator(f"#track-{gone}")
    grace.page.goto(f"{house.web}/admin/takedowns/")
    eventually(lambda: grace.page.reload() and card.count(), seconds=60, what="the takedown is on the desk")
    expect(card).to_contain_text("same recording (ISRC)")
    card.get_by_role("button", name="Swap:").first.click()
    expect(grace.page.get_by_text("Done on Slow Sunday, in the draft.")).to_be_visible()

    # The draft has it now, and next week in France it would be heard as it plays there.
    grace.page.goto(playlist)
    expect(rows_of(grace)).to_have_count(60)
    assert substitute in house.rows("SELECT track_id FROM playlists_item WHERE track_id = %s", substitute)[0]
    week = datetime.now(UTC) + timedelta(days=7)
    grace.page.get_by_role("button", name="Preview").click()
    grace.page.locator("#preview-form [name=country]").fill("FR")
    grace.page.locator("#preview-form [name=at]").fill(f"{week:%Y-%m-%dT%H:%M}")
    grace.page.get_by_role("button", name="Look", exact=True).click()
    expect(grace.page.locator("#previewed ol li").first).to_be_visible()


def rows_of(desk: Desk) -> Locator:
    return desk.page.locator("#tracks tbody tr")
