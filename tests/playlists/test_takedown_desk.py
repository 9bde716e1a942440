"""The page of takedowns over HTTP: who may do what there, and what it makes of what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import Listener, User
from catalogue.actions import apply_waiting
from playlists.models import Aside, Item, Playlist, Revision, Swap
from playlists.publishing import publish
from tests.helpers import apply_member, offer, release_event, stored_event, track_member
from tests.playlists.conftest import edit, take_down
from tests.playlists.test_curation import items, tracks

pytestmark = pytest.mark.django_db
PAGE = "/admin/takedowns/"
EDITOR = ("change_playlist", "propose_playlist")
SENIOR = ("change_playlist", "publish_playlist")
XSS = '"><script>ran=1</script>{{ 7*7 }}'


@pytest.fixture(autouse=True)
def markets(settings: Settings) -> None:
    settings.MARKETS = ["GB", "DE"]


class Desk:
    """The page as one member of staff works with it."""

    def __init__(self, user: User, *permissions: str) -> None:
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        self.client = Client()
        self.client.force_login(user)

    def cards(self, **query: Any) -> list[Any]:
        answer = self.client.get(PAGE, query)
        assert answer.status_code == 200
        return list(answer.context["cards"])

    def undoable(self) -> list[Any]:
        return list(self.client.get(PAGE).context["undoable"])

    def post(self, do: str, *, status: int = 302, **form: Any) -> list[str]:
        """What is said afterwards."""
        answer = self.client.post(PAGE, {"do": do} | form)
        assert answer.status_code == status, answer.content
        said = [str(message) for message in get_messages(answer.wsgi_request)]
        self.client.get(PAGE)  # where it is read, and said no more
        return said


@pytest.fixture
def ada(editor: User) -> Desk:
    return Desk(editor, *EDITOR)


@pytest.fixture
def grace(senior: User) -> Desk:
    return Desk(senior, *SENIOR)


@pytest.fixture
def harmed(draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]) -> Playlist:
    """A live list whose only track was taken down; another release has the recording."""
    playlist = draft(tracks=twins()[:1])
    publish(edit(playlist, editor))
    take_down(7003001)
    return playlist


def place(playlist: Playlist) -> str:
    return " ".join(f"{playlist.pk}:{item}" for item in items(playlist))


def swap_form(playlist: Playlist, *, becomes: int = 300_002) -> dict[str, Any]:
    return {"track": 300_001, "becomes": becomes, "places": place(playlist)}


def given(playlist: Playlist) -> list[int]:
    """What listeners have by the last revision."""
    return Revision.objects.filter(playlist=playlist).latest("number").track_ids


# --- What it shows ---------------------------------------------------------------------------------------------


def test_what_a_catalogue_event_does_is_on_the_page(
    ada: Desk, draft: Callable[..., Playlist], twins: Callable[..., list[int]]
) -> None:
    draft(tracks=twins()[:1])
    assert ada.cards() == []

    taken = [{"id": 7003001, "version": 2, "takedown": True}]
    stored_event(body=json.dumps(taken).encode(), members=taken)
    apply_waiting()

    [card] = ada.cards()
    assert (card.track.title, [str(loss) for loss in card.harm.losses]) == ("Tide", ["taken down"])
    assert [choice.track.release for choice in card.choices] == ["Harbour 2"]


def test_a_choice_says_why_where_and_on_which_lists(
    ada: Desk, draft: Callable[..., Playlist], twins: Callable[..., list[int]]
) -> None:
    one, two, _ = twins(None, [offer(["GB"])], None)
    draft(tracks=[one, two], name="Here")
    draft(tracks=[one], name="There", countries=["GB"])
    take_down(7003001)

    [card] = [card for card in ada.cards() if card.track.track_id == one]

    best, partly = card.choices
    assert (best.missing, best.word, len(best.everywhere.places)) == ([], "Swap everywhere", 2)
    assert (partly.missing, partly.already_on, partly.word) == (["DE"], ["Here"], "Swap in 1 of 2")
    assert partly.everywhere.lists == ["There"]
    assert [(way.lists, way.missing) for way in partly.one_by_one] == [(["Here"], ["DE"]), (["There"], [])]


def test_pages_end_and_an_odd_number_is_no_fault(
    ada: Desk, draft: Callable[..., Playlist], shelf_of_tracks: Callable[..., list[int]]
) -> None:
    draft(tracks=shelf_of_tracks(30, offers=[offer(["GB"])]))

    assert [len(ada.cards(page=page)) for page in ("1", "2", "9", "x", "-1", "9" * 40)] == [25, 5, 5, 25, 5, 5]


def test_as_many_statements_for_two_hundred_tracks_as_for_ten(
    ada: Desk, draft: Callable[..., Playlist], shelf_of_tracks: Callable[..., list[int]], editor: User
) -> None:
    asked = []
    for release, count in ((7006001, 10), (7006002, 190)):
        draft(tracks=shelf_of_tracks(count, release=release, offers=[offer(["GB"])]), name=str(release))
        ada.cards()
        with CaptureQueriesContext(connection) as captured:
            shown = ada.client.get(PAGE)
        asked.append(len(captured))

    assert shown.context["harms"].paginator.count == 200
    assert asked[0] == asked[1] <= 20


def test_whatever_anybody_wrote_is_text(
    ada: Desk, draft: Callable[..., Playlist], editor: User, twins: Callable[..., list[int]]
) -> None:
    User.objects.filter(pk=editor.pk).update(first_name=XSS)
    hostile = draft(tracks=twins(title=XSS)[:1], name=XSS)
    publish(edit(hostile, editor))
    take_down(7003001)
    before = ada.client.get(PAGE).content.decode()
    ada.post("swap", **swap_form(hostile))
    after = ada.client.get(PAGE, follow=True).content.decode()
    question = ada.client.get(f"/admin/playlists/playlist/{hostile.pk}/delete/").content.decode()

    for shown in (before, after, question):
        assert "<script>ran" not in shown
    assert "&lt;script&gt;ran=1&lt;/script&gt;{{ 7*7 }}" in before
    assert after.count("&lt;script&gt;ran") >= 4


# --- What it does ------------------------------------------------------------------------------------------------


def test_one_click_swaps_and_one_brings_back(ada: Desk, harmed: Playlist) -> None:
    [choice] = ada.cards()[0].choices
    said = ada.post("swap", track=300_001, becomes=choice.track.track_id, places=choice.everywhere.named)
    assert said == ["Done on Morning, in the draft."]
    assert (tracks(harmed), given(harmed)) == ([300_002], [300_001])
    [card] = ada.cards()
    assert (card.left[0].instead.track_id, card.swappable) == (300_002, False)

    [act] = ada.undoable()
    ada.post("undo", places=act.ids)

    assert (tracks(harmed), ada.undoable()) == ([300_001], [])


def test_a_senior_publishes_with_it_and_takes_it_back_as_a_revision(grace: Desk, harmed: Playlist) -> None:
    assert grace.post("swap_public", **swap_form(harmed)) == ["Done on Morning and published."]
    assert (tracks(harmed), given(harmed), grace.cards()) == ([300_002], [300_002], [])

    [act] = grace.undoable()
    assert act.given
    grace.post("undo_public", places=act.ids)

    assert (tracks(harmed), given(harmed)) == ([300_001], [300_001])
    assert Revision.objects.filter(playlist=harmed).count() == 3


def test_a_swap_of_an_editor_is_published_by_a_senior(ada: Desk, grace: Desk, harmed: Playlist) -> None:
    ada.post("swap", **swap_form(harmed))
    [card] = grace.cards()
    [left] = card.left

    grace.post("publish", track=300_001, becomes=left.instead.track_id, places=left.named)

    assert (given(harmed), grace.cards()) == ([300_002], [])


def test_everywhere_is_every_list_and_one_that_changed_keeps_nobody_from_the_others(
    ada: Desk, grace: Desk, draft: Callable[..., Playlist], twins: Callable[..., list[int]]
) -> None:
    one, *_ = twins(None, None, None)
    here, there = draft(tracks=[one, one], name="Here"), draft(tracks=[one], name="There")
    take_down(7003001)
    form = swap_form(here) | {"places": f"{place(here)} {place(there)}"}
    grace.post("swap", **swap_form(there, becomes=300_003))

    said = ada.post("swap", **form)

    assert said == [
        "There: the draft has another track in that place by now. Nothing was done there.",
        "Done on Here, in the draft.",
    ]
    assert (tracks(here), tracks(there)) == ([300_002] * 2, [300_003])


def test_two_who_swap_the_same_place_do_not_undo_each_other(ada: Desk, grace: Desk, harmed: Playlist) -> None:
    ada.post("swap", **swap_form(harmed))
    [said] = grace.post("swap_public", **swap_form(harmed))

    assert "another track in that place by now" in said
    assert given(harmed) == [300_001]


def test_a_list_that_is_deleted_meanwhile_is_told(ada: Desk, harmed: Playlist) -> None:
    form = swap_form(harmed)
    Playlist.objects.filter(pk=harmed.pk).update(removed_at="2026-01-01T00:00:00Z")

    assert ada.post("swap", **form) == ["There is no such playlist. Nothing was done there."]


def test_what_is_left_goes_from_the_page_and_comes_back(ada: Desk, harmed: Playlist) -> None:
    [card] = ada.cards()
    ada.post("leave", track=300_001, seen=card.harm.seen)
    assert ada.cards() == []

    take_down(7003001, version=3)

    assert len(ada.cards()) == 1


def test_what_was_not_seen_is_not_left(ada: Desk, harmed: Playlist) -> None:
    [card] = ada.cards()
    take_down(7003001, version=3)

    for seen in (card.harm.seen, "", "x"):
        assert "Something else has happened" in ada.post("leave", track=300_001, seen=seen)[0]
    assert "Something else has happened" in ada.post("leave", track=99, seen=card.harm.seen)[0]
    assert not Aside.objects.exists()


def test_everything_is_in_the_log_with_who_did_it(grace: Desk, senior: User, harmed: Playlist) -> None:
    grace.post("swap_public", **swap_form(harmed))
    grace.post("undo", places=grace.undoable()[0].ids)
    grace.post("leave", track=300_001, seen=grace.cards()[0].harm.seen)

    entries = LogEntry.objects.filter(object_id=str(harmed.pk)).order_by("pk")
    assert {entry.user for entry in entries} == {senior}
    assert [entry.change_message for entry in entries] == [
        "Swapped track 300001 for 300002, published as revision 2",
        "Undid a swap",
        "Left track 300001 where it is (taken down)",
    ]


# --- Who may, and what makes no sense ------------------------------------------------------------------------------


DEEDS = ["swap", "swap_public", "publish", "undo", "undo_public", "leave"]
ROLES: dict[tuple[str, ...], set[str]] = {
    ("view_playlist",): set(),
    ("view_playlist", "publish_playlist"): set(),
    EDITOR: {"swap", "undo", "leave"},
    SENIOR: set(DEEDS),
}


@pytest.mark.parametrize("do", DEEDS)
@pytest.mark.parametrize("permissions", ROLES, ids=str)
def test_a_role_may_do_this_and_no_more(editor: User, harmed: Playlist, permissions: tuple[str, ...], do: str) -> None:
    may = ROLES[permissions]
    desk = Desk(editor, *permissions)
    assert len(desk.cards()) == 1
    before = tracks(harmed), given(harmed)

    form = swap_form(harmed) | ({"places": f"{harmed.pk}:1"} if do.startswith("undo") else {})
    desk.post(do, status=302 if do in may else 403, **form)

    if do not in may:
        assert (tracks(harmed), given(harmed), Swap.objects.count()) == (*before, 0)


def test_nobody_else_gets_in(
    client: Client, clerk: Callable[..., Client], listener: Listener, harmed: Playlist
) -> None:  # fmt: skip
    for ask in (client.get, client.post):
        assert ask(PAGE).status_code == 302
    assert listener.user is not None
    client.force_login(listener.user)
    assert client.get(PAGE).status_code == 302
    assert clerk("view_track").get(PAGE).status_code == 403


def test_a_call_from_elsewhere_is_refused(editor: User, ada: Desk, harmed: Playlist) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(editor)

    assert strict.post(PAGE, {"do": "swap"} | swap_form(harmed)).status_code == 403
    assert tracks(harmed) == [300_001]


NOBODYS = f"{UUID(int=7)}:{UUID(int=8)}"


@pytest.mark.parametrize(
    ("do", "form"),
    [
        ("", {}), ("fly", {}), ("swap", {}), ("swap", {"track": "1", "becomes": "x", "places": NOBODYS}),
        ("swap", {"track": "0", "becomes": "1", "places": NOBODYS}),
        ("swap", {"track": "1", "becomes": str(2**31), "places": NOBODYS}),
        ("swap", {"track": "1", "becomes": "٣", "places": NOBODYS}),
        ("swap", {"track": "1", "becomes": "2", "places": ""}),
        ("swap", {"track": "1", "becomes": "2", "places": "x"}),
        ("swap", {"track": "1", "becomes": "2", "places": f"{UUID(int=7)}:x"}),
        ("swap", {"track": "1", "becomes": "2", "places": f"{UUID(int=7)}"}),
        ("swap", {"track": "1", "becomes": "2", "places": " ".join([NOBODYS] * 10_001)}),
        ("undo", {"places": f"{UUID(int=7)}:x"}), ("undo", {"places": f"{UUID(int=7)}:{2**63}"}),
        ("undo", {"places": ""}), ("leave", {}), ("leave", {"track": "-1"}),
    ],
    ids=lambda each: str(each)[:60],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(ada: Desk, harmed: Playlist, do: str, form: dict[str, str]) -> None:
    ada.post(do, status=400, **form)

    assert tracks(harmed) == [300_001]


@pytest.mark.parametrize("do", ["swap", "undo"])
def test_what_is_not_there_is_told(ada: Desk, harmed: Playlist, do: str) -> None:
    what = str(uuid4()) if do == "swap" else "7"
    for list_ in (harmed.pk, uuid4()):
        [said] = ada.post(do, track=300_001, becomes=300_002, places=f"{list_}:{what}")
        assert said.endswith("Nothing was done there.")


def test_a_track_of_no_list_is_only_swapped_for_one_that_stands(ada: Desk, harmed: Playlist) -> None:
    assert ada.post("swap", **swap_form(harmed, becomes=99)) == ["There are no such tracks. Nothing was done there."]
    take_down(7003002)
    [said] = ada.post("swap", **swap_form(harmed))
    assert said.startswith("What was to stand in its place has been taken down itself")


# --- On the page of the list -----------------------------------------------------------------------------------------


def test_the_page_of_the_list_offers_the_same(ada: Desk, harmed: Playlist) -> None:
    base = f"/admin/curate/{harmed.pk}/"
    offered = ada.client.get(f"{base}substitutes", {"track": 300_001}).json()["substitutes"]

    assert [(each["line"][1], each["release"], each["reasons"]) for each in offered] == [
        (300_002, "Harbour 2", ["same recording (ISRC)"])
    ]
    for track in ("", "x", str(2**31)):
        assert ada.client.get(f"{base}substitutes", {"track": track}).status_code in {200, 400}


def test_the_page_of_the_list_swaps_and_undoes(ada: Desk, harmed: Playlist) -> None:
    base, [item] = f"/admin/curate/{harmed.pk}/change", items(harmed)
    version = Playlist.objects.get(pk=harmed.pk).version

    def change(status: int, **what: Any) -> Any:
        answer = ada.client.post(base, json.dumps(what), content_type="application/json")
        assert answer.status_code == status, answer.content
        return answer.json()

    swap = {"do": "swap", "item_id": str(item), "track_id": 300_001, "becomes": 300_002}
    told = change(200, version=version, **swap)
    assert (told["version"], told["changed"], tracks(harmed)) == (version + 1, True, [300_002])
    change(412, version=version, **swap)
    assert change(409, version=version + 1, **swap)["code"] == "place_changed"
    for wrong in ({"item_id": "x"}, {"track_id": 0}, {"becomes": "x"}, {"becomes": 2**31}):
        change(400, version=version + 1, **swap | wrong)
    found = ada.client.get(f"/admin/curate/{harmed.pk}/history", {"number": 1}).json()
    assert found["swapped"] == ["Tide – The Lamplighters → Tide – The Lamplighters"]

    change(200, version=version + 1, do="arrange", item_ids=[str(item)], track_ids=[300_001])
    assert tracks(harmed) == [300_001]


def test_a_track_that_plays_after_all_is_harmed_no_more(
    ada: Desk, draft: Callable[..., Playlist], twins: Callable[..., list[int]]
) -> None:
    draft(tracks=twins()[:1])
    member = [track_member(300_001, isrc="GBQQQ2530000")]
    take_down(7003001)
    assert len(ada.cards()) == 1

    apply_member(release_event(7003001, version=3, tracks=member))

    assert ada.cards() == []
    assert Item.objects.get().track_id == 300_001
