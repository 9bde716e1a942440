"""The events as operations see them: how they are getting on, what became of each, and what it said."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalogue import figures
from catalogue.actions import apply_waiting
from catalogue.models import CatalogueEvent, Release
from tests.helpers import apply_members, release_event, stored_event

pytestmark = pytest.mark.django_db

LIST = "/admin/catalogue/catalogueevent/"
SCRIPT = "<script>alert(1)</script>"
State, Kind = CatalogueEvent.State, CatalogueEvent.Kind


def stored(*members: Any, **more: Any) -> CatalogueEvent:
    return stored_event(body=json.dumps(members).encode(), members=members, **more)


def made(count: int, **columns: Any) -> list[CatalogueEvent]:
    return CatalogueEvent.objects.bulk_create(
        CatalogueEvent(**{"body": gzip.compress(b"[1]"), "members": 1, "received_at": timezone.now()} | columns)
        for _ in range(count)
    )


def shown(response: Any) -> str:
    assert response.status_code == 200, response.content
    text: str = response.content.decode()
    return text


def plain(html: str) -> str:
    """The text without its markup, a space for all that is blank."""
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html))


# --- the figures -----------------------------------------------------------------------------------


def test_counts_by_state_and_kind() -> None:
    made(2, state=State.APPLIED)
    made(1, state=State.APPLIED, kind=Kind.ENHANCED)
    made(3, state=State.DEAD)

    held = figures.held()

    assert {state: (each.counted, each.kinds) for state, each in held.items()} == {
        State.WAITING: ("0", {}),
        State.APPLIED: ("3", {"standard": 2, "enhanced": 1}),
        State.PARTLY: ("0", {}),
        State.DEAD: ("3", {"standard": 3}),
    }


def test_counts_so_far_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST", 3)
    made(1, state=State.APPLIED, kind=Kind.ENHANCED)
    made(1, state=State.APPLIED)
    assert figures.held()[State.APPLIED].counted == "2"

    made(3, state=State.APPLIED)
    held = figures.held()[State.APPLIED]
    assert (held.counted, held.kinds) == ("3+", {"standard": 3})


def test_tells_what_came_lately_and_how_fast_it_was_applied() -> None:
    now = timezone.now()
    made(4, received_at=now - timedelta(hours=2), state=State.APPLIED)
    made(3, received_at=now - timedelta(minutes=30), state=State.APPLIED, members=5)
    made(3, received_at=now - timedelta(minutes=20), state=State.PARTLY, kind=Kind.ENHANCED)
    made(1, received_at=now - timedelta(minutes=1))

    lately = figures.lately(now=now)

    assert (lately.received, lately.members) == ({"standard": 4, "enhanced": 3}, 19)
    assert lately.since == now - timedelta(hours=1)
    assert lately.applied_a_minute == pytest.approx(6 / 60)
    assert lately.written_a_minute == 0


def test_looks_back_less_where_much_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST", 4)
    now = timezone.now()
    made(5, received_at=now - timedelta(minutes=40), state=State.APPLIED)
    made(3, received_at=now - timedelta(minutes=2), state=State.APPLIED)

    lately = figures.lately(now=now)

    assert lately.received == {"standard": 4}
    assert lately.since == now - timedelta(minutes=40)
    assert lately.applied_a_minute == pytest.approx(4 / 40)


def test_tells_how_fast_releases_are_written() -> None:
    apply_members(release_event(number) for number in (1, 2, 3))
    now = timezone.now()
    Release.objects.filter(pk=1).update(changed_at=now - timedelta(hours=2))

    assert figures.lately(now=now).written_a_minute == pytest.approx(2 / 60)


def test_tells_of_refused_members_and_conflicts() -> None:
    stored(release_event(1), None, {"id": 0})
    stored(None)
    stored(release_event(2), release_event(2, title="Other"))
    stored(release_event(3))
    apply_waiting()

    assert figures.trouble() == figures.Trouble(events=3, refused_in=2, refused=3, conflicts_in=1, conflicts=1)


def test_tells_which_has_waited_longest() -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert figures.oldest(now=now) is None

    first, _ = made(2, received_at=now - timedelta(minutes=3))
    made(1, received_at=now - timedelta(days=9), state=State.APPLIED)
    assert figures.oldest(now=now) == figures.Oldest(id=first.pk, age=timedelta(minutes=3))


def test_the_page_shows_them_above_the_list(boss: Client) -> None:
    stored(release_event(1), None)
    apply_waiting()
    (late,) = made(1, received_at=timezone.now() - timedelta(minutes=5))
    made(1, state=State.DEAD, kind=Kind.ENHANCED)

    text = plain(shown(boss.get(LIST)))

    for words in (
        f"waiting 1 1 standard the oldest, #{late.pk}, for 5 min",
        "applied but for some members 1 1 standard 1 member refused in 1 event 0 conflicts in 0 events",
        "dead: needs a person 1 1 enhanced",
        "1 enhanced received",
        "4 members in them",
        "Each state is counted up to 10,000",
    ):
        assert words in text


def test_the_page_is_calm_where_nothing_has_come(boss: Client) -> None:
    text = plain(shown(boss.get(LIST)))

    assert "nothing received" in text
    assert "No results found" in text


def test_the_page_costs_the_same_however_much_came(boss: Client, django_assert_max_num_queries: Any) -> None:
    for _ in range(2):
        made(20, state=State.PARTLY, outcome={"refused": [{"index": 0, "reason": "no"}]})
        with django_assert_max_num_queries(9):
            shown(boss.get(LIST))


def test_no_list_reads_the_bodies(boss: Client, django_assert_num_queries: Any) -> None:
    (event,) = made(1, outcome={"applied": 1})

    for url in (LIST, f"{LIST}{event.pk}/change/"):
        shown(boss.get(url))  # once, to learn the content types
        with django_assert_num_queries(9 if url == LIST else 3) as captured:
            shown(boss.get(url))
        assert not any('"body"' in query["sql"] for query in captured.captured_queries)


# --- the list --------------------------------------------------------------------------------------


def listed(response: Any) -> list[int]:
    return [event.pk for event in response.context["cl"].result_list]


def test_is_narrowed_by_state_and_kind(boss: Client) -> None:
    (one,) = made(1, state=State.DEAD)
    (two,) = made(1, state=State.DEAD, kind=Kind.ENHANCED)
    (three,) = made(1, kind=Kind.ENHANCED)

    assert listed(boss.get(LIST, {"state__exact": "DEAD"})) == [two.pk, one.pk]
    assert listed(boss.get(LIST, {"kind__exact": "enhanced"})) == [three.pk, two.pk]
    assert listed(boss.get(LIST, {"kind__exact": "enhanced", "state__exact": "DEAD"})) == [two.pk]


def test_an_alarm_is_seen_and_filtered_by(boss: Client) -> None:
    (quiet,) = made(1)
    (loud,) = made(1, token_reused=True)

    assert b"token reused" in boss.get(LIST).content
    assert listed(boss.get(LIST, {"token_reused__exact": "1"})) == [loud.pk]
    assert listed(boss.get(LIST, {"token_reused__exact": "0"})) == [quiet.pk]


@pytest.mark.parametrize("text", ["abc", "-1", "1.5", "٣", "2147483648", "9" * 5000])
def test_says_what_can_be_searched_for(boss: Client, text: str) -> None:
    made(1)

    answer = boss.get(LIST, {"q": text})

    assert "Search for a number" in shown(answer)
    assert listed(answer) == []


def test_all_that_are_dead_can_be_applied_again_at_once(boss: Client) -> None:
    made(60, state=State.DEAD, attempts=8)
    made(1, state=State.APPLIED)

    wish = {"action": "try_again", "select_across": 1, "_selected_action": [CatalogueEvent.objects.latest("pk").pk]}
    answer = boss.post(f"{LIST}?state__exact=DEAD", wish, follow=True)

    assert "60 event(s) will be applied again" in shown(answer)
    assert CatalogueEvent.objects.filter(state=State.WAITING, attempts=0).count() == 60


# --- one event -------------------------------------------------------------------------------------


def test_names_the_members_that_were_refused(boss: Client) -> None:
    event = stored(release_event(1), None, {"id": 4711, "version": 1}, {"id": -5})
    apply_waiting()

    answer = boss.get(f"{LIST}{event.pk}/change/")
    text = plain(shown(answer))

    assert "1 applied · 1 test · 2 refused" in text
    assert "1 none the member is not an object" in text
    assert "2 4711 artist: missing" in text
    assert f"{LIST}{event.pk}/body/?member=2" in shown(answer)
    assert '"index"' not in text


def test_names_the_releases_in_conflict(boss: Client) -> None:
    stored(release_event(4711))
    event = stored(release_event(4711, title="Other"))
    apply_waiting()

    text = plain(shown(boss.get(f"{LIST}{event.pk}/change/")))

    assert "1 in conflict" in text
    assert "4711 other content under a version that was applied already" in text


def test_names_no_more_than_a_page_holds(boss: Client) -> None:
    event = stored(*[{"id": number, "version": 1} for number in range(1, 151)])
    apply_waiting()

    answer = boss.get(f"{LIST}{event.pk}/change/")

    assert len(answer.context["refused"]["rows"]) == 100
    assert shown(answer).count("50 more") == 2


def test_shows_the_body_indented(boss: Client) -> None:
    event = stored(release_event(1, title=SCRIPT), {"id": 2, "name": "é"})

    text = shown(boss.get(f"{LIST}{event.pk}/body/"))

    assert SCRIPT not in text
    assert "&quot;title&quot;: &quot;&lt;script&gt;" in text
    assert "    &quot;name&quot;: &quot;é&quot;\n" in text
    assert "Cut:" not in text


def test_shows_one_member_of_the_body(boss: Client) -> None:
    event = stored(release_event(1), {"id": 2})

    text = plain(shown(boss.get(f"{LIST}{event.pk}/body/?member=1")))

    assert "Member 1 of event" in text
    assert "Harbour Lights" not in text


@pytest.mark.parametrize("member", ["2", "-1", "x", "²", "9" * 5000, "%00"])
def test_shows_the_whole_body_where_there_is_no_such_member(boss: Client, member: str) -> None:
    event = stored(release_event(1), {"id": 2})

    text = plain(shown(boss.get(f"{LIST}{event.pk}/body/?member={member}")))

    assert "There is no such member; they are numbered from 0 to 1." in text
    assert "Harbour Lights" in text


@pytest.mark.parametrize("body", [b'["\\ud800", "\\u0000"]', b"[[[[1e5, 123456789012345678901234567890]]]]", b"[1]"])
def test_shows_whatever_the_door_let_in(boss: Client, body: bytes) -> None:
    event = stored_event(body=body, members=json.loads(body))

    assert "<pre" in shown(boss.get(f"{LIST}{event.pk}/body/"))


def test_cuts_a_long_body_and_says_so(boss: Client) -> None:
    event = stored({"id": 1, "title": "x" * 400_000})

    text = shown(boss.get(f"{LIST}{event.pk}/body/"))

    assert "this is the first 256 KiB of it" in text
    assert 256 * 1024 < len(text) < 400_000


@pytest.mark.parametrize("wanted", ["7", "abc", "99999999999999999999"])
def test_there_is_no_body_of_what_never_came(boss: Client, wanted: str) -> None:
    assert boss.get(f"{LIST}{wanted}/body/").status_code == 404


def test_a_body_is_for_those_who_may_see_events(clerk: Callable[..., Client]) -> None:
    (event,) = made(1)

    assert clerk("view_track").get(f"{LIST}{event.pk}/body/").status_code == 403


def test_who_may_only_look_cannot_apply_again(clerk: Callable[..., Client]) -> None:
    (event,) = made(1, state=State.DEAD)

    clerk("view_catalogueevent").post(LIST, {"action": "try_again", "_selected_action": [event.pk]})

    event.refresh_from_db()
    assert event.state == State.DEAD


def test_the_raw_body_is_linked_from_its_event(boss: Client) -> None:
    (event,) = made(1)

    assert reverse("admin:catalogue_catalogueevent_raw", args=[event.pk]) in shown(
        boss.get(f"{LIST}{event.pk}/change/")
    )
