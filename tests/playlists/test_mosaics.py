"""Covers made of the covers of a playlist's first releases, whatever the image host has or does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, Final

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client
from PIL import Image
from pytest_django import Settings

from accounts.models import Listener, User
from massivemusic.images import SIZES
from outbox.delivery import deliver_lane
from outbox.models import Circuit, Message
from outbox.platform import platform
from playlists.covers import MOST_BYTES, keep_cover
from playlists.curation import kept, opened
from playlists.models import Curation, Picture, Playlist, Revision
from playlists.mosaics import PLAIN, ask_for_mosaic, keep_mosaic, mosaic_of, releases_of
from playlists.publishing import publish
from tests.helpers import Api, eventually_blocked
from tests.massivemusic.stage import Heard, Play, Stage, answer, reset, says, silent, without_end
from tests.playlists.conftest import edit
from tests.playlists.test_covers import bomb, picture

RED, GREEN, BLUE, GOLD = (200, 0, 0), (0, 160, 0), (0, 0, 200), (200, 160, 0)
COLOURS: Final = {7001001: RED, 7001002: GREEN, 7001003: BLUE, 7001004: GOLD}
GREY: Final = tuple(bytes.fromhex(PLAIN[1:]))
CORNERS: Final = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)]
JPEG: Final = "Content-Type: image/jpeg"


def cover(colour: tuple[int, int, int], side: int = 500) -> bytes:
    return picture("JPEG", size=(side, side), colour=colour)


def seen(jpeg: bytes) -> list[str]:
    """What stands in the four quarters."""
    shown = Image.open(BytesIO(jpeg)).convert("RGB")
    return [nearest(shown.getpixel((int(x * shown.width), int(y * shown.height)))) for x, y in CORNERS]


def nearest(pixel: Any) -> str:
    names = {"red": RED, "green": GREEN, "blue": BLUE, "gold": GOLD, "plain": GREY}
    return min(names, key=lambda name: sum((a - b) ** 2 for a, b in zip(names[name], pixel, strict=True)))


# --- What is made ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("covers", "quarters"),
    [
        ([RED], "red red red red"), ([RED, BLUE], "red blue blue red"), ([RED, BLUE, GOLD], "red blue gold red"),
        ([RED, GREEN, BLUE, GOLD], "red green blue gold"), ([RED, None, BLUE, GOLD], "red plain blue gold"),
        ([None], "plain plain plain plain"),
    ],
    ids=str,
)  # fmt: skip
def test_covers_stand_in_their_order_in_every_size(covers: list[Any], quarters: str) -> None:
    made = mosaic_of([each and cover(each) for each in covers])

    assert set(made) == set(SIZES)
    for size, jpeg in made.items():
        assert Image.open(BytesIO(jpeg)).size == (size, size)
        assert seen(jpeg) == quarters.split()


def test_the_same_covers_give_the_same_bytes() -> None:
    covers = [cover(RED), None, cover(BLUE), cover(GOLD)]

    assert mosaic_of(covers) == mosaic_of(covers)
    assert mosaic_of(covers)[800] != mosaic_of([*covers[:3], cover(GREEN)])[800]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", cover(RED)[:700], picture("GIF"),
        bomb(30_000, 30_000), cover(RED, side=100),
    ],
    ids=["nothing", "svg", "page", "half", "gif", "bomb", "small"],
)  # fmt: skip
def test_what_an_upload_may_not_be_is_a_plain_tile(data: bytes) -> None:
    assert seen(mosaic_of([cover(RED), data, cover(BLUE), cover(GOLD)])[350]) == ["red", "plain", "blue", "gold"]


# --- How it comes about ------------------------------------------------------------------------------------


@pytest.fixture
def host(settings: Settings) -> Iterator[Callable[[Play], Stage]]:
    """The platform's image host, as it is told to behave."""
    stages: list[Stage] = []

    def open_(play: Play) -> Stage:
        stages.append(Stage(play).__enter__())
        patience = {"total_seconds": 1 if play is silent else 5}
        settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {"image_url": stages[-1].origin} | patience
        platform.cache_clear()
        return stages[-1]

    yield open_
    platform.cache_clear()
    for stage in stages:
        stage.__exit__(None, None, None)


