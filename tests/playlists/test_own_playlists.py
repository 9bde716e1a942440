"""A listener's own playlists over the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from accounts.actions import close_account
from accounts.models import Listener
from catalogue.models import Track
from outbox.models import Message
from playlists import actions
from playlists.models import Item, Playlist
from playlists.ordering import GAP
from playlists.rules import AT_ONCE, ITEMS_LIMIT, PLAYLISTS_LIMIT
from tests.helpers import Api, expect_problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(listener: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(listener)


@pytest.fixture
def other(make_listener: Callable[..., Listener], api: Callable[[Listener], Api]) -> Api:
    return api(make_listener())


@pytest.fixture
def tracks(shelve: Callable[..., list[Track]]) -> list[int]:
    members = [{"id": 9000 + number, "title": f"Étude {number}", "duration": 60} for number in range(12)]
    return [track.pk for track in shelve(tracks=members)]


def body(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.content
    return json.loads(response.content)


def made(phone: Api, **facts: Any) -> tuple[str, str]:
    """A new playlist: its path, and its tag."""
    answer = phone.post("playlists", {"name": "Morning"} | facts)
    return f"playlists/{body(answer, 201)['id']}", answer.headers["ETag"]


def filled(phone: Api, tracks: list[int], **facts: Any) -> tuple[str, str, list[str]]:
    """A playlist with tracks: its path, its tag, and the ids of its items."""
    path, tag = made(phone, **facts)
    answer = phone.post(f"{path}/items", {"track_ids": tracks}, if_match=tag)
    return path, answer.headers["ETag"], [item["id"] for item in body(answer, 201)["results"]]


def order(phone: Api, path: str) -> list[str]:
    return [item["id"] for item in body(phone.get(f"{path}/items?limit=100"))["results"]]


# --- The list itself -----------------------------------------------------------------------------------


def test_a_playlist_begins_empty_and_private(phone: Api) -> None:
    answer = phone.post("playlists", {"name": "Morning", "description": "slowly"})

    shown = body(answer, 201)
    assert {name: shown[name] for name in ("name", "description", "visibility", "status", "track_count")} == {
        "name": "Morning", "description": "slowly", "visibility": "private", "status": "published", "track_count": 0,
    }  # fmt: skip
    assert shown["image_url"] is None
    assert shown["updated_at"].endswith("Z")
    assert answer.headers["ETag"] == '"1"'
    assert body(phone.get(f"playlists/{shown['id']}")) == shown


def test_the_youngest_comes_first_page_by_page(phone: Api) -> None:
    for name in "abcde":
        made(phone, name=name)

    first = body(phone.get("playlists?limit=3"))
    second = body(phone.get(first["next"].split("/api/v1/")[1]))

    assert [each["name"] for each in first["results"] + second["results"]] == list("edcba")
    assert second["next"] is None


def test_what_is_left_out_stays(phone: Api) -> None:
    path, tag = made(phone, description="slowly")

    answer = phone.patch(path, {"visibility": "public"}, if_match=tag)

    shown = body(answer)
    assert (shown["name"], shown["description"], shown["visibility"]) == ("Morning", "slowly", "public")
    assert answer.headers["ETag"] == '"2"'


@pytest.mark.parametrize("facts", [{}, {"colour": "blue"}, {"name": "Morning"}, {"name": "Morning", "description": ""}])
def test_what_changes_nothing_makes_no_version(phone: Api, facts: dict[str, Any]) -> None:
    path, tag = made(phone)
    before, letters = body(phone.get(path)), Message.objects.count()

    answer = phone.patch(path, facts, if_match=tag)

    assert (body(answer), answer.headers["ETag"], Message.objects.count()) == (before, tag, letters)
    expect_problem(phone.patch(path, facts, if_match='"7"'), 412, "playlist_changed")
    expect_problem(phone.patch(path, facts), 428, "precondition_required")


def test_a_removed_playlist_is_gone(phone: Api) -> None:
    path, tag = made(phone)

    assert phone.delete(path, if_match=tag).status_code == 204

    expect_problem(phone.get(path), 404, "playlist_not_found")
    assert body(phone.get("playlists"))["results"] == []


@pytest.mark.parametrize(
    "facts",
    [
        {}, {"name": ""}, {"name": " "}, {"name": "x" * 201}, {"name": None}, {"name": ["x"]},
        {"name": "x", "description": "x" * 501}, {"name": "x", "visibility": "PUBLIC"}, {"name": "x", "visibility": 1},
    ],
    ids=str,
)  # fmt: skip
def test_facts_that_cannot_be_are_refused_by_name(phone: Api, facts: dict[str, Any]) -> None:
    code = "missing_parameter" if "name" not in facts else "invalid_parameter"

    expect_problem(phone.post("playlists", facts), 400, code)
    assert not Playlist.objects.exists()


def test_names_of_any_script_are_kept_as_they_are(phone: Api) -> None:
    name = "朝 <script>alert(1)</script> {{ 7*7 }} 🌅 '); DROP TABLE"

    assert body(phone.get(made(phone, name=name)[0]))["name"] == name


def test_there_may_be_only_so_many(phone: Api, listener: Listener) -> None:
    Playlist.objects.bulk_create(Playlist(owner=listener, name=str(number)) for number in range(PLAYLISTS_LIMIT))

    problem = expect_problem(phone.post("playlists", {"name": "x"}), 409, "too_many_playlists")

    assert problem["limit"] == PLAYLISTS_LIMIT


# --- Whose business it is ---------------------------------------------------------------------------------


def test_a_private_playlist_is_nobodys_business(phone: Api, other: Api, tracks: list[int]) -> None:
    path, tag, (item, *_) = filled(phone, tracks)
    nothing = f"playlists/{uuid4()}"

    for of, tail in ((path, item), (nothing, uuid4())):
        answers = [
            other.get(of),
            other.get(f"{of}/items"),
            other.patch(of, {"name": "mine"}, if_match=tag),
            other.delete(of, if_match=tag),
            other.post(f"{of}/items", {"track_ids": tracks[:1]}, if_match=tag),
            other.post(f"{of}/items/move", {"item_ids": [str(tail)], "before": None}, if_match=tag),
            other.delete(f"{of}/items/{tail}", if_match=tag),
        ]
        problems = [expect_problem(answer, 404, "playlist_not_found") for answer in answers]
        assert {problem["detail"] for problem in problems} == {"there is no such playlist"}


def test_a_public_one_is_read_by_whoever_has_the_link_and_changed_by_nobody_else(
    phone: Api, other: Api, tracks: list[int]
) -> None:
    path, tag, items = filled(phone, tracks[:2], visibility="public")

    assert body(other.get(path))["name"] == "Morning"
    assert order(other, path) == items
    assert body(other.get("playlists"))["results"] == []
    expect_problem(other.patch(path, {"name": "mine"}, if_match=tag), 404, "playlist_not_found")


# --- What is on it ----------------------------------------------------------------------------------------


def test_tracks_are_added_in_their_order_and_one_may_stand_twice(phone: Api, tracks: list[int]) -> None:
    path, tag = made(phone)

    answer = phone.post(f"{path}/items", {"track_ids": [tracks[1], tracks[0], tracks[1]]}, if_match=tag)

    added = body(answer, 201)
    assert [item["track"]["id"] for item in added["results"]] == [tracks[1], tracks[0], tracks[1]]
    assert added["track_count"] == 3
    assert len({item["id"] for item in added["results"]}) == 3
    shown = body(phone.get(path))
    assert shown["track_count"] == 3
    assert "{size}" in shown["image_url"]


@pytest.mark.parametrize("wish", [{"track_id": 9003}, {"items": [{"track_id": 9003}]}, {"track_ids": [9003]}], ids=str)
def test_one_track_may_be_named_in_any_of_three_ways(phone: Api, tracks: list[int], wish: dict[str, Any]) -> None:
    path, tag = made(phone)

    assert body(phone.post(f"{path}/items", wish, if_match=tag), 201)["results"][0]["track"]["id"] == 9003


def test_tracks_are_added_in_front_of_an_item(phone: Api, tracks: list[int]) -> None:
    path, tag, (one, two) = filled(phone, tracks[:2])

    answer = phone.post(f"{path}/items", {"track_ids": tracks[2:4], "before": two}, if_match=tag)

    new = [item["id"] for item in body(answer, 201)["results"]]
    assert order(phone, path) == [one, *new, two]


def test_pages_go_on_from_wherever_a_track_was_put(phone: Api, tracks: list[int]) -> None:
    """In front of everything positions are negative."""
    path, _, items = filled(phone, tracks[:1])
    for track in tracks[1:3]:
        wish = {"track_ids": [track], "before": items[0]}
        items.insert(0, body(phone.post(f"{path}/items", wish, if_match="*"), 201)["results"][0]["id"])

    seen: list[str] = []
    page: str | None = f"{path}/items?limit=1"
    while page:
        answer = body(phone.get(page))
        seen += [item["id"] for item in answer["results"]]
        page = answer["next"] and answer["next"].split("/api/v1/")[1]

    assert seen == items == order(phone, path)


@pytest.mark.parametrize("cursor", ["cD0x", "bzE", "aQ==", "aS0=", "aTEyMzQ1Njc4OTAxMjM0NTY3ODk=", "aTHZow==", "%00"])
def test_a_cursor_that_we_never_made_is_refused(phone: Api, tracks: list[int], cursor: str) -> None:
    path, _, _ = filled(phone, tracks)

    expect_problem(phone.get(f"{path}/items?cursor={cursor}"), 400, "invalid_parameter")


def test_of_unknown_tracks_all_are_named_and_none_is_added(phone: Api, tracks: list[int]) -> None:
    path, tag = made(phone)

    answer = phone.post(f"{path}/items", {"track_ids": [tracks[0], 5, 4]}, if_match=tag)

    assert expect_problem(answer, 404, "track_not_found")["missing"] == [4, 5]
    assert body(phone.get(path))["track_count"] == 0


def test_an_unplayable_track_stays_and_says_why(phone: Api, shelve: Callable[..., list[Track]]) -> None:
    one, two = shelve()
    path, _, items = filled(phone, [one.pk, two.pk])
    Track.objects.filter(pk=one.pk).update(gone_at=timezone.now())

    shown = body(phone.get(f"{path}/items"))["results"]

    assert [item["id"] for item in shown] == items
    assert [(item["track"]["playable"], item["track"]["unplayable_reason"]) for item in shown] == [
        (False, "TAKEN_DOWN"),
        (True, None),
    ]


def test_items_move_in_the_order_given_in_front_of_another(phone: Api, tracks: list[int]) -> None:
    path, tag, (a, b, c, d, e) = filled(phone, tracks[:5])

    answer = phone.post(f"{path}/items/move", {"item_ids": [e, a], "before": c}, if_match=tag)
    assert order(phone, path) == [b, e, a, c, d]

    phone.post(f"{path}/items/move", {"item_ids": [b, c], "before": None}, if_match=answer.headers["ETag"])
    assert order(phone, path) == [e, a, d, b, c]


def test_a_removed_item_is_gone_and_its_twin_stays(phone: Api, tracks: list[int]) -> None:
    path, tag, (one, two) = filled(phone, [tracks[0], tracks[0]])

    answer = phone.delete(f"{path}/items/{one}", if_match=tag)

    assert answer.status_code == 204
    assert order(phone, path) == [two]
    assert body(phone.get(path))["track_count"] == 1
    expect_problem(phone.delete(f"{path}/items/{one}", if_match=answer.headers["ETag"]), 404, "item_not_found")


def test_foreign_items_do_not_move(phone: Api, tracks: list[int]) -> None:
    path, tag, (one, *_) = filled(phone, tracks[:3])
    _, _, (foreign, *_) = filled(phone, tracks[:3])

    for wish in ({"item_ids": [one, foreign], "before": None}, {"item_ids": [one], "before": foreign}):
        problem = expect_problem(phone.post(f"{path}/items/move", wish, if_match=tag), 404, "item_not_found")
        assert problem["item_ids"] == [foreign]


@pytest.mark.parametrize("wish", ["twice", "before itself", "nothing", "no place", "no ids"])
def test_moves_that_make_no_sense_are_refused(phone: Api, tracks: list[int], wish: str) -> None:
    path, tag, (one, *_) = filled(phone, tracks[:3])
    asked: dict[str, Any] = {
        "twice": {"item_ids": [one, one], "before": None},
        "before itself": {"item_ids": [one], "before": one},
        "nothing": {"item_ids": [], "before": None},
        "no place": {"item_ids": [one]},
        "no ids": {"item_ids": ["x"], "before": None},
    }[wish]

    answer = phone.post(f"{path}/items/move", asked, if_match=tag)

    expect_problem(answer, 400, "missing_parameter" if wish == "no place" else "invalid_parameter")


@pytest.mark.parametrize(
    "wish",
    [{}, {"track_ids": []}, {"track_ids": [0]}, {"track_ids": [2**31]}, {"track_ids": ["x"]}, {"track_ids": 5},
     {"items": [{}]}, {"track_ids": list(range(1, AT_ONCE + 2))}],
    ids=lambda wish: str(wish)[:40],
)  # fmt: skip
def test_additions_that_make_no_sense_are_refused(phone: Api, wish: dict[str, Any]) -> None:
    path, tag = made(phone)

    assert phone.post(f"{path}/items", wish, if_match=tag).status_code == 400


def test_a_full_playlist_says_so(phone: Api, listener: Listener, tracks: list[int]) -> None:
    path, tag = made(phone)
    Playlist.objects.update(track_count=ITEMS_LIMIT - 1)

    problem = expect_problem(phone.post(f"{path}/items", {"track_ids": tracks[:2]}, if_match=tag), 409, "playlist_full")

    assert problem["limit"] == ITEMS_LIMIT
    assert phone.post(f"{path}/items", {"track_ids": tracks[:1]}, if_match=tag).status_code == 201


# --- Tags -------------------------------------------------------------------------------------------------


def test_a_change_upon_what_is_no_more_is_told_how_it_stands_now(phone: Api, tracks: list[int]) -> None:
    path, tag = made(phone)
    phone.patch(path, {"name": "Evening"}, if_match=tag)

    for answer in (
        phone.patch(path, {"name": "Noon"}, if_match=tag),
        phone.delete(path, if_match=tag),
        phone.post(f"{path}/items", {"track_ids": tracks}, if_match=tag),
        phone.post(f"{path}/items/move", {"item_ids": [str(uuid4())], "before": None}, if_match=tag),
        phone.delete(f"{path}/items/{uuid4()}", if_match=tag),
        phone.patch(path, {"name": "Noon"}, if_match='"of somebody else"'),
    ):
        problem = expect_problem(answer, 412, "playlist_changed")
        assert problem["current"] == body(phone.get(path))
        assert answer.headers["ETag"] == phone.get(path).headers["ETag"] == '"2"'


def test_a_change_that_names_no_state_is_refused(phone: Api, tracks: list[int]) -> None:
    path, _ = made(phone)

    for answer in (
        phone.patch(path, {"name": "Noon"}),
        phone.delete(path),
        phone.post(f"{path}/items", {"track_ids": tracks}),
        phone.post(f"{path}/items/move", {"item_ids": [str(uuid4())], "before": None}),
        phone.delete(f"{path}/items/{uuid4()}"),
    ):
        expect_problem(answer, 428, "precondition_required")


@pytest.mark.parametrize("tag", ["*", '"7", "1"', '"1.ab12"'])
def test_any_tag_of_the_state_will_do(phone: Api, tag: str) -> None:
    path, _ = made(phone)
    wanted = 412 if "7" in tag else 200

    assert phone.patch(path, {"name": "Noon"}, if_match=tag).status_code == wanted


@pytest.mark.parametrize("tag", ["1", "W/", '"1'])
def test_a_tag_that_is_none_is_refused(phone: Api, tag: str) -> None:
    path, _ = made(phone)

    expect_problem(phone.patch(path, {"name": "Noon"}, if_match=tag), 400, "invalid_parameter")


def test_what_has_not_changed_is_not_sent_again(phone: Api, tracks: list[int]) -> None:
    path, tag, (one, *_) = filled(phone, tracks)
    page = phone.get(f"{path}/items?limit=5")

    assert phone.get(path, if_none_match=tag).status_code == 304
    assert phone.get(f"{path}/items?limit=5", if_none_match=page.headers["ETag"]).status_code == 304
    assert phone.get(f"{path}/items?limit=6", if_none_match=page.headers["ETag"]).status_code == 200

    phone.delete(f"{path}/items/{one}", if_match=page.headers["ETag"])  # a page's tag names the state as well
    assert phone.get(path, if_none_match=tag).status_code == 200
    assert phone.get(f"{path}/items?limit=5", if_none_match=page.headers["ETag"]).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_changes_upon_one_state_one_is_made_and_the_others_are_told(phone: Api, tracks: list[int]) -> None:
    path, tag = made(phone)

    def rename(number: int) -> int:
        try:
            return phone.patch(path, {"name": f"by {number}"}, if_match=tag).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(rename, range(50)))

    assert (statuses.count(200), statuses.count(412)) == (1, 49)
    assert phone.get(path).headers["ETag"] == '"2"'


# --- What it costs ----------------------------------------------------------------------------------------


def long_list(listener: Listener, track: int, count: int) -> Playlist:
    playlist = Playlist.objects.create(owner=listener, name="long", track_count=count)
    Item.objects.bulk_create(
        Item(playlist=playlist, track_id=track, position=GAP * (number + 1)) for number in range(count)
    )
    return playlist


@pytest.mark.parametrize("at", ["front", "middle"])
def test_a_move_touches_what_is_moved_and_nothing_else(
    phone: Api, listener: Listener, tracks: list[int], at: str
) -> None:
    playlist = long_list(listener, tracks[0], 2000)
    ids = list(Item.objects.filter(playlist=playlist).order_by("position").values_list("pk", flat=True))
    before = dict(Item.objects.values_list("pk", "position"))
    target = ids[0] if at == "front" else ids[1000]

    phone.post(
        f"playlists/{playlist.pk}/items/move", {"item_ids": [str(ids[-1])], "before": str(target)}, if_match='"1"'
    )

    after = dict(Item.objects.values_list("pk", "position"))
    assert [pk for pk in ids if before[pk] != after[pk]] == [ids[-1]]


def test_where_neighbours_have_met_all_are_spread_out_again(phone: Api, listener: Listener, tracks: list[int]) -> None:
    playlist = Playlist.objects.create(owner=listener, name="tight", track_count=3)
    a, b, c = (Item.objects.create(playlist=playlist, track_id=tracks[0], position=place) for place in (7, 8, 9))

    answer = phone.post(
        f"playlists/{playlist.pk}/items/move", {"item_ids": [str(c.pk)], "before": str(b.pk)}, if_match='"1"'
    )

    assert answer.status_code == 200
    assert order(phone, f"playlists/{playlist.pk}") == [str(item.pk) for item in (a, c, b)]


def test_a_page_costs_the_same_at_the_front_and_at_the_end(phone: Api, listener: Listener, tracks: list[int]) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            body(phone.get(path))
        return len(seen)

    path = f"playlists/{long_list(listener, tracks[0], 500).pk}/items?limit=100"
    first = queries(path)
    following = body(phone.get(path))["next"].split("/api/v1/")[1]

    assert queries(following) == first
    assert first <= 5


# --- Whoever leaves -------------------------------------------------------------------------------------------


def test_a_listener_who_leaves_leaves_no_playlist(phone: Api, listener: Listener, tracks: list[int]) -> None:
    filled(phone, tracks, name="of Ada")

    close_account(listener=listener, now=timezone.now())

    assert not Playlist.objects.standing().exists()
    assert not Item.objects.exists()
    assert not Playlist.objects.filter(name="of Ada").exists()


def test_every_change_is_queued_for_the_platform_in_the_playlists_own_lane(phone: Api, tracks: list[int]) -> None:
    path, tag, _ = filled(phone, tracks)
    phone.delete(path, if_match=tag)
    playlist = Playlist.objects.get()

    queued = Message.objects.filter(topic="playlist.keep").order_by("pk")

    assert [message.body["version"] for message in queued] == [1, 2, 3]
    assert {message.lane for message in queued} == {f"playlist {playlist.pk}"}


# --- Any sequence of changes ------------------------------------------------------------------------------


class AsAListWouldDo(RuleBasedStateMachine):
    """Whatever is added, moved and removed, the playlist is what a list would be."""

    @initialize()
    def begin(self) -> None:
        self.playlist = Playlist.objects.create(owner=Listener.objects.get(), name="one")
        self.model: list[Any] = []
        self.track = Track.objects.first()

    def asked(self) -> dict[str, Any]:
        playlist = self.playlist
        assert playlist.owner_id is not None
        return {"listener_id": playlist.owner_id, "playlist_id": playlist.pk, "version": None, "now": timezone.now()}

    def somewhere(self, data: st.DataObject, among: list[Any]) -> Any:
        return data.draw(st.sampled_from([None, *among]))

    @rule(data=st.data(), count=st.integers(1, 5))
    def add(self, data: st.DataObject, count: int) -> None:
        before = self.somewhere(data, self.model)
        assert self.track is not None
        _, items = actions.add_tracks(**self.asked(), track_ids=[self.track.pk] * count, before=before)
        place = len(self.model) if before is None else self.model.index(before)
        self.model[place:place] = [item.pk for item in items]

    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        if not self.model:
            return
        moved = data.draw(st.lists(st.sampled_from(self.model), unique=True, min_size=1, max_size=6))
        rest = [item for item in self.model if item not in moved]
        before = self.somewhere(data, rest)
        actions.move_items(**self.asked(), item_ids=moved, before=before)
        place = len(rest) if before is None else rest.index(before)
        self.model = [*rest[:place], *moved, *rest[place:]]

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.model:
            gone = data.draw(st.sampled_from(self.model))
            actions.remove_item(**self.asked(), item_id=gone)
            self.model.remove(gone)

    @rule()
    def crowd(self) -> None:
        """As after a thousand moves into the same place: no room is left between any two."""
        items = Item.objects.filter(playlist=self.playlist).order_by("position")
        for number, item in enumerate(items):
            Item.objects.filter(pk=item.pk).update(position=number - 2**40)

    @invariant()
    def is_the_list(self) -> None:
        if hasattr(self, "model"):
            kept = Item.objects.filter(playlist=self.playlist).order_by("position")
            assert list(kept.values_list("pk", flat=True)) == self.model
            self.playlist.refresh_from_db()
            assert self.playlist.track_count == len(self.model)


def test_any_sequence_of_changes_ends_as_on_a_list(listener: Listener, tracks: list[int]) -> None:

    run_state_machine_as_test(
        AsAListWouldDo,
        settings=settings(max_examples=20, stateful_step_count=30, suppress_health_check=list(HealthCheck)),
    )
