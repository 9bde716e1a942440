"""A request that is sent again with its Idempotency-Key is answered as it was the first time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.http import HttpResponse
from django.utils import timezone

from accounts.models import Export, Listener
from catalogue.models import Track
from playlists.models import Item, Playlist
from streaming.models import Device, StreamHolder
from tests.downloads import shop
from tests.helpers import Api, expect_problem, play, statements_noted
from usage.models import Play
from web.idempotency import KEPT, LEASE_SECONDS, digest_of
from web.models import KeyedRequest
from web.tasks import prune

pytestmark = pytest.mark.django_db
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
NOBODYS = "00000000-0000-0000-0000-000000000007"
KEPT_ONES = ["playlists", f"playlists/{NOBODYS}/items", f"playlists/{NOBODYS}/items/move", "me/exports"]
FRESH_ONES = ["streams", "offline/copies", "downloads"]
TAKES_KEYS = [*KEPT_ONES, *FRESH_ONES]
NO_KEYS = {"plays", "previews", "subscriptions/check"}  # ids of their own, and nothing that is made
MORNING = {"name": "Morning", "description": "slowly"}
FAILS = """
    CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a bug'; END $$;
    CREATE TRIGGER fails AFTER INSERT ON playlists_playlist FOR EACH ROW EXECUTE FUNCTION fails();
"""


@pytest.fixture
def phone(subscriber: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(subscriber)


def send(phone: Api, path: str, body: Any = None, *, key: str = KEY, **headers: str) -> HttpResponse:
    return phone.post(path, body, idempotency_key=key, **headers)


def playlist(phone: Api) -> tuple[str, str]:
    """One that is there: its path, and its tag."""
    made = phone.post("playlists", MORNING)
    return f"playlists/{json.loads(made.content)['id']}", made.headers["ETag"]


def expect_same(first: HttpResponse, again: HttpResponse) -> None:
    """Status, body and headers to the byte, but for the mark and the id of the request."""
    assert first.status_code in {200, 201, 202}, first.content
    assert "Idempotency-Replayed" not in first.headers
    assert (again.status_code, again.content) == (first.status_code, first.content)
    marked = {"Idempotency-Replayed": "true", "X-Request-Id": again.headers["X-Request-Id"]}
    assert dict(again.headers) == dict(first.headers) | marked


def running(listener: Listener, path: str, body: bytes, *, seconds: float = 0) -> None:
    """A request of the phone's runs, since so many seconds; or whoever ran it has died."""
    KeyedRequest.objects.create(
        listener_id=listener.pk, key=KEY, target=f"POST /api/v1/{path}", digest=digest_of(body), state="RUNNING",
        since=timezone.now() - timedelta(seconds=seconds),
    )  # fmt: skip


# --- Again --------------------------------------------------------------------------------------------------


def test_a_playlist_is_made_once(phone: Api) -> None:
    first, again = (send(phone, "playlists", MORNING) for _ in range(2))

    expect_same(first, again)
    assert first.headers["ETag"]
    assert Playlist.objects.count() == 1


def test_the_answer_is_the_one_that_comes_without_a_key(phone: Api) -> None:
    plain, keyed = phone.post("playlists", MORNING), send(phone, "playlists", MORNING)

    own = dict.fromkeys(("X-Request-Id", "ETag"), "")
    assert dict(keyed.headers) | own == dict(plain.headers) | own
    assert set(json.loads(keyed.content)) == set(json.loads(plain.content))


def test_tracks_are_added_once_whatever_happened_since(phone: Api, track: Track) -> None:
    path, tag = playlist(phone)
    first = send(phone, f"{path}/items", {"track_ids": [track.pk]}, if_match=tag)
    assert phone.post(f"{path}/items", {"track_id": track.pk}, if_match="*").status_code == 201

    expect_same(first, send(phone, f"{path}/items", {"track_ids": [track.pk]}, if_match=tag))

    assert Item.objects.count() == 2


def test_items_are_moved_once(phone: Api, track: Track) -> None:
    path, tag = playlist(phone)
    added = phone.post(f"{path}/items", {"track_ids": [track.pk, track.pk]}, if_match=tag)
    one, other = (item["id"] for item in json.loads(added.content)["results"])
    move = {"item_ids": [one], "before": None}
    first = send(phone, f"{path}/items/move", move, if_match=added.headers["ETag"])
    phone.post(f"{path}/items/move", {"item_ids": [other], "before": None}, if_match="*")

    expect_same(first, send(phone, f"{path}/items/move", move, if_match=added.headers["ETag"]))

    assert [str(item.pk) for item in Item.objects.order_by("position")] == [one, other]


def test_an_export_is_asked_for_once(phone: Api) -> None:
    first = send(phone, "me/exports")
    Export.objects.update(state=Export.State.FAILED)  # without the key, there would be another

    expect_same(first, send(phone, "me/exports"))

    assert Export.objects.count() == 1


def test_what_is_the_same_may_be_written_another_way(phone: Api) -> None:
    first = send(phone, "playlists", b'{"name": "\\u00c9tude", "description": ""}')

    expect_same(first, send(phone, "playlists", '{"description":"","name":"Étude"}'.encode()))