def shelves(sock: Any, heard: Heard) -> bool:
    """The covers of the releases that have one."""
    found = re.search(r"/(\d{10})_500\.jpg$", heard.target)
    colour = COLOURS.get(int(found[1])) if found else None
    sock.sendall(answer("200 OK", cover(colour), JPEG) if colour else answer("404 Not Found"))
    return True


@pytest.fixture
def of_four(draft: Callable[..., Playlist], shelf_of_tracks: Callable[..., list[int]]) -> Playlist:
    """A draft with two tracks of a release, and one of each of four others."""
    tracks = [shelf_of_tracks(2, release=release) for release in [*COLOURS, 7001005]]
    return draft(tracks=[*tracks[0], *(each[0] for each in tracks[1:]), tracks[0][0]])


def carry() -> str:
    """Carry the message about the mosaic, once; the state it is in then."""
    message = Message.objects.filter(topic="playlist.mosaic").latest("pk")
    [state] = deliver_lane(message_id=message.pk)
    return state


def drawn(playlist: Playlist, digest: str) -> list[str]:
    return seen(bytes(Picture.objects.get(playlist=playlist, digest=digest, size=800).jpeg))


@pytest.mark.django_db
def test_a_list_without_a_cover_gets_one_when_it_is_published(
    of_four: Playlist, editor: User, host: Callable[[Play], Stage], subscriber: Listener, api: Callable[..., Api],
    client: Client,
) -> None:  # fmt: skip
    stage = host(shelves)
    publish(edit(of_four, editor))
    path = f"playlists/{of_four.pk}"
    before = api(subscriber).get(path)
    assert "/sleeveart/" in json.loads(before.content)["image_url"]

    assert carry() == "DONE"

    revision = Revision.objects.get()
    assert drawn(of_four, revision.mosaic) == ["red", "green", "blue", "gold"]
    after = api(subscriber).get(path)
    template = json.loads(after.content)["image_url"]
    assert template == f"http://testserver/covers/{of_four.pk}/{revision.mosaic}/{{size}}.jpg"
    assert after.headers["ETag"] != before.headers["ETag"]
    assert client.get(template.replace("{size}", "200")).status_code == 200
    assert [heard.target.rsplit("/", 1)[1] for heard in stage.heard] == [f"{pk:010}_500.jpg" for pk in COLOURS]
    assert not {"authorization", "cookie"} & {name for heard in stage.heard for name in heard.headers}


