"""The page of a rule: what is taken, what it shows while it is filled in, and the draft one click makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from catalogue.models import Artist
from playlists import choosing
from playlists.models import Item, Playlist, Rule
from tests.helpers import apply_members, release_event, track_member

pytestmark = pytest.mark.django_db

ADD: Final = "/admin/playlists/rule/add/"
FORM: Final = {"name": "Harbour", "explicit": "EITHER", "order": "NEWEST", "count": "50", "seed": "7"}


@pytest.fixture(autouse=True)
def shelves(db: None) -> None:
    names = {601: "Søren Ærø", 602: "Tide", 603: "tide", 604: "Earth, Wind & Fire"}
    apply_members(
        release_event(n, genres=["Pop"], tracks=[track_member(n * 10, artist={"id": n, "name": name})])
        for n, name in names.items()
    )


def preview(client: Client, **changes: Any) -> Any:
    answer = client.get(reverse("rule-preview"), FORM | changes)
    assert answer.status_code == 200, answer.content
    return answer.json()


def save(client: Client, **changes: Any) -> Any:
    return client.post(ADD, FORM | changes)


def test_what_is_filled_in_is_kept(boss: Client) -> None:
    lists = {"genres": "Pop\n\n Pop \nFolk", "labels": "Quay, Inc.", "markets": "gb, DE", "moods": "Calm", "tempos": ""}
    save(boss, **lists, artists="soren aero\nEarth, Wind & Fire\n#602", within_days="30", most_of_artist="2")

    rule = Rule.objects.get()
    assert (rule.genres, rule.labels, rule.markets) == (["Pop", "Folk"], ["Quay, Inc."], ["GB", "DE"])
    assert (rule.moods, rule.tempos, rule.artists) == (["calm"], [], [601, 604, 602])
    assert (rule.within_days, rule.most_of_artist, rule.most_of_release, rule.seed) == (30, 2, None, 7)
    page = boss.get(reverse("admin:playlists_rule_change", args=[rule.pk])).content.decode()
    assert "Søren Ærø #601\nEarth, Wind &amp; Fire #604\nTide #602" in page


def test_a_page_that_was_saved_is_saved_again_as_it_is(boss: Client) -> None:
    save(boss, artists="#604\n#601", genres="Pop")
    before = Rule.objects.values().get()
    page = reverse("admin:playlists_rule_change", args=[before["id"]])
    form = boss.get(page).context["adminform"].form

    boss.post(page, {name: form[name].value() for name in form.fields if form[name].value() not in (None, [])} | {
        name: form.fields[name].prepare_value(form[name].value()) for name in ("artists", "genres")
    })  # fmt: skip

    assert Rule.objects.values().get() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""}, {"count": "0"}, {"count": "501"}, {"count": "x"}, {"order": "none"}, {"explicit": ""},
        {"within_days": "0"}, {"within_days": "7", "released_from": "2026-01-01"}, {"released_from": "yesterday"},
        {"released_from": "2026-01-02", "released_until": "2026-01-01"}, {"least_popularity": "-1"},
        {"most_of_artist": "0"}, {"markets": "XX"}, {"artists": "nobody"}, {"artists": "tide"}, {"artists": "#7"},
        {"artists": "#9999999999"}, {"genres": "x" * 129}, {"labels": "\0"}, {"moods": "\n".join(map(str, range(51)))},
        {"seed": str(2**63)},
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_refused(boss: Client, changes: dict[str, str]) -> None:
    answer = save(boss, **changes)

    assert answer.status_code == 200
    assert not Rule.objects.exists()
    if "name" not in changes:
        assert preview(boss, **changes)["refused"]


def test_of_namesakes_the_id_is_asked_for(boss: Client) -> None:
    assert preview(boss, artists="Tide") == {
        "refused": ["artists: Several artists are called so: write “Tide #…” with one of #602, #603"]
    }
    assert preview(boss, artists="Tide #603")["count"] == 1
    assert Artist.objects.count() > 3


def test_a_preview_counts_and_names_the_first_twenty_and_keeps_nothing(boss: Client) -> None:
    tracks = [track_member(n, title=f"Song {n}", subtitle="Live", number=n) for n in range(1, 31)]
    apply_members([release_event(9, genres=["Folk"], tracks=tracks)])

    told = preview(boss, genres="Folk", count="25")

    assert (told["count"], told["wanted"], len(told["tracks"])) == (25, 25, 20)
    assert told["tracks"][0] == {"title": "Song 1", "version": "Live", "artist": "The Lamplighters"}
    assert preview(boss, genres="None") == {"count": 0, "wanted": 50, "tracks": []}
    assert not Rule.objects.exists()


def test_one_click_saves_and_makes_a_draft(boss: Client) -> None:
    answer = save(boss, genres="Pop", _draft="")

    playlist = Playlist.objects.get()
    assert answer.headers["Location"] == f"/admin/curate/{playlist.pk}/"
    assert Item.objects.filter(playlist=playlist).count() == 4
    assert playlist.curation.rule == Rule.objects.get()
    assert [entry.change_message for entry in LogEntry.objects.filter(object_id=str(playlist.pk))] == [
        "Made by the rule Harbour"
    ]


def test_a_rule_that_is_too_wide_is_kept_and_says_so(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "PATIENCE", "10ms")
    monkeypatch.setitem(choosing.ORDERS, Rule.Order.NEWEST, "pg_sleep(0.01) IS NULL, t.id")

    answer = save(boss, _draft="")

    assert "narrow the rule" in boss.get(answer.headers["Location"]).content.decode()
    assert "narrow the rule" in preview(boss)["refused"][0]
    assert Rule.objects.exists()
    assert not Playlist.objects.exists()


def test_whoever_may_not_begin_lists_makes_no_draft(clerk: Callable[..., Client]) -> None:
    client = clerk("view_rule", "add_rule", "change_rule")

    save(client, _draft="")

    assert (
        "_draft"
        not in client.get(reverse("admin:playlists_rule_change", args=[Rule.objects.get().pk])).content.decode()
    )
    assert not Playlist.objects.exists()


def test_a_preview_is_for_those_who_may_look_at_rules(clerk: Callable[..., Client]) -> None:
    assert clerk("view_playlist").get(reverse("rule-preview"), FORM).status_code == 403
    assert Client().get(reverse("rule-preview"), FORM).status_code == 302