def test_without_a_key_nothing_is_remembered(phone: Api) -> None:
    for _ in range(2):
        assert phone.post("playlists", MORNING).status_code == 201

    assert Playlist.objects.count() == 2
    assert not KeyedRequest.objects.exists()


# --- What is answered afresh --------------------------------------------------------------------------------


def stream(listener: Listener, track: Track) -> dict[str, Any]:
    Device.objects.create(
        listener=listener, client_id="phone", created_at=timezone.now(), last_seen_at=timezone.now(),
        offline=Device.Offline.ON, switched_at=timezone.now(),
    )  # fmt: skip
    return {"track_id": track.pk, "format_id": 26, "client_id": "phone"}


def purchase(listener: Listener, _: Track) -> dict[str, Any]:
    shop.stock()
    return {"purchase_id": str(shop.sold(listener).pk)}


@pytest.mark.parametrize(
    ("path", "wish"), [("streams", stream), ("offline/copies", stream), ("downloads", purchase)], ids=FRESH_ONES
)
def test_secrets_are_not_kept_but_made_anew(
    phone: Api, subscriber: Listener, track: Track, path: str, wish: Callable[[Listener, Track], Any]
) -> None:
    body = wish(subscriber, track)

    first, again = (send(phone, path, body) for _ in range(2))

    for each in (first, again):
        assert each.status_code == 201, each.content
        assert each.headers["Cache-Control"] == "no-store"
        assert "Idempotency-Replayed" not in each.headers
    assert json.loads(first.content)["url"] != json.loads(again.content)["url"]
    row = KeyedRequest.objects.get()
    assert (row.state, row.status, row.headers, bytes(row.body)) == ("FRESH", 0, {}, b"")
    expect_problem(send(phone, path, body | {"more": 1}), 422, "idempotency_mismatch")


def test_a_stream_that_is_sent_again_is_judged_again(phone: Api, subscriber: Listener, track: Track) -> None:
    wish = stream(subscriber, track)
    assert send(phone, "streams", wish).status_code == 201
    assert phone.post("streams", wish | {"client_id": "tablet"}).status_code == 201

    expect_problem(send(phone, "streams", wish), 409, "playing_elsewhere")

    assert StreamHolder.objects.get().client_id == "tablet"


# --- What is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", TAKES_KEYS)
@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb", "a\x00b"])
def test_a_key_is_printable_and_short(phone: Api, path: str, key: str) -> None:
    expect_problem(send(phone, path, {}, key=key), 400, "invalid_parameter")


@pytest.mark.parametrize("key", ["x", "x" * 255, '"8e03978e"', "a b ~ !"])
def test_whatever_is_printable_is_a_key(phone: Api, key: str) -> None:
    expect_same(*(send(phone, "playlists", MORNING, key=key) for _ in range(2)))


@pytest.mark.parametrize("path", TAKES_KEYS)
def test_what_still_runs_is_not_run_twice(phone: Api, subscriber: Listener, path: str) -> None:
    running(subscriber, path, b"{}")

    response = send(phone, path, {})

    expect_problem(response, 409, "in_progress")
    assert int(response.headers["Retry-After"]) >= 1
    assert KeyedRequest.objects.get().state == "RUNNING"


@pytest.mark.parametrize("path", TAKES_KEYS)
def test_a_key_means_one_body(phone: Api, subscriber: Listener, path: str) -> None:
    running(subscriber, path, b"{}", seconds=2 * LEASE_SECONDS)  # nor does it mean another once that has died

    expect_problem(send(phone, path, {"name": "Evening"}), 422, "idempotency_mismatch")


def test_a_key_means_one_path(phone: Api) -> None:
    assert send(phone, "playlists", {}).status_code == 400  # used up by success alone
    assert send(phone, "playlists", MORNING).status_code == 201

    for path in TAKES_KEYS[1:]:
        expect_problem(send(phone, path, MORNING), 422, "idempotency_mismatch")
    assert Playlist.objects.count() == 1


def test_a_key_means_one_method(phone: Api, subscriber: Listener) -> None:
    running(subscriber, "playlists", b"{}")
    KeyedRequest.objects.update(target="PUT /api/v1/playlists")

    expect_problem(send(phone, "playlists", {}), 422, "idempotency_mismatch")


@pytest.mark.parametrize("path", TAKES_KEYS)
def test_strangers_have_no_keys(stranger: Api, path: str) -> None:
    expect_problem(send(stranger, path, {}), 401, "not_authenticated")
    assert not KeyedRequest.objects.exists()


def test_listeners_never_meet_by_their_keys(
    phone: Api, api: Callable[[Listener], Api], make_listener: Callable[..., Listener]
) -> None:
    mine, theirs = send(phone, "playlists", MORNING), send(api(make_listener()), "playlists", {"name": "Evening"})

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert json.loads(theirs.content)["name"] == "Evening"
    expect_same(mine, send(phone, "playlists", MORNING))


