"""The ledger in the admin: what waits for a person, what they decide, and how reporting gets on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

import usage.desk.batches
import usage.desk.plays
from accounts.models import Listener
from desk import rows
from outbox.models import Circuit
from tests.plans import rows_looked_at
from usage import figures
from usage.desk.board import batches, tile
from usage.models import Play, PlayBatch, PlayState

pytestmark = pytest.mark.django_db
PLAYS = "admin:usage_play_changelist"
BATCHES = "admin:usage_playbatch_changelist"
MANY = 1500


@pytest.fixture
def heard(listener: Listener) -> Callable[..., Play]:
    """Put a play into the ledger."""

    def put(**facts: Any) -> Play:
        return Play.objects.create(
            **{
                "listener": listener, "play_id": uuid4(), "track_id": 7001001, "release_id": 1, "format_id": 26,
                "country": "GB", "played_at": timezone.now() - timedelta(hours=3), "seconds_played": 120,
                "mode": "online", "user_agent": "Pixel 9", "state": PlayState.HELD, "flags": ["NO_GRANT"],
            } | facts
        )  # fmt: skip

    return put


def batch_of(listener: Listener, **facts: Any) -> PlayBatch:
    return PlayBatch.objects.create(**{"listener": listener, "country": "GB", "size": 1} | facts)


def shown(client: Client, **query: Any) -> list[Play]:
    answer = client.get(reverse(PLAYS), query)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def act(client: Client, action: str, *plays: Play) -> Any:
    chosen = {"action": action, "_selected_action": [play.pk for play in plays]}
    return client.post(f"{reverse(PLAYS)}?q={plays[0].listener.platform_id}", chosen, follow=True)


# --- The list -----------------------------------------------------------------------------------------


def test_what_is_held_comes_first(boss: Client, heard: Callable[..., Play]) -> None:
    held, *_ = [heard(state=state) for state in PlayState]
    held.refresh_from_db()

    assert {play.state for play in shown(boss)} == {"HELD"}
    assert {play.state for play in shown(boss, state__exact="EXPIRED")} == {"EXPIRED"}
    assert {play.state for play in shown(boss, state__exact="SENT")} == {"HELD"}  # of all listeners that is no list


@pytest.mark.parametrize("name", ["pk", "platform_id", "email"])
def test_a_listeners_plays_are_found_in_any_state(
    boss: Client, heard: Callable[..., Play], listener: Listener, make_listener: Callable[..., Listener], name: str
) -> None:
    for state in PlayState:
        heard(state=state)
    heard(listener=make_listener())
    assert listener.user is not None
    called = {"pk": listener.pk, "platform_id": listener.platform_id, "email": listener.user.email}[name]

    assert len(shown(boss, q=called)) == len(PlayState)
    assert [play.state for play in shown(boss, q=called, state__exact="SENT")] == ["SENT"]


def test_one_play_is_found_by_its_listener_and_its_id(boss: Client, heard: Callable[..., Play]) -> None:
    one, _ = heard(), heard()

    assert shown(boss, q=f"{one.listener.platform_id} {one.play_id}") == [one]
    assert shown(boss, q=f"{one.listener.platform_id} nonsense") == []
    assert shown(boss, q="nobody") == []


def test_the_list_asks_as_much_for_one_play_as_for_fifty(boss: Client, heard: Callable[..., Play]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            shown(boss)
        return len(seen)

    heard()
    queries()
    few = queries()
    for _ in range(49):
        heard()

    assert queries() == few


# --- What a person decides -----------------------------------------------------------------------------


def test_a_held_play_is_let_go_and_it_is_written_down_by_whom(boss: Client, heard: Callable[..., Play]) -> None:
    held = heard()

    answer = act(boss, "release", held)

    held.refresh_from_db()
    assert (held.state, held.flags) == ("WAITING", ["NO_GRANT", "RELEASED"])
    assert b"1 play(s) will be reported" in answer.content
    assert LogEntry.objects.get(object_id=held.pk).get_change_message() == "Let go: to be reported (was HELD)"


def test_a_held_play_is_kept_back(boss: Client, heard: Callable[..., Play]) -> None:
    held = heard()

    act(boss, "keep_back", held)

    held.refresh_from_db()
    assert (held.state, held.flags) == ("REJECTED", ["NO_GRANT", "DISCARDED"])


@pytest.mark.parametrize("action", ["release", "keep_back"])
def test_nothing_is_decided_about_plays_that_are_not_held(
    boss: Client, heard: Callable[..., Play], action: str
) -> None:
    sent, held = heard(state=PlayState.SENT, flags=[]), heard()

    act(boss, action, sent, held)

    sent.refresh_from_db()
    assert (sent.state, sent.flags) == ("SENT", [])
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(held.pk)]


def at_most(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lists lead to so many rows, two to a page."""
    monkeypatch.setattr(rows, "MOST", most)
    for each in (usage.desk.plays.PlayAdmin, usage.desk.batches.PlayBatchAdmin):
        monkeypatch.setattr(each, "list_per_page", 2)


