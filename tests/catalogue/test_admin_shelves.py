"""The mirror as staff see it: found by what people type, told at a glance, and never scanned."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from catalogue.models import Artist, CatalogueEvent, Release, Track
from tests.helpers import EUROPE, apply_member, apply_members, offer, release_event, statements_noted, track_member

pytestmark = pytest.mark.django_db

SCRIPT = "<script>alert(1)</script>"
SHELVES = [Artist, Release, Track]


def page(model: Any, name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def shown(response: Any) -> str:
    assert response.status_code == 200, response.content
    text: str = response.content.decode()
    return text


# --- finding ---------------------------------------------------------------------------------------


@pytest.fixture
def shop(db: None) -> None:
    artist = {"id": 7, "name": "Søren Ærø"}
    tracks = [
        track_member(11, title="Café del Mär", isrc="GBQQQ2500011"),
        track_member(12, title="Tide", artist=artist, isrc="GBQQQ2500012"),
        track_member(13, title="1999"),
        track_member(1999, title="Lantern"),
    ]
    apply_member(release_event(1, tracks=tracks))
    other = [track_member(21, title="Tide", subtitle="Live", isrc="GBQQQ2500012")]
    apply_member(release_event(2, title="Storm", upc="5050000000024", tracks=other))
    apply_member({"id": 2, "version": 2, "takedown": True})


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("model", "text", "ids"),
    [
        (Track, "12", [12]),
        (Track, " gb-qqq-25-00012 ", [12, 21]),
        (Track, "5050000000024", [21]),
        (Track, "cafe mar", [11]),
        (Track, "soren", [12]),
        (Track, "lantren", [1999]),
        (Track, "1999", [1999, 13]),
        (Track, "nothing like it", []),
        (Track, "%", []),
        (Track, "9" * 200, []),
        (Release, "2", [2]),
        (Release, "5050000000024", [2]),
        (Release, "GBQQQ2500012", [1, 2]),
        (Release, "storm", [2]),
        (Artist, "7", [7]),
        (Artist, "aero", [7]),
        (Artist, "GBQQQ2500012", []),
    ],
)
def test_finds_what_people_type(boss: Client, model: Any, text: str, ids: list[int]) -> None:
    listed = boss.get(page(model), {"q": text}).context["cl"].result_list

    assert [row.pk for row in listed] == ids


@pytest.mark.parametrize("model", SHELVES)
def test_says_so_where_it_looks_for_less_than_was_typed(boss: Client, model: Any) -> None:
    assert "Only 200 characters" in shown(boss.get(page(model), {"q": "x" * 3000}))
    assert "Only 200 characters" not in shown(boss.get(page(model), {"q": "x" * 200}))


@pytest.mark.parametrize("model", [*SHELVES, CatalogueEvent])
def test_a_page_that_is_not_there_is_explained(boss: Client, model: Any) -> None:
    apply_members(release_event(number, artist={"id": number, "name": "A"}) for number in range(1, 52))
    CatalogueEvent.objects.bulk_create(CatalogueEvent(body=b"", members=1) for _ in range(51))
    assert "There is no such page" not in shown(boss.get(page(model), {"p": "2"}))
    for number in ("201", "-1", "99999999999999999999"):
        assert "There is no such page" in shown(boss.get(page(model), {"p": number}))


@pytest.mark.parametrize("model", [*SHELVES, CatalogueEvent])
@pytest.mark.parametrize("query", ["title__icontains=a", "artist__name=x", "state__regex=.", "body=a", "nothing=1"])
def test_cannot_be_asked_for_a_scan(boss: Client, model: Any, query: str) -> None:
    assert boss.get(f"{page(model)}?{query}").status_code == 400


@pytest.mark.parametrize("model", SHELVES)
def test_is_sorted_by_id_whatever_is_asked(boss: Client, model: Any) -> None:
    apply_members(release_event(number, artist={"id": 500 + number, "name": "A"}) for number in (1, 2, 3))

    for query in ("", "?o=2", "?o=-2.1"):
        ids = [row.pk for row in boss.get(f"{page(model)}{query}").context["cl"].result_list]
        assert ids == sorted(ids, reverse=True)
        assert len(ids) >= 3


# --- what it costs ---------------------------------------------------------------------------------


def statements(client: Client, url: str) -> list[tuple[str, Any]]:
    """What one page asks PostgreSQL, and with which values, once the process knows its content types."""
    shown(client.get(url))
    with statements_noted() as asked:
        shown(client.get(url))
    return asked


BIG = "catalogue_artist|catalogue_release|catalogue_track|catalogue_offer|catalogue_catalogueevent|accounts_listener"
PAGES = [
    *[f"{model._meta.model_name}/{query}" for model in SHELVES for query in ("", "?p=2", "?q=tide", "?q=tide+lantern")],
    *[f"{name}/?q={code}" for name in ("track", "release") for code in ("GBQQQ2500012", "5050000000024", "12")],
    "track/12/change/", "release/1/change/", "artist/501/change/", "catalogueevent/", "catalogueevent/?q=12",
    "catalogueevent/?state__exact=DEAD", "catalogueevent/?kind__exact=enhanced",
    "catalogueevent/?state__exact=DEAD&kind__exact=standard", "catalogueevent/?token_reused__exact=1",
]  # fmt: skip


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("path", PAGES)
def test_no_page_scans_a_large_table(boss: Client, path: str) -> None:
    asked = [each for each in statements(boss, f"/admin/catalogue/{path}") if re.match(r"\s*(SELECT|WITH)", each[0])]

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # where there is an index, it is taken
        for sql, params in asked:
            cursor.execute(f"EXPLAIN {sql}", params)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert not re.search(f"Seq Scan on ({BIG})", plan), f"{sql}\n{plan}"


@pytest.mark.parametrize("path", ["track/", "track/?q=tide", "release/", "artist/", "release/1/change/"])
def test_a_page_costs_the_same_however_much_is_on_it(boss: Client, path: str) -> None:
    apply_member(release_event(1, tracks=[track_member(1)]))
    few = len(statements(boss, f"/admin/catalogue/{path}"))

    apply_member(
        release_event(
            1, version=2, tracks=[track_member(n, artist={"id": n, "name": f"Band {n}"}) for n in range(1, 30)]
        )
    )
    apply_members(release_event(n, artist={"id": n, "name": "Tide"}) for n in range(2, 9))
    assert len(statements(boss, f"/admin/catalogue/{path}")) == few


def test_a_track_costs_the_same_however_many_offers_it_has(boss: Client) -> None:
    apply_member(release_event(1, tracks=[track_member(1)]))
    few = len(statements(boss, page(Track, "change", 1)))
    assert few == 6  # session, user, track, tags, and its offers for either table

    offers = [offer([country], start=f"20{n}-01-01") for n, country in enumerate(EUROPE * 3, 10)]
    apply_member(release_event(1, version=2, tracks=[track_member(1, offers=offers, downloadAvailability=offers)]))
    assert len(statements(boss, page(Track, "change", 1))) == few


# --- a release -------------------------------------------------------------------------------------


def test_a_release_shows_its_cover_its_artist_and_its_tracks(boss: Client, shelve: Any) -> None:
    tide, _ = shelve(id_=4711, version=3)

    text = shown(boss.get(page(Release, "change", 4711)))

    assert "/static/img/sleeveart/00/000/047/0000004711_200.jpg" in text
    assert page(Artist, "change", 501) in text
    assert page(Track, "change", tide.pk) in text
    assert "3:24" in text


def test_a_release_names_no_more_tracks_than_fit_on_a_page(boss: Client, shelve: Any) -> None:
    shelve(id_=1, tracks=[track_member(n, number=n) for n in range(1, 102)])

    text = shown(boss.get(page(Release, "change", 1)))

    assert page(Track, "change", 100) in text
    assert page(Track, "change", 101) not in text
    assert "And more" in text


def test_a_release_leads_to_its_events(boss: Client) -> None:
    answer = boss.get(page(Release, "events", 4711))

    assert answer.headers["Location"] == f"{page(CatalogueEvent)}?q=4711"


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ([release_event(1)], "standing"),
        ([release_event(1), {"id": 1, "version": 2, "takedown": True}], "taken down 20"),
        ([{"id": 1, "version": 2, "takedown": True}], "a takedown is all we heard"),
    ],
)
def test_a_release_says_what_state_its_row_is_in(boss: Client, members: Any, state: str) -> None:
    for member in members:
        apply_member(member)

    assert state in shown(boss.get(page(Release)))
    assert state in shown(boss.get(page(Release, "change", 1)))


def test_an_artist_shows_what_is_on_the_shelves(boss: Client) -> None:
    apply_members([release_event(1, releaseDate="2020-01-01"), release_event(2, releaseDate=None), release_event(3)])
    apply_member({"id": 3, "version": 2, "takedown": True})

    rows = boss.get(page(Artist, "change", 501)).context["releases"]["rows"]

    assert [re.sub("<.*?>", "", row[0]) for row in rows] == ["1", "2"]


# --- a track ---------------------------------------------------------------------------------------


def test_a_track_tells_each_use_by_territory(boss: Client, shelve: Any) -> None:
    stream = [offer(["GB", "IE"]), offer(["US"], start="2099-01-01"), offer(["DE"], end="2021-01-01")]
    shelve(id_=1, tracks=[track_member(1, offers=stream, downloadAvailability=[offer()])])

    uses = {use.title: use for use in boss.get(page(Track, "change", 1)).context["uses"]}

    assert [(line.word, line.where, line.when) for line in uses["Subscription streaming"].lines] == [
        ("open", "GB, IE", "since 2020-01-01"),
        ("not yet", "US", "from 2099-01-01"),
        ("ended", "DE", "on 2021-01-01"),
    ]
    assert [line.where for line in uses["Download"].lines] == ["DE, FR, GB, IE"]
    assert uses["Ad-supported streaming"].lines == []


def test_a_track_shows_the_countries_that_are_only_counted(boss: Client, shelve: Any) -> None:
    many = ["AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ"]
    shelve(id_=1, tracks=[track_member(1, offers=[offer(many), offer(["GB"], end="2021-01-01")])])

    use = boss.get(page(Track, "change", 1)).context["uses"][0]

    assert use.lines[0].where == "9 territories"
    cells = {cell.code: (cell.colour, cell.title) for cell in use.grid}
    assert cells["AQ"] == ("success", "AQ: open since 2020-01-01")
    assert cells["GB"] == ("danger", "GB: ended on 2021-01-01")
    assert cells["AR"] == ("", "AR: no offer")
    assert len(cells) == 249


def test_a_track_without_offers_says_so(boss: Client, shelve: Any) -> None:
    shelve(id_=1, tracks=[track_member(1, offers=[])])

    assert shown(boss.get(page(Track, "change", 1))).count("No offer anywhere") == 3


def test_a_track_says_why_no_right_of_it_counts(boss: Client, track: Track, settings: Settings) -> None:
    url = page(Track, "change", track.pk)
    assert "Nowhere" not in shown(boss.get(url))

    settings.LICENSORS = frozenset({99})
    assert "Nowhere: we have no contract with its licensor" in shown(boss.get(url))
    apply_member(release_event(version=2, tracks=[]))
    assert "Nowhere: the release names it no more" in shown(boss.get(url))
    apply_member({"id": track.release_id, "version": 3, "takedown": True})
    assert "Nowhere: the release has been taken down" in shown(boss.get(url))


def test_a_track_leads_to_its_release_its_artist_and_the_explainer(boss: Client, track: Track) -> None:
    text = shown(boss.get(page(Track, "change", track.pk)))

    assert page(Release, "change", track.release_id) in text
    assert page(Artist, "change", track.artist_id) in text
    assert boss.get(page(Track, "why", track.pk)).headers["Location"] == f"/admin/why/?track={track.pk}"


# --- manners ---------------------------------------------------------------------------------------


def test_what_the_platform_writes_is_text_and_no_more(boss: Client, shelve: Any) -> None:
    artist = {"id": 9, "name": SCRIPT}
    shelve(
        id_=1,
        title=SCRIPT,
        subtitle=SCRIPT,
        artist=artist,
        tracks=[track_member(1, title=SCRIPT, subtitle=SCRIPT, artist=artist)],
    )

    for url in (page(Artist), page(Artist, "change", 9), page(Release), page(Release, "change", 1), page(Track),
                page(Track, "change", 1), page(Track) + "?q=%3Cscript%3E"):  # fmt: skip
        assert SCRIPT not in shown(boss.get(url))


@pytest.mark.parametrize("model", [*SHELVES, CatalogueEvent])
def test_staff_see_only_what_they_may(clerk: Callable[..., Client], model: Any) -> None:
    desk = clerk("view_user")

    assert desk.get(page(model)).status_code == 403
    assert desk.get(page(model, "change", 1)).status_code == 403


def test_the_ways_on_from_a_row_are_for_those_who_may(clerk: Callable[..., Client], track: Track) -> None:
    desk = clerk("view_release")

    assert "Its events" not in shown(desk.get(page(Release, "change", track.release_id)))
    assert desk.get(page(Release, "events", track.release_id)).status_code == 403
    assert desk.get(page(Track, "why", track.pk)).status_code == 403


@pytest.mark.parametrize("model", [*SHELVES, CatalogueEvent])
@pytest.mark.parametrize("wanted", ["7", "abc", "99999999999999999999", "%00"])
def test_what_is_not_there_leads_back_with_a_word(boss: Client, model: Any, wanted: str) -> None:
    answer = boss.get(page(model).rstrip("/") + f"/{wanted}/change/", follow=True)

    assert answer.redirect_chain[-1] == ("/admin/", 302)
    assert "doesn’t exist" in shown(answer)
