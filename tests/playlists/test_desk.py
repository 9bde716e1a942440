"""The calls that the page of a curated playlist makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Listener, User
from catalogue.models import Track
from playlists.drafting import make_draft
from playlists.models import Featured, Item, Playlist, Presence, Revision, Rule, Shelf
from playlists.publishing import publish
from tests.helpers import apply_member, release_event, track_member
from tests.playlists.conftest import edit
from tests.playlists.test_covers import picture

pytestmark = pytest.mark.django_db

EDITOR = ("change_playlist", "propose_playlist")
SENIOR = ("change_playlist", "publish_playlist")
NOBODYS = str(UUID(int=7))


@pytest.fixture
def desk(editor: User, draft: Callable[..., Playlist]) -> Callable[..., Desk]:
    """A curated playlist's page, as a member of staff with these permissions works with it."""

    def open_(*permissions: str, playlist: Playlist | None = None, user: User = editor) -> Desk:
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions or EDITOR))
        client = Client()
        client.force_login(user)
        return Desk(client, playlist or draft())

    return open_


class Desk:
    def __init__(self, client: Client, playlist: Playlist) -> None:
        self.client, self.playlist = client, playlist
        self.base = f"/admin/curate/{playlist.pk}/"

    def get(self, path: str = "state", status: int = 200, **query: Any) -> Any:
        return read(self.client.get(self.base + path, query), status)

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        return read(self.client.post(self.base + path, json.dumps(body), content_type="application/json"), status)

    def change(self, do: str, status: int = 200, **what: Any) -> Any:
        """A change of whatever version there is, unless told."""
        version = Playlist.objects.get(pk=self.playlist.pk).version
        return self.post("change", {"version": version, "do": do} | what, status)

    def items(self) -> list[str]:
        return [line[0] for line in self.get()["lines"]]


def read(answer: Any, status: int) -> Any:
    assert answer.status_code == status, answer.content
    assert answer["Cache-Control"] == "no-store"
    return json.loads(answer.content)


# --- Changes ---------------------------------------------------------------------------------------------


def test_a_change_answers_with_the_version_it_made(desk: Callable[..., Desk]) -> None:
    page = desk()
    before = page.get()

    told = page.change("describe", name="Evening", countries=["gb", "DE", "GB"], locales=["pt-br"], tags=["calm"])

    after = page.get()
    assert told["version"] == after["version"] == before["version"] + 1
    assert (after["name"], after["countries"], after["locales"]) == ("Evening", ["GB", "DE"], ["pt-BR"])
    assert after["description"] == before["description"]


def test_tracks_come_move_and_go(desk: Callable[..., Desk]) -> None:
    page = desk()
    a, b, c, d = page.items()
    track = page.get()["lines"][0][1]

    [line] = page.change("add", track_ids=[track], before=b)["lines"]
    page.change("move", item_ids=[d], before=a)
    page.change("remove", item_ids=[c])

    assert line[1:3] == [track, "Étude 1"]
    assert page.items() == [d, a, line[0], b]


def test_a_draft_is_refreshed_from_the_rule_that_made_it(desk: Callable[..., Desk], editor: User) -> None:
    by_hand = desk()
    by_hand.change("refresh", 409)
    rule = Rule.objects.create(name="Everything", order="NEWEST")
    page = desk(playlist=make_draft(rule, by=editor, now=timezone.now()))
    assert (page.get()["rule"], len(page.items()), by_hand.get()["rule"]) == ("Everything", 4, None)
    apply_member(release_event(8, tracks=[track_member(81, title="Newcomer")]))

    [line] = page.change("refresh")["lines"]

    assert line[1:3] == [81, "Newcomer"]
    assert page.items()[-1] == line[0]
    assert "lines" not in page.change("refresh")


def test_a_removal_is_undone_with_the_same_items(desk: Callable[..., Desk]) -> None:
    page = desk()
    before = [line[:2] for line in page.get()["lines"]]
    page.change("remove", item_ids=[before[1][0]])

    page.change("arrange", item_ids=[item for item, _ in before], track_ids=[track for _, track in before])

    assert [line[:2] for line in page.get()["lines"]] == before