@pytest.mark.django_db
def test_a_list_with_a_cover_of_its_own_keeps_it(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    keep_cover(edit(playlist, editor), picture())

    revision = publish(edit(playlist, editor))

    assert not Message.objects.filter(topic="playlist.mosaic").exists()
    assert (revision.picture, revision.mosaic) == (revision.cover, "")


@pytest.mark.django_db
def test_an_editor_has_one_made_of_the_draft(of_four: Playlist, editor: User, host: Callable[[Play], Stage]) -> None:
    host(shelves)
    keep_cover(edit(of_four, editor), picture())

    asked = ask_for_mosaic(edit(of_four, editor))
    assert carry() == "DONE"

    playlist = Playlist.objects.get(pk=of_four.pk)
    assert (playlist.curation.cover, playlist.curation.picture) == ("", playlist.curation.mosaic)
    assert drawn(playlist, playlist.curation.mosaic) == ["red", "green", "blue", "gold"]
    assert playlist.version == asked.version  # the worker overtakes nobody


@pytest.mark.django_db(transaction=True)
def test_a_mosaic_that_comes_in_the_middle_of_a_change_waits_for_it(of_four: Playlist, editor: User) -> None:
    """Whoever writes about a list holds the list first, or two that write would wait for each other."""
    pictures = dict.fromkeys(SIZES, cover(RED))
    with ThreadPoolExecutor(1) as worker:
        with transaction.atomic():
            change = edit(of_four, editor)
            playlist = opened(change)
            kept_one = worker.submit(closing, keep_mosaic, of_four.pk, None, pictures)
            eventually_blocked()
            kept(playlist, change)
        kept_one.result(30)

    curation = Curation.objects.get(playlist=of_four)
    assert (curation.changed_by, bool(curation.mosaic)) == (editor, True)


def closing(do: Callable[..., None], *values: Any) -> None:
    """Do it on a thread of its own, which leaves no connection behind."""
    try:
        do(*values)
    finally:
        connection.close()


@pytest.mark.django_db
def test_the_same_covers_have_the_same_name_and_are_kept_once(
    of_four: Playlist, editor: User, host: Callable[[Play], Stage]
) -> None:
    host(shelves)
    names = set()
    for _ in range(2):
        publish(edit(of_four, editor))
        assert carry() == "DONE"
        names.add(Revision.objects.latest("number").mosaic)

    assert len(names) == 1
    assert Picture.objects.count() == len(SIZES)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "play",
    [
        says(answer("404 Not Found")), says(answer("403 Forbidden", "<Error/>")),
        says(answer("200 OK", "<svg/>", JPEG)), says(answer("200 OK", bomb(30_000, 30_000), JPEG)),
        without_end(answer("200 OK", b"", JPEG, length=MOST_BYTES + 1), bytes(1_000_000)),
    ],
    ids=["none", "forbidden", "svg", "bomb", "endless"],
)  # fmt: skip
def test_what_is_no_cover_makes_a_plain_one(
    draft: Callable[..., Playlist], editor: User, host: Callable[[Play], Stage], play: Play
) -> None:
    host(play)
    playlist = draft()
    publish(edit(playlist, editor))

    assert carry() == "DONE"

    assert set(drawn(playlist, Revision.objects.get().mosaic)) == {"plain"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "play",
    [
        says(answer("500 Oops")), says(answer("429 Slow down", "", "Retry-After: 7")), silent, reset,
        says(answer("302 Found", "", "Location: http://127.0.0.1:9/elsewhere")),
        says(answer("200 OK", cover(RED)[:-9], JPEG, length=10**6)),
    ],
    ids=["failure", "quota", "silence", "reset", "elsewhere", "cut"],
)  # fmt: skip
def test_a_host_in_trouble_is_asked_again_and_holds_up_nobody_else(
    of_four: Playlist, editor: User, host: Callable[[Play], Stage], play: Play
) -> None:
    stage = host(play)
    publish(edit(of_four, editor))

    assert carry() == "WAITING"

    assert len(stage.heard_in_the_end()) == 1
    assert Revision.objects.get().mosaic == ""
    assert list(Circuit.objects.values_list("name", "failures")) == [("images", 1)]
    host(shelves)
    Message.objects.update(due_at=Now())
    assert carry() == "DONE"
    assert Revision.objects.get().mosaic


@pytest.mark.django_db
def test_an_empty_draft_and_one_that_is_gone_get_none(
    draft: Callable[..., Playlist], editor: User, host: Callable[[Play], Stage]
) -> None:
    stage = host(shelves)
    empty = draft()
    gone = draft(tracks=[empty.items.values_list("track_id", flat=True)[0]])
    ask_for_mosaic(edit(gone, editor))
    Playlist.objects.filter(pk=gone.pk).update(removed_at=Now())
    assert carry() == "DONE"
    empty.items.all().delete()
    ask_for_mosaic(edit(empty, editor))
    assert carry() == "DONE"

    assert stage.heard == []
    assert not Picture.objects.exists()


@pytest.mark.django_db
def test_the_first_four_different_releases_count(of_four: Playlist, editor: User) -> None:
    publish(edit(of_four, editor))
    of_four.items.order_by("position").first().delete()  # type: ignore[union-attr]

    assert releases_of(of_four.pk, revision=1) == list(COLOURS)
    assert releases_of(of_four.pk, revision=None) == list(COLOURS)
    of_four.items.order_by("position").first().delete()  # type: ignore[union-attr]
    assert releases_of(of_four.pk, revision=None) == [7001002, 7001003, 7001004, 7001005]
