"""The platform's playlists are what ours are, whatever it does on the way, and none is there twice."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from accounts.actions import close_account
from accounts.models import Listener
from catalogue.models import Track
from outbox import circuit
from outbox.actions import discard
from outbox.claims import claim
from outbox.delivery import deliver_lane, deliver_message, delivery_of
from outbox.models import Circuit, Message
from outbox.platform import platform
from outbox.registry import carrier_of
from playlists import actions, telling
from playlists.models import Item, Playlist
from playlists.ordering import GAP
from tests.helpers import statements_noted
from tests.sandbox.platform import Partner, Platform

pytestmark = pytest.mark.django_db
PATH = "/1.2/playlists"
HISTORIES = int(os.environ.get("HISTORIES", "12"))  # random ones, more of them on demand
DOUBTFUL = ["lost_answer", "truncated", "hang", "refused", "garbage_xml", "endless", "error_500", "rate_limited"]


@pytest.fixture
def tracks(shelve: Callable[..., list[Track]]) -> list[int]:
    members = [{"id": 9000 + number, "title": f"Étude {number}", "duration": 60} for number in range(12)]
    return [track.pk for track in shelve(tracks=members)]


@pytest.fixture
def partner(sandbox: Platform) -> Iterator[Partner]:
    partner = Partner(sandbox)
    yield partner
    partner.close()


@pytest.fixture
def contrary(sandbox: Platform, settings: Settings) -> Iterator[Platform]:
    """The same platform where it is told to say little, and to take little at once."""
    choices = {"SANDBOX_PLAYLIST_LISTS": "brief", "SANDBOX_PLAYLIST_ANSWERS": "nothing", "SANDBOX_WORKERS": "1"}
    other = Platform(
        database=sandbox.database, var_dir=sandbox.var_dir, settings=choices | {"SANDBOX_PLAYLIST_MAX_TRACKS": "4"}
    )
    other.start()
    settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {"api_url": f"{other.url}/1.2"}
    platform.cache_clear()
    yield other
    other.stop()


def drain(rounds: int = 80) -> list[str]:
    """Carry everything that is waiting, resting or not; the states in order."""
    states: list[str] = []
    for _ in range(rounds):
        Circuit.objects.all().delete()
        Message.objects.filter(state="WAITING").update(due_at=Now())
        pending = Message.objects.claimable().order_by("pk").values_list("pk", flat=True).first()
        if pending is None:
            return states
        states += deliver_lane(message_id=pending)
    raise AssertionError(f"it does not come to an end: {states}")


def made(listener: Listener, *track_ids: int, **facts: Any) -> Playlist:
    """A new playlist, with tracks if there are any."""
    playlist = actions.create_playlist(listener_id=listener.pk, facts={"name": "Morning"} | facts, now=timezone.now())
    if track_ids:
        actions.add_tracks(**it(playlist), track_ids=track_ids)
    return playlist


def it(playlist: Playlist) -> dict[str, Any]:
    return {
        "listener_id": playlist.owner_id,
        "playlist_id": playlist.pk,
        "version": None,
        "now": timezone.now(),
    }


def items(playlist: Playlist) -> list[Any]:
    return list(Item.objects.filter(playlist=playlist).order_by("position").values_list("pk", flat=True))


def ours() -> list[tuple[Any, ...]]:
    """Every playlist of ours as the platform should have it."""
    return sorted(
        (
            str(each.pk),
            each.name,
            each.description,
            each.visibility.capitalize(),
            [str(pk) for pk in each.items.order_by("position").values_list("track_id", flat=True)],
        )
        for each in Playlist.objects.standing().exclude(owner=None)
    )


def theirs(partner: Partner, listener: Listener) -> list[tuple[Any, ...]]:
    """Every playlist the platform has of the listener, with its tracks."""
    whose = {"userId": listener.platform_id, "country": "GB"}
    page = partner.request("GET", "/1.2/user/playlists", pageSize=50, **whose).json()
    assert page["totalItems"] <= 50
    whole = [partner.request("GET", f"{PATH}/{each['id']}", **whose).json()["playlist"] for each in page["playlists"]]
    return sorted(
        (
            each["annotations"]["tonearm"],
            each["name"],
            each["description"],
            each["visibility"],
            [track["trackId"] for track in each["tracks"]],
        )
        for each in whole
    )


def journalled(sandbox: Platform) -> list[str]:
    return [line["action"] for line in sandbox.journal("playlists")]


# --- Whether the platform is well ------------------------------------------------------------------------


def test_only_a_playlist_that_the_platform_was_told_says_that_it_is_well(
    listener: Listener, tracks: list[int], sandbox: Platform
) -> None:
    playlist = made(listener)
    drain()
    actions.add_tracks(**it(playlist), track_ids=tracks[:1])
    actions.add_tracks(**it(playlist), track_ids=tracks[1:2])
    before, last = Message.objects.waiting().order_by("pk")
    Playlist.objects.update(told_version=F("version") - 1)  # the former was told together with an earlier one
    due = timezone.now() - timedelta(seconds=1)
    Circuit.objects.create(name=circuit.PLATFORM, failures=circuit.FAILURES_TO_OPEN, open_until=due)

    assert deliver_message(message_id=before.pk)
    assert Circuit.objects.get().failures == circuit.FAILURES_TO_OPEN

    assert deliver_message(message_id=last.pk)
    assert Circuit.objects.get().failures == 0
    assert journalled(sandbox) == ["create", "tracks"]


# --- The ordinary way -----------------------------------------------------------------------------------


def test_a_playlist_is_told_with_all_that_is_shown_of_its_tracks(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner
) -> None:
    playlist = made(listener, tracks[3], tracks[0], description="slowly", visibility="PUBLIC")

    drain()

    playlist.refresh_from_db()
    answer = partner.request("GET", f"{PATH}/{playlist.platform_id}", userId=listener.platform_id, country="GB")
    told = answer.json()["playlist"]
    track = Track.objects.select_related("artist", "release__artist").get(pk=tracks[3])
    assert (playlist.told_version, playlist.sync) == (2, "SYNCED")
    assert told.items() >= {"name": "Morning", "description": "slowly", "visibility": "Public"}.items()
    assert (told["status"], told["annotations"]) == ("published", {"tonearm": str(playlist.pk)})
    assert told["tracks"][0].items() >= {
        "trackId": str(track.pk),
        "trackTitle": "Étude 3",
        "artistAppearsAs": track.artist.name,
        "releaseId": str(track.release_id),
        "releaseTitle": track.release.title,
        "releaseArtistAppearsAs": "The Lamplighters",
    }.items()  # fmt: skip


def test_each_change_is_told_by_what_it_takes(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner
) -> None:
    def follows(action: str) -> None:
        assert drain()[-1] == "DONE"
        assert theirs(partner, listener) == ours()
        assert journalled(sandbox)[-1] == action

    playlist = made(listener)
    follows("create")
    actions.change_playlist(**it(playlist), facts={"name": "Evening", "visibility": "PUBLIC"})
    follows("details")
    actions.add_tracks(**it(playlist), track_ids=tracks[:5])
    follows("tracks")
    actions.move_items(**it(playlist), item_ids=items(playlist)[3:], before=items(playlist)[0])
    follows("replace")
    actions.remove_item(**it(playlist), item_id=items(playlist)[1])
    follows("replace")
    actions.change_playlist(**it(playlist), facts={"name": "Night"})
    actions.add_tracks(**it(playlist), track_ids=tracks[:1])
    drain()
    assert theirs(partner, listener) == ours()
    actions.remove_playlist(**it(playlist))
    follows("delete")

    assert journalled(sandbox) == [
        "create", "details", "tracks", "replace", "replace", "details", "tracks", "delete",
    ]  # fmt: skip
    assert theirs(partner, listener) == []
    assert not Playlist.objects.exists(), "forgotten once the platform knows"


def test_many_changes_are_few_calls(listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner) -> None:
    playlist = made(listener)
    for number in range(100):
        actions.change_playlist(**it(playlist), facts={"name": f"name {number}"})
        actions.add_tracks(**it(playlist), track_ids=[tracks[number % 12]])

    with statements_noted() as asked:
        assert set(drain()) == {"DONE"}
    assert journalled(sandbox) == ["create"]
    assert sum("playlists_item" in sql for sql, _ in asked) == 1, "what was overtaken is not even read"
    assert theirs(partner, listener) == ours()


def test_a_change_that_changes_nothing_costs_no_call(listener: Listener, tracks: list[int], sandbox: Platform) -> None:
    playlist = made(listener, *tracks[:3])
    drain()
    actions.change_playlist(**it(playlist), facts={"name": "Evening"})
    actions.change_playlist(**it(playlist), facts={"name": "Morning"})
    drain()

    playlist.refresh_from_db()
    assert (playlist.told_version, playlist.sync) == (4, "SYNCED")
    assert journalled(sandbox) == ["create"]


def test_what_never_got_there_is_not_made_in_order_to_be_removed(
    listener: Listener, tracks: list[int], sandbox: Platform
) -> None:
    playlist = made(listener, *tracks)
    actions.remove_playlist(**it(playlist))

    drain()

    assert journalled(sandbox) == []
    assert not Playlist.objects.exists()


def test_a_listener_who_leaves_leaves_none_there(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner
) -> None:
    made(listener, *tracks)
    made(listener)
    drain()

    close_account(listener=listener, now=timezone.now())
    drain()

    assert theirs(partner, listener) == []
    assert not Playlist.objects.exists()


def test_a_listener_need_not_be_there_first(listener: Listener, sandbox: Platform, partner: Partner) -> None:
    made(listener)
    message = Message.objects.get(topic="playlist.keep")

    assert deliver_lane(message_id=message.pk) == ["DONE"]
    assert theirs(partner, listener) == ours()
    assert drain() == ["DONE"], "the listener's own message finds it done"


def test_what_editors_have_not_published_is_not_told(sandbox: Platform) -> None:
    playlist = Playlist.objects.create(name="Draft")
    actions.tell(playlist)

    assert drain() == ["DONE"]
    assert journalled(sandbox) == []


# --- A platform that does not behave -----------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", DOUBTFUL)
def test_a_lost_answer_makes_no_twin(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner, behaviour: str
) -> None:
    made(listener, *tracks)
    sandbox.order(behaviour, PATH, times=2)

    assert drain()[-1] == "DONE"

    assert theirs(partner, listener) == ours()
    assert journalled(sandbox).count("create") == 1


@pytest.mark.parametrize("behaviour", ["lost_answer", "refused"])
def test_what_was_changed_after_a_lost_answer_makes_no_twin(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner, behaviour: str
) -> None:
    """The message that met the fault is given up by a person; another one, at its first try, meets what it made."""
    playlist = made(listener)
    Message.objects.filter(topic="listener.create").delete()
    sandbox.order(behaviour, PATH)
    message = Message.objects.get()
    assert deliver_lane(message_id=message.pk) == ["WAITING"]
    Message.objects.update(state="DEAD")
    assert discard(Message.objects.all()) == 1
    playlist.refresh_from_db()
    assert playlist.sync == "REFUSED"

    actions.change_playlist(**it(playlist), facts={"name": "Evening"})
    drain()

    assert theirs(partner, listener) == ours()
    assert journalled(sandbox).count("create") == 1


def test_one_that_was_made_by_a_lost_call_and_removed_since_is_removed(
    listener: Listener, sandbox: Platform, partner: Partner
) -> None:
    playlist = made(listener)
    sandbox.order("lost_answer", PATH)
    deliver_lane(message_id=Message.objects.get(topic="playlist.keep").pk)
    actions.remove_playlist(**it(playlist))

    drain()

    assert journalled(sandbox) == ["create", "delete"]
    assert theirs(partner, listener) == []


def test_of_twins_one_is_kept(listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner) -> None:
    playlist = made(listener, *tracks)
    drain()
    body = json.dumps({"name": "twin", "annotations": {"tonearm": str(playlist.pk)}})
    partner.request("POST", PATH, body=body, userId=listener.platform_id, country="GB")
    Playlist.objects.update(platform_id="", asked=True)

    actions.change_playlist(**it(playlist), facts={"name": "Evening"})
    drain()

    assert theirs(partner, listener) == ours()


@pytest.mark.parametrize("behaviour", ["lost_answer", "truncated", "refused", "error_500"])
@pytest.mark.parametrize("change", ["rename", "add", "move", "remove"])
def test_a_change_whose_answer_is_lost_is_made_once(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner, behaviour: str, change: str
) -> None:
    playlist = made(listener, *tracks[:4])
    drain()
    sandbox.order(behaviour, PATH, times=2)
    alter(playlist, change, tracks, random.Random(behaviour))

    assert drain()[-1] == "DONE"
    if change == "remove":
        assert journalled(sandbox)[-1] == "replace"
    assert theirs(partner, listener) == ours()


def alter(playlist: Playlist, change: str, tracks: list[int], chance: random.Random) -> None:
    there = items(playlist)
    if change == "rename":
        actions.change_playlist(**it(playlist), facts={"name": f"name {chance.randint(1, 3)}"})
    elif change == "add" or not there:
        before = chance.choice([None, *there])
        actions.add_tracks(**it(playlist), track_ids=chance.choices(tracks, k=chance.randint(1, 6)), before=before)
    elif change == "move":
        moved, *rest = chance.sample(there, len(there))
        actions.move_items(**it(playlist), item_ids=[moved], before=rest[0] if rest else None)
    else:
        actions.remove_item(**it(playlist), item_id=chance.choice(there))


@pytest.mark.parametrize("what", ["name", "order"])
def test_what_is_changed_back_after_a_lost_answer_is_told_all_the_same(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner, what: str
) -> None:
    playlist = made(listener, *tracks[:2])
    drain()

    def change(name: str) -> None:
        if what == "name":
            actions.change_playlist(**it(playlist), facts={"name": name})
        else:
            actions.move_items(**it(playlist), item_ids=items(playlist)[:1], before=None)

    sandbox.order("lost_answer", PATH)
    change("Evening")
    assert deliver_lane(message_id=Message.objects.claimable().get().pk) == ["WAITING"]
    change("Morning")
    drain()

    assert theirs(partner, listener) == ours()


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_any_history_with_any_faults_ends_with_the_platform_as_we_are(
    listener: Listener,
    tracks: list[int],
    sandbox: Platform,
    partner: Partner,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(telling, "PIECE", chance.choice([2, 3, 500]))
    quick = [fault for fault in DOUBTFUL if fault not in {"hang", "endless"}]
    for _ in range(12):
        if chance.random() < 0.4:
            path = chance.choice([PATH, PATH, "/1.2/user/playlists", "/1.2/user"])
            sandbox.order(chance.choice(quick), path, times=chance.randint(1, 3))
        standing = list(Playlist.objects.standing().order_by("created_at"))
        if not standing or chance.random() < 0.15:
            made(listener, *chance.choices(tracks, k=chance.randint(0, 5)))
        elif chance.random() < 0.1:
            actions.remove_playlist(**it(chance.choice(standing)))
        else:
            change = chance.choice(["rename", "add", "add", "move", "remove"])
            alter(chance.choice(standing), change, tracks, chance)
        if chance.random() < 0.5 and (pending := Message.objects.claimable().order_by("?").first()):
            Circuit.objects.all().delete()
            deliver_lane(message_id=pending.pk)
            Message.objects.filter(state="WAITING").update(due_at=Now())

    drain(rounds=200)
    sandbox.clear_faults()

    assert theirs(partner, listener) == ours()
    assert set(Playlist.objects.values_list("sync", flat=True)) <= {"SYNCED"}
    assert not Playlist.objects.exclude(told_version=F("version")).exists()


@pytest.mark.parametrize("change", ["rename", "add", "remove"])
def test_what_was_deleted_behind_our_back_is_made_again(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner, change: str
) -> None:
    playlist = made(listener, *tracks[:4])
    drain()
    playlist.refresh_from_db()
    gone = f"{PATH}/{playlist.platform_id}"
    assert partner.request("DELETE", gone, userId=listener.platform_id, country="GB").status_code == 200

    alter(playlist, change, tracks, random.Random(1))
    drain()

    assert journalled(sandbox) == ["create", "delete", "create"]
    assert theirs(partner, listener) == ours()


def test_removing_what_is_gone_is_a_success(listener: Listener, sandbox: Platform, partner: Partner) -> None:
    playlist = made(listener)
    drain()
    playlist.refresh_from_db()
    partner.request("DELETE", f"{PATH}/{playlist.platform_id}", userId=listener.platform_id, country="GB")
    actions.remove_playlist(**it(playlist))

    assert drain() == ["DONE"]
    assert not Playlist.objects.exists()


@pytest.mark.parametrize("change", ["create", "rename", "add", "delete"])
def test_a_worker_that_dies_between_call_and_record_does_no_harm(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner, change: str
) -> None:
    playlist = made(listener, *tracks[:3])
    if change != "create":
        drain()
        if change == "delete":
            actions.remove_playlist(**it(playlist))
        else:
            alter(playlist, change, tracks, random.Random(2))
    pending = Message.objects.claimable().filter(topic="playlist.keep").order_by("pk").first()
    assert pending is not None
    message = claim(pending.pk)
    assert message is not None
    carrier_of(message.topic).handler(delivery_of(message))  # and nothing is recorded
    Message.objects.filter(pk=message.pk).update(lease_until=Now())

    drain()

    assert theirs(partner, listener) == ours()
    assert journalled(sandbox).count("create") == 1
    assert len(journalled(sandbox)) == (1 if change == "create" else 2)


def test_where_lists_tell_no_notes_each_is_read(
    listener: Listener, tracks: list[int], contrary: Platform, partner: Partner
) -> None:
    known = [made(listener, name=f"known {number}") for number in range(3)]
    drain()
    made(listener, *tracks[:4])
    contrary.order("lost_answer", PATH)
    for each in known:
        each.refresh_from_db()
        contrary.order("error_500", f"{PATH}/{each.platform_id}")

    drain()

    traps = contrary.control("GET", "faults").json()["faults"]
    contrary.clear_faults()
    assert len(traps) == 3, "but for those that are known"
    assert theirs(partner, listener) == ours()
    assert journalled(contrary).count("create") == 4


def test_a_refusal_is_kept_with_its_reason_and_does_not_stop_what_follows(
    listener: Listener, tracks: list[int], contrary: Platform, partner: Partner
) -> None:
    playlist = made(listener, *tracks[:5])

    assert set(drain()) == {"DONE"}
    playlist.refresh_from_db()
    assert playlist.sync == "REFUSED"
    assert playlist.sync_detail == "1002: Too many tracks in one request, at most 4"

    actions.remove_item(**it(playlist), item_id=items(playlist)[0])
    drain()
    playlist.refresh_from_db()
    assert (playlist.sync, playlist.sync_detail) == ("SYNCED", "")
    assert theirs(partner, listener) == ours()
    actions.remove_playlist(**it(playlist))
    drain()
    assert theirs(partner, listener) == []


# --- Long ones -------------------------------------------------------------------------------------------


def test_a_long_one_goes_piece_by_piece_and_what_broke_off_is_mended(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "PIECE", 3)
    playlist = made(listener, *tracks[:7])
    drain()
    assert journalled(sandbox) == ["create", "tracks", "tracks"]
    playlist.refresh_from_db()

    sandbox.order("lost_answer", f"{PATH}/{playlist.platform_id}/tracks")
    actions.add_tracks(**it(playlist), track_ids=tracks)
    drain()

    assert theirs(partner, listener) == ours()
    assert journalled(sandbox)[3:] == ["tracks", "replace", *["tracks"] * 6]


def test_a_very_long_one_is_told_in_several_messages(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "PIECE", 4)
    monkeypatch.setattr(telling, "STRETCH_SECONDS", 0.0)
    playlist = made(listener, *tracks)
    before = Message.objects.count()

    drain()

    assert theirs(partner, listener) == ours()
    assert journalled(sandbox) == ["create", "tracks", "tracks"]
    assert Message.objects.count() == before + 1
    playlist.refresh_from_db()
    assert (playlist.sync, playlist.told_version) == ("SYNCED", 2)


def test_ten_thousand_tracks_are_told_in_twenty_calls(
    listener: Listener, tracks: list[int], sandbox: Platform, partner: Partner, settings: Settings
) -> None:
    settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {"total_seconds": 8.0}
    platform.cache_clear()
    playlist = made(listener)
    Item.objects.bulk_create(
        Item(playlist=playlist, track_id=tracks[number % 12], position=GAP * (number + 1)) for number in range(10_000)
    )
    with statements_noted() as asked:
        drain()

    assert journalled(sandbox) == ["create", *["tracks"] * 19]
    assert sum("catalogue_track" in sql for sql, _ in asked) == 20
    assert theirs(partner, listener) == ours()