def test_who_is_late_overwrites_nothing_and_hears_who_was_quicker(desk: Callable[..., Desk], senior: User) -> None:
    ada = desk()
    grace = desk(playlist=ada.playlist, user=senior)
    version = ada.get()["version"]
    grace.change("describe", name="Grace’s")

    problem = ada.post("change", {"version": version, "do": "describe", "name": "Ada’s"}, 412)

    assert (problem["code"], problem["changed_by"]) == ("playlist_changed", "Grace")
    assert ada.get()["name"] == "Grace’s"


@pytest.mark.parametrize(
    ("do", "what"),
    [
        ("fly", {}), (["add"], {}), (None, {}),
        ("describe", {"name": ""}), ("describe", {"name": "x" * 201}), ("describe", {"countries": ["XX"]}),
        ("describe", {"countries": "GB"}), ("describe", {"plans": ["none"]}), ("describe", {"locales": ["en_GB"]}),
        ("describe", {"cover": "ab" * 16}), ("describe", {"tags": ["x" * 65]}),
        ("add", {}), ("add", {"track_ids": []}), ("add", {"track_ids": [0]}), ("add", {"track_ids": ["x"]}),
        ("add", {"track_ids": [2**31]}), ("move", {"item_ids": []}), ("move", {"item_ids": ["x"], "before": None}),
        ("remove", {"item_ids": ["x"]}), ("arrange", {"item_ids": [NOBODYS], "track_ids": []}),
        ("arrange", {"item_ids": [str(UUID(int=1))] * 2, "track_ids": [1, 1]}), ("restore", {"number": 0}),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_that_makes_no_sense_is_refused(desk: Callable[..., Desk], do: Any, what: dict[str, Any]) -> None:
    page = desk()
    before = page.get()

    page.change(do, 400, **what)

    assert page.get() == before


@pytest.mark.parametrize(
    ("do", "what"),
    [
        ("add", {"track_ids": [99]}), ("remove", {"item_ids": [NOBODYS]}), ("restore", {"number": 9}),
        ("move", {"item_ids": [NOBODYS], "before": None}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_there_is_not_found(desk: Callable[..., Desk], do: str, what: dict[str, Any]) -> None:
    desk().change(do, 404, **what)


@pytest.mark.parametrize("body", [[], "x", 7, None], ids=str)
def test_a_body_is_an_object(desk: Callable[..., Desk], body: Any) -> None:
    page = desk()

    for path in ("change", "match"):
        page.post(path, body, 400)


@pytest.mark.parametrize("version", [None, "1", 1.5, True])
def test_a_change_names_the_version_it_was_made_upon(desk: Callable[..., Desk], version: Any) -> None:
    desk().post("change", {"do": "describe", "name": "x", "version": version}, 400)


def test_every_change_is_in_the_log_with_who_made_it(desk: Callable[..., Desk], editor: User) -> None:
    page = desk(*EDITOR, *SENIOR)
    page.change("describe", name="Evening", tags=["calm"])
    page.change("remove", item_ids=page.items()[:2])
    page.change("propose", note="look")
    page.change("publish")

    entries = LogEntry.objects.filter(object_id=str(page.playlist.pk)).order_by("pk")
    assert {entry.user for entry in entries} == {editor}
    assert [entry.change_message for entry in entries][:3] == [
        "Changed name, tags", "Removed 2 track(s)", "Proposed the draft",
    ]  # fmt: skip
    assert entries.last().change_message.startswith("Published revision 1, live from ")  # type: ignore[union-attr]


# --- Who may ------------------------------------------------------------------------------------------------


VERBS = {
    "describe": {"name": "x"},
    "add": {"track_ids": [1]},
    "refresh": {},
    "mosaic": {},
    "move": {"item_ids": [NOBODYS], "before": None},
    "remove": {"item_ids": [NOBODYS]},
    "arrange": {"item_ids": [], "track_ids": []},
    "restore": {"number": 1},
    "propose": {},
    "publish": {},
    "end": {},
}
ROLES = {
    ("view_playlist",): set(),
    ("view_playlist", "propose_playlist"): {"propose"},
    EDITOR: set(VERBS) - {"publish", "end"},
    SENIOR: set(VERBS) - {"propose"},
    ("view_playlist", "publish_playlist"): {"publish", "end"},
}


@pytest.mark.parametrize("role", ROLES, ids=str)
@pytest.mark.parametrize("do", VERBS)
def test_a_role_may_do_this_and_no_more(desk: Callable[..., Desk], role: tuple[str, ...], do: str) -> None:
    page = desk(*role)
    answer = page.client.post(
        page.base + "change",
        json.dumps({"do": do, "version": page.playlist.version} | VERBS[do]),
        content_type="application/json",
    )

    assert (answer.status_code == 403) is (do not in ROLES[role]), answer.content


@pytest.mark.parametrize(
    "path", ["", "state", "notices", "find?q=x", "history", "preview?country=GB", "change", "match", "seen", "cover"]
)
def test_nobody_else_gets_in(
    client: Client, clerk: Callable[..., Client], listener: Listener, draft: Callable[..., Playlist], path: str
) -> None:
    url = f"/admin/curate/{draft().pk}/{path}"
    assert listener.user is not None
    for who in (Client(), client):
        for ask in (who.get, who.post):
            assert ask(url).status_code in ({302} if path == "" else {403})
        client.force_login(listener.user)
    assert clerk("view_track").get(url).status_code == 403


def test_a_call_from_elsewhere_is_refused(desk: Callable[..., Desk], editor: User) -> None:
    page = desk()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(editor)

    body = json.dumps({"do": "describe", "name": "x", "version": page.playlist.version})
    answer = strict.post(page.base + "change", body, content_type="application/json")

    assert answer.status_code == 403
    assert page.get()["name"] == "Morning"


def test_a_listeners_own_list_is_not_opened(desk: Callable[..., Desk], listener: Listener) -> None:
    own = Playlist.objects.create(owner=listener, name="mine")
    page = desk(*EDITOR, *SENIOR, playlist=own)

    page.get(status=404)
    page.change("describe", 404, name="ours")
    assert page.client.get(page.base).status_code == 404
    assert "mine" not in page.client.get(reverse("admin:playlists_playlist_changelist")).content.decode()


# --- Publishing ------------------------------------------------------------------------------------------------


def test_one_proposes_and_another_publishes(desk: Callable[..., Desk], senior: User) -> None:
    ada = desk()
    grace = desk(*SENIOR, playlist=ada.playlist, user=senior)

    proposed = ada.change("propose", note="for Monday")
    assert proposed["proposed"] == {"by": "Ada", "note": "for Monday"}
    published = grace.change("publish", note="good")

    assert (published["state"], published["proposed"], published["changed"]) == ("LIVE", None, False)
    assert published["live"]["published_by"] == "Grace"


def test_an_instant_without_its_offset_is_refused(desk: Callable[..., Desk]) -> None:
    page = desk(*SENIOR)

    for name in ("publish_at", "expires_at"):
        for text in ("2030-01-01T00:00:00", "tomorrow", "", 7, "2030-13-01T00:00:00Z"):
            page.change("publish", 400, **{name: text})
    page.change("publish", publish_at="2030-01-01T00:00:00+02:00", expires_at="2030-02-01T00:00:00Z")
    assert page.get()["waiting"]["live_from"] == "2029-12-31T22:00:00Z"


def test_the_history_compares_and_restores(desk: Callable[..., Desk]) -> None:
    page = desk(*SENIOR)
    a, b, c, d = page.items()
    page.change("publish", note="first")
    page.change("describe", name="Evening")
    page.change("remove", item_ids=[b])
    page.change("move", item_ids=[d], before=a)

    [revision] = page.get("history")["revisions"]
    found = page.get("history", number=1)

    assert (revision["number"], revision["note"], revision["track_count"]) == (1, "first", 4)
    assert found["removed"] == ["Étude 2 – The Lamplighters"]
    assert found["moved"] == ["Étude 4 – The Lamplighters"]
    assert found["facts"] == [{"name": "name", "was": "Morning", "is": "Evening"}]
    page.change("restore", number=1)
    assert page.items() == [a, b, c, d]
    page.get("history", 404, number=2)
    page.get("history", 400, number="x")


def test_taken_down_tracks_are_named_when_publishing(desk: Callable[..., Desk]) -> None:
    page = desk(*SENIOR)
    apply_member({"id": 7001001, "version": 2, "takedown": True})

    problem = page.change("publish", 409)

    assert (problem["code"], problem["item_ids"]) == ("tracks_gone", page.items())
    assert page.get()["notices"][0]["kind"] == "GONE"


# --- Looking ----------------------------------------------------------------------------------------------------


def test_markets_are_those_of_the_list_unless_asked(desk: Callable[..., Desk]) -> None:
    page = desk()
    page.change("describe", countries=["GB", "US"])

    assert page.get()["markets"] == ["GB", "US"]
    assert page.get()["lines"][0][-1] == ["GB"]
    assert page.get(markets="de,fr")["lines"][0][-1] == ["DE", "FR"]
    for markets in ("XX", "GB,", ",".join(["GB"] * 13)):
        page.get(status=400, markets=markets)


def test_a_track_is_found_by_words_isrc_or_id(desk: Callable[..., Desk]) -> None:
    page = desk()
    first = page.get()["lines"][0]

    for text in ("etude 1", first[5], first[5].lower(), str(first[1])):
        assert [line[1] for line in page.get("find", q=text)["lines"]][:1] == [first[1]]
    for text in ("", "zzzzzz", "9" * 12, "'; --"):
        assert page.get("find", q=text)["lines"] == []


def test_a_paste_is_reported_and_adds_nothing(desk: Callable[..., Desk]) -> None:
    page = desk()
    track = page.get()["lines"][0][1]

    report = page.post("match", {"text": f"{track}\njunk\n{track}"})

    assert [match["found"] for match in report["matches"]] == ["FOUND", "UNKNOWN", "FOUND"]
    assert [line[1] for line in report["lines"]] == [track]
    assert len(page.items()) == 4
    page.post("match", {}, 400)
    page.post("match", {"text": "7\n" * 10_001}, 400)


def test_others_who_have_the_page_open_are_named(desk: Callable[..., Desk], senior: User) -> None:
    ada = desk()
    grace = desk(playlist=ada.playlist, user=senior)
    ada.post("seen", {})

    assert grace.post("seen", {})["others"] == ["Ada"]
    Presence.objects.filter(user__first_name="Ada").update(last_seen=timezone.now() - timezone.timedelta(minutes=1))
    assert grace.post("seen", {})["others"] == []


def test_a_preview_is_what_somebody_would_get(desk: Callable[..., Desk]) -> None:
    page = desk(*SENIOR)
    page.change("describe", countries=["GB"], locales=["en"])
    page.change("publish", publish_at="2030-01-01T00:00:00Z")

    then = {"at": "2030-01-02T00:00:00Z", "country": "GB", "of": "live"}
    assert page.get("preview", country="GB", of="live")["against"] == ["nothing of it is live then"]
    seen = page.get("preview", **then)
    assert (seen["seen"], seen["number"], len(seen["tracks"])) == (True, 1, 4)
    assert page.get("preview", **then | {"country": "DE"})["against"] == ["it is not meant for DE"]
    assert page.get("preview", **then | {"locale": "de"})["against"] == ["it is not meant for their language"]
    assert page.get("preview", **then | {"of": "draft", "at": ""}, status=400)
    assert page.get("preview", country="GB", of="draft", locale="en-GB")["seen"]
    for wrong in ({"country": "X"}, {"country": "GB", "locale": "!"}, {"country": "GB", "at": "tomorrow"}):
        page.get("preview", 400, **wrong)


def test_a_preview_says_why_a_track_is_not_heard(desk: Callable[..., Desk]) -> None:
    tracks = desk().get("preview", country="US", of="draft")["tracks"]

    assert {track["reason"] for track in tracks} == {"TERRITORY"}


def test_a_cover_is_uploaded_and_taken_away(desk: Callable[..., Desk]) -> None:
    page = desk()
    url = f"{page.base}cover?version={page.playlist.version}"

    told = read(page.client.put(url, picture(), content_type="image/png"), 200)
    refused = read(page.client.put(url.replace("version=", "version=9"), b"<svg/>", content_type="image/svg+xml"), 400)

    assert page.client.get(told["cover"]["url"].replace("{size}", "200")).status_code == 200
    assert (refused["code"], refused["detail"]) == ("picture_refused", "a cover is a JPEG, PNG or WebP picture")
    page.change("describe", cover="")
    assert page.get()["cover"] == {"url": None, "own": False}


# --- Many tracks ----------------------------------------------------------------------------------------------


@pytest.fixture
def long_list(shelf_of_tracks: Callable[..., list[int]], draft: Callable[..., Playlist]) -> Callable[[int], Playlist]:
    ids = shelf_of_tracks(50)

    def make(count: int) -> Playlist:
        return draft(tracks=[ids[number % 50] for number in range(count)])

    return make


def test_five_thousand_tracks_are_as_many_statements_as_a_hundred(
    desk: Callable[..., Desk], long_list: Callable[[int], Playlist]
) -> None:
    def asked(page: Desk) -> int:
        with CaptureQueriesContext(connection) as captured:
            page.get()
        return len(captured)

    page = desk(playlist=long_list(100))
    few = asked(page)
    ids = list(Track.objects.values_list("pk", flat=True)[:1])
    page.change("add", track_ids=ids * 4900)

    assert asked(page) == few
    assert len(page.items()) == 5000


def test_five_thousand_are_moved_and_removed_in_as_many_statements_as_ten(
    desk: Callable[..., Desk], long_list: Callable[[int], Playlist]
) -> None:
    def asked(count: int) -> list[int]:
        page = desk(playlist=long_list(count))
        ids = page.items()
        with CaptureQueriesContext(connection) as moving:
            page.change("move", item_ids=ids[1:][::-1], before=ids[0])
        assert page.items() == [*ids[1:][::-1], ids[0]]
        with CaptureQueriesContext(connection) as removing:
            page.change("remove", item_ids=ids[1:])
        assert page.items() == ids[:1]
        return [len(moving), len(removing)]

    assert asked(5000) == asked(10)


# --- Around it --------------------------------------------------------------------------------------------------


def test_a_playlist_begins_in_the_list_and_opens_on_its_page(desk: Callable[..., Desk]) -> None:
    client = desk().client
    answer = client.post(reverse("admin:playlists_playlist_add"), {"name": "Evening"})

    playlist = Playlist.objects.get(name="Evening")
    assert answer["Location"] == f"/admin/curate/{playlist.pk}/"
    assert playlist.curation.changed_by is not None
    page = reverse("admin:playlists_playlist_change", args=[playlist.pk])
    assert client.get(page)["Location"] == answer["Location"]
    assert client.get(page.replace(str(playlist.pk), "x")).status_code == 404


def test_the_list_says_where_each_stands(boss: Client, draft: Callable[..., Playlist], editor: User) -> None:
    publish(edit(draft(), editor))

    listed = boss.get(reverse("admin:playlists_playlist_changelist"))

    assert "LIVE" in listed.content.decode()
    assert Revision.objects.count() == 1


def test_a_shelf_takes_curated_lists_alone(boss: Client, draft: Callable[..., Playlist], listener: Listener) -> None:
    curated, own = draft(), Playlist.objects.create(owner=listener, name="Morning too")
    found = boss.get(
        reverse("admin:autocomplete"),
        {"term": "Morning", "app_label": "playlists", "model_name": "featured", "field_name": "playlist"},
    )
    assert [each["id"] for each in json.loads(found.content)["results"]] == [str(curated.pk)]

    form = {"name": "Top", "place": 1, "featured-TOTAL_FORMS": 1, "featured-INITIAL_FORMS": 0}
    for playlist in (own, curated):
        boss.post(
            reverse("admin:playlists_shelf_add"),
            form | {"featured-0-playlist": str(playlist.pk), "featured-0-place": 1},
        )
    assert [each.playlist for each in Featured.objects.all()] == [curated]
    assert Shelf.objects.count() == 1


def test_names_are_text_on_the_page(desk: Callable[..., Desk]) -> None:
    page = desk()
    page.change("describe", name="</script><script>alert(1)</script>{{ 7*7 }}")

    shown = page.client.get(page.base).content.decode()

    assert "<script>alert(1)" not in shown
    assert Item.objects.count() == 4
