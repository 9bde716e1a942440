"""`manage.py import_playlists`: the partner's playlists become ours, once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from catalogue.models import Track
from outbox.delivery import deliver_lane
from outbox.models import Message
from outbox.platform import platform
from playlists.actions import take_away
from playlists.models import Item, Playlist
from tests.massivemusic.behaviours import ok
from tests.massivemusic.stage import Stage
from tests.sandbox.platform import Partner, Platform

pytestmark = pytest.mark.django_db
PATH = "/1.2/playlists"


@pytest.fixture
def partner(sandbox: Platform) -> Iterator[Partner]:
    partner = Partner(sandbox)
    yield partner
    partner.close()


@pytest.fixture
def tracks(shelve: Callable[..., list[Track]]) -> list[int]:
    return [track.pk for track in shelve()]


def made(partner: Partner, name: str, *track_ids: object, user_id: str = "", **details: object) -> str:
    named = [{"trackId": str(each), "trackTitle": f"No. {each}", "artistAppearsAs": "Ada"} for each in track_ids]
    body = json.dumps({"name": name, "tracks": named} | details)
    whose = {"userId": user_id} if user_id else {}
    answer = partner.request("POST", PATH, body=body, country="GB", **whose)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["playlist"]["id"])


def imported() -> tuple[str, str]:
    """What the command says, and what it complains of."""
    out, err = StringIO(), StringIO()
    call_command("import_playlists", stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_partners_playlists_become_curated_ones_with_their_tracks(partner: Partner, tracks: list[int]) -> None:
    order = [tracks[1], tracks[0], tracks[1]]
    key = made(partner, "Morning", *order, description="slowly", visibility="public", status="draft")

    out, err = imported()

    playlist = Playlist.objects.get()
    items = Item.objects.filter(playlist=playlist).order_by("position")
    assert (out, err) == ("Morning: 3 track(s)\n1 taken\n", "")
    assert (playlist.owner, playlist.platform_id) == (None, key)
    assert (playlist.name, playlist.description, playlist.visibility) == ("Morning", "slowly", "PUBLIC")
    assert (playlist.sync, playlist.told_version, playlist.track_count) == ("SYNCED", playlist.version, 3)
    assert list(items.values_list("track_id", flat=True)) == order
    assert not Message.objects.exists(), "nothing is told"


def test_importing_twice_imports_once(partner: Partner, tracks: list[int]) -> None:
    for number in range(12):
        made(partner, f"n{number}", *tracks)
    imported()
    Playlist.objects.filter(name="n3").update(name="ours by now")
    made(partner, "late")

    out, _ = imported()

    assert out.splitlines()[-1] == "12 known already, 1 taken"
    assert Playlist.objects.count() == 13
    assert Playlist.objects.filter(name="ours by now").exists()


def test_more_than_a_page_is_imported(partner: Partner, tracks: list[int]) -> None:
    for number in range(51):
        made(partner, f"n{number}")
    made(partner, "long", *[tracks[0]] * 501)

    imported()

    assert Playlist.objects.count() == 52
    assert Item.objects.count() == 501


def test_unknown_tracks_are_named_and_the_others_taken(partner: Partner, tracks: list[int]) -> None:
    made(partner, "Morning", 4242, tracks[0], "of another source", 2**31)

    out, err = imported()

    assert out == "Morning: 1 track(s)\n1 taken\n"
    assert err.splitlines() == [
        "  not in the catalogue: No. 4242 by Ada (4242)",
        "  not in the catalogue: No. of another source by Ada (of another source)",
        "  not in the catalogue: No. 2147483648 by Ada (2147483648)",
    ]


def test_what_we_have_made_ourselves_and_what_users_have_is_left(
    partner: Partner, listener: Listener, tracks: list[int]
) -> None:
    user_id = partner.new_user()
    made(partner, "a user’s", user_id=user_id)
    made(partner, "from here", annotations={"tonearm": "0f1e"})

    out, _ = imported()

    assert out == "from here: made by us\n1 made by us\n"
    assert not Playlist.objects.exists()


def test_users_playlists_among_them_are_left(settings: Settings) -> None:
    body = '{"totalItems":1,"playlists":[{"id":"1a","name":"a user’s","userId":"u","annotations":{}}]}'
    with Stage(ok(body)) as stage:
        settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {"api_url": f"{stage.origin}/1.2"}
        platform.cache_clear()
        out, _ = imported()
    platform.cache_clear()

    assert out == "no playlist\n"
    assert len(stage.heard) == 1


def test_one_that_was_taken_over_and_is_removed_here_is_removed_there(
    partner: Partner, sandbox: Platform, tracks: list[int]
) -> None:
    made(partner, "Morning", *tracks)
    imported()
    take_away(Playlist.objects.get(), now=timezone.now())

    assert deliver_lane(message_id=Message.objects.get().pk) == ["DONE"]

    line = sandbox.journal("playlists")[-1]
    assert (line["action"], line["userId"]) == ("delete", None)
    assert Playlist.objects.get().sync == "SYNCED"


@pytest.mark.parametrize("behaviour", ["error_500", "refused", "garbage_xml"])
def test_what_breaks_off_says_so_and_may_be_repeated(
    partner: Partner, sandbox: Platform, tracks: list[int], behaviour: str
) -> None:
    made(partner, "one", *tracks)
    second = made(partner, "two", *tracks)
    sandbox.order(behaviour, f"{PATH}/{second}/tracks")

    with pytest.raises(CommandError, match="1 taken before that"):
        imported()
    assert imported()[0].splitlines()[-1] == "1 known already, 1 taken"


def test_nothing_there_is_no_fault(sandbox: Platform) -> None:
    assert imported() == ("no playlist\n", "")
