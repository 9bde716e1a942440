"""Curated playlists as apps get them: what is live, for whom, and in which order."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Listener, User
from playlists.curation import describe, move, take_off
from playlists.models import Featured, Item, Playlist, Revision, Shelf
from playlists.publishing import end, publish
from subscriptions.models import Plan, Subscription
from tests.helpers import Api, apply_member, expect_problem
from tests.playlists.conftest import edit

pytestmark = pytest.mark.django_db

PLAN = "premium-unlimited-streaming"
HOUR = timedelta(hours=1)


@pytest.fixture
def phone(subscriber: Listener, api: Callable[[Listener], Api]) -> Api:
    """In Britain, on the plan of `subscribe`."""
    return api(subscriber)


@pytest.fixture
def live(draft: Callable[..., Playlist], editor: User) -> Callable[..., Playlist]:
    """A curated playlist, published an hour ago unless told otherwise."""

    def make(*, at: datetime | None = None, until: datetime | None = None, **facts: Any) -> Playlist:
        tracks = list(Item.objects.values_list("track_id", flat=True).order_by("position")[:4]) or None
        playlist = draft(tracks=tracks, **facts)
        publish(edit(playlist, editor, now=timezone.now() - HOUR), at=at, until=until)
        return playlist

    return make


def body(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.content
    return json.loads(response.content)


def names(phone: Api, path: str = "playlists/featured", **headers: str) -> list[str]:
    return [each["name"] for each in body(phone.get(path, **headers))["results"]]


def sees(phone: Api, playlist: Playlist, query: str = "", **headers: str) -> bool:
    """Whether the playlist is there: featured, by itself, and with its items, all alike."""
    answers = {
        bool(names(phone, f"playlists/featured{query}", **headers)),
        phone.get(f"playlists/{playlist.pk}{query}", **headers).status_code == 200,
        phone.get(f"playlists/{playlist.pk}/items{query}", **headers).status_code == 200,
    }
    assert len(answers) == 1
    return answers.pop()


# country of the list, plans, locales; query and header of the caller, who is in GB on PLAN; seen or not
TARGETS = [
    ([], [], [], "", "", True),
    (["GB"], [], [], "", "", True),
    (["DE", "GB"], [], [], "", "", True),
    (["DE"], [], [], "", "", False),
    ([], [PLAN], [], "", "", True),
    ([], ["another", PLAN], [], "", "", True),
    ([], ["another"], [], "", "", False),
    (["DE"], [PLAN], [], "", "", False),
    ([], [], ["de"], "", "", True),
    ([], [], ["de"], "", "*", True),
    ([], [], ["de"], "", "de", True),
    ([], [], ["de"], "", "de-AT, en;q=0.5", True),
    ([], [], ["de"], "", "en, de;q=0", False),
    ([], [], ["de"], "", "en-GB", False),
    ([], [], ["pt-BR"], "", "pt-br", True),
    ([], [], ["pt-BR"], "", "pt", False),
    ([], [], ["pt-BR"], "", "pt-PT", False),
    ([], [], ["zh-Hant"], "", "zh-hant-tw", True),
    ([], [], ["de"], "?locale=de", "en", True),
    ([], [], ["de"], "?locale=en", "de", False),
    ([], [], ["pt"], "?locale=pt-br", "", True),
    ([], [], ["pt-BR"], "?locale=pt", "", False),
    ([], [], ["de"], "", "!!, ;q=, de;q=x", True),
    ([], [], ["de"], "", ",".join(["en"] * 500), False),
]


@pytest.mark.parametrize(("countries", "codes", "locales", "query", "language", "seen"), TARGETS)
def test_a_list_is_there_for_whom_it_is_meant(
    phone: Api,
    live: Callable[..., Playlist],
    countries: list[str],
    codes: list[str],
    locales: list[str],
    query: str,
    language: str,
    seen: bool,
) -> None:
    playlist = live(countries=countries, plans=codes, locales=locales)

    assert sees(phone, playlist, query, **({"Accept_Language": language} if language else {})) is seen


def test_who_has_no_plan_gets_what_is_for_everybody(
    api: Callable[[Listener], Api], make_listener: Callable[..., Listener], live: Callable[..., Playlist]
) -> None:
    phone = api(make_listener())
    for_some, for_all = live(plans=[PLAN]), live(name="For all")

    assert names(phone) == ["For all"]
    assert phone.get(f"playlists/{for_some.pk}").status_code == 404
    assert phone.get(f"playlists/{for_all.pk}").status_code == 200


def test_a_plan_that_ran_out_is_none(phone: Api, live: Callable[..., Playlist]) -> None:
    playlist = live(plans=[PLAN])
    Subscription.objects.update(entitled_until=timezone.now() - HOUR)

    assert not sees(phone, playlist)
    assert Plan.objects.filter(pk=PLAN).exists()


def test_what_is_live_is_for_the_clock_to_say(phone: Api, live: Callable[..., Playlist]) -> None:
    now = timezone.now()
    live(name="over", until=now - HOUR / 2)
    live(name="to come", at=now + HOUR)
    live(name="running", at=now - HOUR / 2, until=now + HOUR)

    assert names(phone) == ["running"]


def test_a_draft_is_nobodys_business(phone: Api, draft: Callable[..., Playlist]) -> None:
    playlist = draft()

    here, nowhere = phone.get(f"playlists/{playlist.pk}"), phone.get(f"playlists/{uuid4()}")

    assert not sees(phone, playlist)
    assert expect_problem(here, 404, "playlist_not_found").keys() == body(nowhere, 404).keys()
    assert body(here, 404) | {"trace_id": ""} == body(nowhere, 404) | {"trace_id": ""}


def test_a_published_list_looks_like_any_other(phone: Api, live: Callable[..., Playlist]) -> None:
    playlist = live(description="slowly")
    revision = Revision.objects.get()

    shown = body(phone.get(f"playlists/{playlist.pk}"))

    first = Item.objects.order_by("position").first()
    assert first is not None
    assert shown.pop("image_url").endswith(f"/{first.track.release_id:010}_{{size}}.jpg")
    assert shown == {
        "id": str(playlist.pk), "name": "Morning", "description": "slowly", "visibility": "public",
        "status": "published", "track_count": 4, "updated_at": revision.live_from.isoformat().replace("+00:00", "Z"),
    }  # fmt: skip


def test_its_items_are_those_of_the_revision_page_by_page(
    phone: Api, live: Callable[..., Playlist], editor: User
) -> None:
    playlist = live()
    ids = [str(pk) for pk in Item.objects.filter(playlist=playlist).order_by("position").values_list("pk", flat=True)]
    take_off(edit(playlist, editor), [Item.objects.get(pk=ids[0]).pk])

    first = body(phone.get(f"playlists/{playlist.pk}/items?limit=3"))
    second = body(phone.get(first["next"].split("/api/v1/")[1]))

    assert [item["id"] for item in first["results"] + second["results"]] == ids
    assert [item["track"]["playable"] for item in second["results"]] == [True]
    assert second["next"] is None


def test_an_item_keeps_its_id_from_one_revision_to_the_next(
    phone: Api, live: Callable[..., Playlist], editor: User
) -> None:
    playlist = live()
    path = f"playlists/{playlist.pk}/items"
    before = {item["id"]: item["track"]["id"] for item in body(phone.get(path))["results"]}
    ids = list(Item.objects.order_by("position").values_list("pk", flat=True))
    move(edit(playlist, editor), ids[:1], before=None)
    publish(edit(playlist, editor))

    after = {item["id"]: item["track"]["id"] for item in body(phone.get(path))["results"]}

    assert after == before
    assert list(after) != list(before)


def test_a_track_that_was_taken_down_later_stays_and_says_why(phone: Api, live: Callable[..., Playlist]) -> None:
    playlist = live()
    apply_member({"id": 7001001, "version": 2, "takedown": True})

    shown = body(phone.get(f"playlists/{playlist.pk}/items"))["results"]

    assert {item["track"]["unplayable_reason"] for item in shown} == {"TAKEN_DOWN"}


def test_listeners_cannot_change_it(phone: Api, live: Callable[..., Playlist]) -> None:
    path = f"playlists/{live().pk}"
    track_id = Item.objects.values_list("track_id", flat=True)[0]

    expect_problem(phone.patch(path, {"name": "mine"}, if_match="*"), 404, "playlist_not_found")
    expect_problem(phone.post(f"{path}/items", {"track_ids": [track_id]}, if_match="*"), 404, "playlist_not_found")
    expect_problem(phone.delete(path, if_match="*"), 404, "playlist_not_found")


def test_an_etag_holds_until_another_revision_is_live(phone: Api, live: Callable[..., Playlist], editor: User) -> None:
    playlist = live()
    for path in (f"playlists/{playlist.pk}", f"playlists/{playlist.pk}/items", "playlists/featured"):
        tag = phone.get(path).headers["ETag"]
        assert not tag.startswith("W/")
        assert phone.get(path, If_None_Match=tag).status_code == 304
        describe(edit(playlist, editor), {"name": f"Other {path}"})
        assert phone.get(path, If_None_Match=tag).status_code == 304
        move(
            edit(playlist, editor), [Item.objects.order_by("-position").values_list("pk", flat=True)[0]], before=first()
        )
        publish(edit(playlist, editor))
        assert phone.get(path, If_None_Match=tag).status_code == 200


def first() -> Any:
    return Item.objects.order_by("position").values_list("pk", flat=True)[0]


def test_shelves_come_in_their_order_and_then_the_newest(phone: Api, live: Callable[..., Playlist]) -> None:
    upper, lower = Shelf.objects.create(name="Upper", place=1), Shelf.objects.create(name="Lower", place=2)
    lists = {name: live(name=name) for name in "abcd"}
    for shelf, place, name in [(lower, 1, "a"), (upper, 2, "a"), (upper, 1, "b")]:
        Featured.objects.create(shelf=shelf, playlist=lists[name], place=place)

    one = body(phone.get("playlists/featured?limit=3"))
    two = body(phone.get(one["next"].split("/api/v1/")[1]))

    shown = [(each["shelf"], each["name"]) for each in one["results"] + two["results"]]
    assert shown == [("Upper", "b"), ("Upper", "a"), ("Lower", "a"), (None, "d"), (None, "c")]


def test_what_ends_is_gone_at_once(phone: Api, live: Callable[..., Playlist], editor: User) -> None:
    playlist = live()
    end(edit(playlist, editor))

    assert not sees(phone, playlist)


@pytest.mark.parametrize("locale", ["", "x", "en_GB", "'; --", "e" * 100, "\x00", "de,en"])
def test_a_locale_that_is_none_is_refused(phone: Api, live: Callable[..., Playlist], locale: str) -> None:
    live()

    expect_problem(phone.get(f"playlists/featured?locale={locale}".replace("\x00", "%00")), 400, "invalid_parameter")


def test_listeners_alone_may_ask(stranger: Api) -> None:
    expect_problem(stranger.get("playlists/featured"), 401, "not_authenticated")


def test_many_lists_are_as_many_statements_as_one(phone: Api, live: Callable[..., Playlist]) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            body(phone.get("playlists/featured"))
        return len(captured)

    live()
    alone = asked()
    for _ in range(5):
        live()

    assert asked() == alone


def test_a_cursor_of_nobodys_is_refused(phone: Api, live: Callable[..., Playlist]) -> None:
    playlist = live()

    for path in ("playlists/featured", f"playlists/{playlist.pk}/items"):
        expect_problem(phone.get(f"{path}?cursor=zz"), 400, "invalid_parameter")
        expect_problem(phone.get(f"{path}?limit=0"), 400, "invalid_parameter")