def all_of(client: Client, name: str, action: str, first: Model) -> str:
    """Act on all that a list leads to, as with a click on "Select all"; the page that says what came of it."""
    chosen = {"action": action, "select_across": "1", "_selected_action": [first.pk]}
    answer = client.post(reverse(name), chosen, follow=True)
    return str(answer.content.decode())


@pytest.mark.parametrize(("action", "state"), [("release", "WAITING"), ("keep_back", "REJECTED")])
def test_who_decides_about_all_plays_decides_about_as_many_as_the_list_says(
    boss: Client, heard: Callable[..., Play], monkeypatch: pytest.MonkeyPatch, action: str, state: str
) -> None:
    at_most(3, monkeypatch)
    plays = [heard(played_at=timezone.now() - timedelta(hours=hours)) for hours in range(1, 6)]

    page = boss.get(reverse(PLAYS)).content.decode()
    said = all_of(boss, PLAYS, action, plays[0])

    assert "Select all 3 plays" in page
    assert "3 play(s) will" in said
    assert [play.state for play in Play.objects.order_by("-played_at")] == [state] * 3 + ["HELD"] * 2


def test_who_searches_decides_about_none_that_the_list_does_not_lead_to(
    boss: Client, heard: Callable[..., Play], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_most(3, monkeypatch)
    now = timezone.now()
    plays = [
        heard(played_at=now - timedelta(hours=at), state=state) for at, state in enumerate(["SENT"] * 3 + ["HELD"])
    ]

    chosen = {"action": "release", "select_across": "1", "_selected_action": [plays[0].pk]}
    boss.post(f"{reverse(PLAYS)}?q={listener.platform_id}", chosen)

    plays[-1].refresh_from_db()
    assert plays[-1].state == "HELD"


def test_who_may_only_look_decides_nothing(clerk: Callable[..., Client], heard: Callable[..., Play]) -> None:
    held = heard()

    act(clerk("view_play"), "release", held)

    held.refresh_from_db()
    assert held.state == "HELD"


# --- Batches -------------------------------------------------------------------------------------------


def test_a_batch_shows_its_call_its_answer_and_its_plays(
    boss: Client, heard: Callable[..., Play], listener: Listener
) -> None:
    batch = batch_of(listener, state="REJECTED", platform_code=1002, detail="Invalid value", called_at=timezone.now())
    heard(batch=batch, state=PlayState.REJECTED, platform_code=1002)

    page = boss.get(reverse("admin:usage_playbatch_change", args=[batch.pk])).content.decode()

    assert f"POST /user/subscription/log?userId={listener.platform_id}&amp;country=GB" in page
    assert "Invalid value" in page
    assert "7001001" in page


@pytest.mark.parametrize(
    ("action", "batch_is", "play_is"), [("was_taken", "SENT", "SENT"), ("was_not", "RETURNED", "WAITING")]
)
def test_a_person_who_found_out_ends_a_doubt(
    boss: Client, heard: Callable[..., Play], listener: Listener, action: str, batch_is: str, play_is: str
) -> None:
    doubt, sent = batch_of(listener, state="IN_DOUBT"), batch_of(listener, state="SENT")
    one, other = heard(batch=doubt, state=PlayState.IN_DOUBT), heard(batch=sent, state=PlayState.SENT)

    chosen = {"action": action, "_selected_action": [doubt.pk, sent.pk]}
    page = boss.post(reverse("admin:usage_playbatch_changelist"), chosen, follow=True)

    for row in (doubt, sent, one, other):
        row.refresh_from_db()
    assert (doubt.state, one.state, sent.state, other.state) == (batch_is, play_is, "SENT", "SENT")
    assert (one.batch is None) == (play_is == "WAITING")
    assert b"1 batch(es) are in doubt no more" in page.content
    assert LogEntry.objects.get().object_id == str(doubt.pk)


@pytest.mark.parametrize(("action", "state"), [("was_taken", "SENT"), ("was_not", "RETURNED")])
def test_who_ends_all_doubts_ends_as_many_as_the_list_says(
    boss: Client, listener: Listener, monkeypatch: pytest.MonkeyPatch, action: str, state: str
) -> None:
    at_most(3, monkeypatch)
    doubts = [batch_of(listener, state="IN_DOUBT") for _ in range(5)]

    page = boss.get(reverse(BATCHES)).content.decode()
    said = all_of(boss, BATCHES, action, doubts[0])

    assert "Select all 3 play batches" in page
    assert "3 batch(es) are in doubt no more" in said
    assert [batch.state for batch in PlayBatch.objects.order_by("-pk")] == [state] * 3 + ["IN_DOUBT"] * 2


def test_who_may_only_look_ends_no_doubt(clerk: Callable[..., Client], listener: Listener) -> None:
    doubt = batch_of(listener, state="IN_DOUBT")

    clerk("view_playbatch").post(
        reverse("admin:usage_playbatch_changelist"), {"action": "was_taken", "_selected_action": [doubt.pk]}
    )

    doubt.refresh_from_db()
    assert doubt.state == "IN_DOUBT"


def test_a_file_shows_its_name(boss: Client) -> None:
    batch = PlayBatch.objects.create(channel="BUCKET", object_name="partner/2026/11/22/plays-1.parquet", size=1)

    page = boss.get(reverse("admin:usage_playbatch_change", args=[batch.pk])).content.decode()

    assert "PUT partner/2026/11/22/plays-1.parquet" in page


# --- The board ------------------------------------------------------------------------------------------


def test_hours_count_what_came_by_what_became_of_it(heard: Callable[..., Play], listener: Listener) -> None:
    now = timezone.now()
    for state in PlayState:
        heard(state=state, received_at=now - timedelta(hours=1))
    heard(received_at=now - timedelta(hours=60))
    batch_of(listener, state="SENT", created_at=now - timedelta(seconds=9), answered_at=now)

    hours = figures.hours(now=now)

    assert len(hours) == figures.HOURS
    assert [(hour.sent, hour.on_the_way, hour.for_people) for hour in hours if hour.plays] == [(1, 2, 4)]
    assert [hour.median_seconds for hour in hours if hour.median_seconds] == [9]


def test_piles_count_what_stands_and_since_when(heard: Callable[..., Play], listener: Listener) -> None:
    long_ago = timezone.now() - timedelta(days=50)
    heard(played_at=long_ago)
    heard()
    heard(state=PlayState.WAITING)
    heard(state=PlayState.WAITING, batch=batch_of(listener))  # waits for its call, not for a batch

    piles = {pile.state: (pile.count, pile.oldest) for pile in figures.piles()}

    assert piles[PlayState.HELD] == (2, long_ago)
    assert piles[PlayState.WAITING][0] == 1
    assert piles[PlayState.EXPIRED] == (0, None)


@pytest.mark.parametrize(("days", "kind", "left"), [(44, "warning", None), (46, "danger", "15 days")])
def test_what_may_grow_too_old_is_told_in_time(days: int, kind: str, left: str | None) -> None:
    now = timezone.now()
    pile = figures.Pile(state=PlayState.HELD, count=3, oldest=now - timedelta(days=days))

    drawn = tile(pile, now=now)

    assert (drawn["kind"], drawn["left"]) == (kind, left)


def test_the_board_is_drawn(boss: Client, heard: Callable[..., Play], listener: Listener) -> None:
    heard(received_at=datetime.now(tz=timezone.get_current_timezone()))
    batch_of(listener, state="IN_DOUBT", detail="no answer was heard")
    Circuit.objects.create(name="platform", failures=5, open_until=timezone.now())

    page = boss.get(reverse("play-ledger")).content.decode()

    assert "1 came, 0 are sent, 0 on the way, 1 for a person" in page
    assert "no answer was heard" in page
    assert "resting" in page


@pytest.mark.parametrize("state", ["SENT", "SPLIT", "REJECTED", "WAITING"])
def test_the_latest_odd_batches_are_found_whatever_lies_above_them(listener: Listener, state: str) -> None:
    odd = [batch_of(listener, state="IN_DOUBT", detail=f"answer {number}") for number in range(15)]
    PlayBatch.objects.bulk_create(PlayBatch(listener=listener, country="GB", size=1, state=state) for _ in range(MANY))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE usage_playbatch")

    with CaptureQueriesContext(connection) as asked:
        said = [row[3] for row in batches()["rows"]]

    if state in {"SENT", "SPLIT"}:
        assert said == [each.detail for each in odd[:2:-1]]
    assert len(said) == 12
    for table, looked, statement in rows_looked_at(query["sql"] for query in asked):
        assert looked <= 12, (table, looked, statement)


def test_the_board_is_for_those_who_may_see_plays(clerk: Callable[..., Client]) -> None:
    assert clerk("view_track").get(reverse("play-ledger")).status_code == 403


def test_the_board_of_an_empty_house_is_drawn_too(clerk: Callable[..., Client]) -> None:
    assert clerk("view_play").get(reverse("play-ledger")).status_code == 200