# --- What has done nothing is judged anew --------------------------------------------------------------------


def test_a_refusal_is_judged_anew(phone: Api, shelve: Callable[..., list[Track]]) -> None:
    path, tag = playlist(phone)
    wish = {"track_id": 100101}
    missing = send(phone, f"{path}/items", wish, if_match=tag)
    expect_problem(missing, 404, "track_not_found")
    shelve(tracks=[{"id": 100101, "title": "Tide", "duration": 60}])

    assert send(phone, f"{path}/items", wish, if_match=tag).status_code == 201


def test_a_change_that_came_too_late_can_be_made_upon_what_holds_now(phone: Api, track: Track) -> None:
    path, tag = playlist(phone)
    assert phone.patch(path, {"name": "Evening"}, if_match=tag).status_code == 200
    late = send(phone, f"{path}/items", {"track_id": track.pk}, if_match=tag)
    assert expect_problem(late, 412, "playlist_changed")["current"]["name"] == "Evening"

    assert send(phone, f"{path}/items", {"track_id": track.pk}, if_match=late.headers["ETag"]).status_code == 201


def test_somebody_elses_playlist_is_not_there(
    phone: Api, api: Callable[[Listener], Api], make_listener: Callable[..., Listener], track: Track
) -> None:
    path, _ = playlist(api(make_listener()))

    for there in (path, f"playlists/{NOBODYS}"):
        expect_problem(send(phone, f"{there}/items", {"track_id": track.pk}, if_match="*"), 404, "playlist_not_found")
    assert not KeyedRequest.objects.exists()


def test_our_own_fault_leaves_the_key_free(phone: Api) -> None:
    phone.client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute(FAILS)
        expect_problem(send(phone, "playlists", MORNING), 500, "internal_error")
        cursor.execute("DROP FUNCTION fails CASCADE")

    first = send(phone, "playlists", MORNING)

    expect_same(first, send(phone, "playlists", MORNING))
    assert Playlist.objects.count() == 1


@pytest.mark.parametrize(("seconds", "status"), [(LEASE_SECONDS - 5, 409), (LEASE_SECONDS + 5, 201)])
def test_what_has_died_runs_again_once_its_lease_is_over(
    phone: Api, subscriber: Listener, seconds: int, status: int
) -> None:
    running(subscriber, "playlists", json.dumps(MORNING).encode(), seconds=seconds)

    assert send(phone, "playlists", MORNING).status_code == status

    assert Playlist.objects.count() == (status == 201)


# --- What it costs, and for how long --------------------------------------------------------------------------


def test_costs_two_statements_more_than_who_asks_and_a_repeat_is_two(
    phone: Api, subscriber: Listener, track: Track
) -> None:
    wish = stream(subscriber, track)
    for body in (wish, wish | {"release_id": track.release_id}):  # the first call looks up what is then remembered
        with statements_noted() as plain:
            assert phone.post("streams", body).status_code == 201
    with statements_noted() as keyed:
        assert send(phone, "streams", wish).status_code == 201
    send(phone, "playlists", MORNING, key="another")
    with statements_noted() as again:
        send(phone, "playlists", MORNING, key="another")

    assert [len(each) for each in (plain, keyed, again)] == [1, 1 + 3, 1 + 2]


def test_is_kept_for_a_day(phone: Api) -> None:
    assert settings.CELERY_BEAT_SCHEDULE["web.prune"] == {"task": prune.name, "schedule": 3600.0}
    first = send(phone, "playlists", MORNING)
    KeyedRequest.objects.update(since=F("since") - KEPT + timedelta(minutes=1))
    assert prune() == 0
    expect_same(first, send(phone, "playlists", MORNING))
    KeyedRequest.objects.update(since=F("since") - timedelta(minutes=2))

    assert prune() == 1

    assert send(phone, "playlists", MORNING).content != first.content


# --- Which requests --------------------------------------------------------------------------------------------


def test_every_request_that_makes_something_takes_keys(stranger: Api) -> None:
    document = json.loads(stranger.get("schema", Accept="application/json").content)
    posts = {
        path.removeprefix("/api/v1/").replace("{playlist_id}", NOBODYS): operations["post"]
        for path, operations in document["paths"].items()
        if "post" in operations and path.startswith("/api/v1/")
    }
    takes = {path for path, post in posts.items() if "Idempotency-Key" in named(post)}

    assert takes == set(TAKES_KEYS)
    assert set(posts) == takes | NO_KEYS
    assert all({"409", "422"} <= set(posts[path]["responses"]) for path in takes)


def named(operation: Any) -> set[str]:
    return {each["name"] for each in operation.get("parameters", [])}


def test_plays_have_ids_of_their_own(phone: Api, track: Track) -> None:
    for key in (KEY, KEY, ""):
        report = play(track.pk, played_at=timezone.now().isoformat())
        answer = send(phone, "plays", {"plays": [report]}, key=key)
        assert json.loads(answer.content)["accepted"] == 1

    assert Play.objects.count() == 3
    assert not KeyedRequest.objects.exists()
