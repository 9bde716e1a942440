"""A takedown from the platform's event to another track in its place, in Chromium against a whole service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.journeys.conftest import House, eventually
from tests.playlists.pages.conftest import Desk

UNNAMED: Final = (
    "[...document.querySelectorAll('#takedowns :is(button, a, summary)')].filter((e) => !e.textContent.trim()).length"
)


@pytest.fixture
def twins(house: House) -> list[tuple[int, int]]:
    """Two tracks of one recording as (track, release), of which the second is made to play wherever the first does.
    The first is of a release that no list has anything of."""
    taken = house.rows(
        "SELECT t.id, t.release_id FROM catalogue_track t JOIN catalogue_release r ON r.id = t.release_id"
        " WHERE t.gone_at IS NULL AND r.taken_down_at IS NULL AND t.isrc <> '' AND t.release_id NOT IN ("
        " SELECT release_id FROM playlists_item JOIN catalogue_track c ON c.id = track_id) ORDER BY t.id LIMIT 1"
    )[0]
    other = house.rows(
        "SELECT t.id, t.release_id FROM catalogue_track t JOIN catalogue_release r ON r.id = t.release_id"
        " WHERE t.gone_at IS NULL AND r.taken_down_at IS NULL AND t.release_id <> %s ORDER BY t.id DESC LIMIT 1",
        taken[1],
    )[0]
    house.rows("UPDATE catalogue_track SET isrc = (SELECT isrc FROM catalogue_track WHERE id = %s) WHERE id = %s",
               taken[0], other[0])  # fmt: skip
    house.rows("INSERT INTO catalogue_region VALUES (7, ARRAY['DE', 'FR', 'GB', 'IE', 'JP', 'US'])")
    house.rows(
        "UPDATE catalogue_offer SET region_id = 7, starts_at = '2020-01-01', ends_at = NULL WHERE track_id = ANY (%s)",
        [taken[0], other[0]],
    )
    return [taken, other]


def listed(page: Page) -> list[str]:
    return page.locator("#takedowns .harms h3").all_inner_texts()


def live(house: House) -> list[Any]:
    """What the last revision has."""
    return list(house.rows("SELECT track_ids FROM playlists_revision ORDER BY id DESC LIMIT 1")[0][0])


def test_a_takedown_arrives_is_swapped_brought_back_and_published(
    at_desk: Callable[..., Desk], house: House, playlist: str, twins: list[tuple[int, int]]
) -> None:
    (taken, release), (other, _) = twins
    grace = at_desk("grace", playlist)
    page = grace.page
    grace.paste(str(taken), add=1)
    page.get_by_role("button", name="Publish…").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator("#standing")).to_contain_text("Live")
    page.goto(f"{house.web}/admin/takedowns/")
    assert listed(page) == []

    requests.post(f"{house.sandbox}/_control/publish", json={"what": "takedown", "release_id": release}, timeout=60)
    eventually(lambda: page.reload() and listed(page), seconds=30, what="the takedown is on the desk")
    card = page.locator(f"#track-{taken}")
    expect(card.locator(".loss")).to_have_text("taken down")
    expect(card.locator("tbody tr")).to_contain_text(["same recording (ISRC)"])
    assert page.evaluate(UNNAMED) == 0

    card.get_by_role("button", name="Swap:").press("Enter")
    expect(page.get_by_text("Done on Slow Sunday, in the draft.")).to_be_visible()
    expect(card).to_contain_text("Listeners still have it")
    assert live(house) == [taken]
    page.get_by_role("button", name="Undo").click()
    expect(card.get_by_role("button", name="Swap and publish")).to_be_visible()

    card.get_by_role("button", name="Swap and publish").click()
    expect(page.get_by_text("Done on Slow Sunday and published.")).to_be_visible()
    assert (live(house), listed(page)) == ([other], [])
    page.get_by_role("button", name="Undo and publish").click()
    expect(card).to_be_visible()
    assert live(house) == [taken]

    page.goto(playlist)
    expect(page.locator("#tracks tbody tr")).to_have_count(1)
    grace.press(0, "s")
    expect(page.get_by_role("dialog", name="Instead of")).to_be_visible()
    page.get_by_role("button", name="Swap in").press("Enter")
    grace.saved()
    expect(page.locator("#tracks tbody tr")).to_be_focused()
    expect(page.get_by_role("button", name="Substitutes for")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name="Substitutes for")).to_have_count(1)
    grace.saved()
    page.reload()
    expect(page.get_by_role("button", name="Substitutes for")).to_have_count(1)
