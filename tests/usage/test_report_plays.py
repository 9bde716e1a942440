"""Plays reach the platform's journal once each, whatever the platform does on the way."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from catalogue.models import Track
from kernel.values import rfc3339
from outbox.actions import discard
from outbox.delivery import deliver_lane
from outbox.models import Circuit, Message
from outbox.platform import platform
from outbox.sweep import sweep_outbox
from tests.helpers import Api, play
from tests.sandbox.platform import Platform
from usage.actions import batch_all_waiting_plays, batch_waiting_plays
from usage.models import Play, PlayBatch
from usage.partitions import ensure_partitions

pytestmark = pytest.mark.django_db
LOG = "/1.2/user/subscription/log"


@pytest.fixture
def known(subscriber: Listener, sandbox: Platform) -> Listener:
    """A subscriber whom the platform knows as one."""
    make_known(subscriber, sandbox)
    return subscriber


def make_known(listener: Listener, sandbox: Platform) -> None:
    from tests.sandbox.platform import Partner

    assert drain() == ["DONE"]
    partner = Partner(sandbox)
    answer = partner.subscribe(listener.platform_id, country=listener.country)
    assert answer.status_code == 200, answer.text
    partner.close()


@pytest.fixture
def shelf(shelve: Callable[..., list[Track]], sandbox: Platform) -> Track:
    """A track that both we and the platform know."""
    release = sandbox.release()
    track = release["tracks"][0]
    member = {"id": track["id"], "title": track["title"], "duration": int(track["duration_seconds"])}
    return shelve(id_=release["id"], tracks=[member])[0]


def listened(
    api: Callable[[Listener], Api], listener: Listener, track: Track, count: int = 3, **changes: Any
) -> list[Any]:
    now = timezone.now()
    plays = [
        play(track.pk, played_at=rfc3339(now - timedelta(minutes=count - n)), release_id=track.release_id) | changes
        for n in range(count)
    ]
    body = json.loads(api(listener).post("plays", {"plays": plays}).content)
    assert body["accepted"] == count, body
    return plays


def drain(rounds: int = 10) -> list[str]:
    """Carry everything that is waiting, resting or not; the states in order."""
    states: list[str] = []
    for _ in range(rounds):
        Circuit.objects.all().delete()
        Message.objects.filter(state="WAITING").update(due_at=Now())
        pending = Message.objects.claimable().order_by("pk").values_list("pk", flat=True).first()
        if pending is None:
            break
        states += deliver_lane(message_id=pending)
    return states


def report() -> list[str]:
    batch_waiting_plays(now=timezone.now())
    return drain()


def states() -> dict[str, int]:
    return dict(Counter(Play.objects.values_list("state", flat=True)))


def journalled(sandbox: Platform) -> list[tuple[Any, ...]]:
    lines = sandbox.journal("plays")
    return sorted((line["dateTimePlayed"], line["totalTimePlayed"], line["playMode"]) for line in lines)


def reported(plays: list[Any]) -> list[tuple[Any, ...]]:
    return sorted(
        (one["played_at"].split(".")[0].rstrip("Z") + "Z", one["seconds_played"], one["mode"]) for one in plays
    )


# --- the ordinary way -----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["json", "xml"])
def test_reports_every_field_in_the_guides_words(
    api: Any, known: Listener, shelf: Track, sandbox: Platform, settings: Settings, body: str
) -> None:
    settings.USAGE_BODY = body
    (one,) = listened(api, known, shelf, 1, mode="online-cached", user_agent="Pixel <9> & “Tonearm” 1.0")

    assert report() == ["DONE"]

    (line,) = sandbox.journal("plays")
    assert {name: line[name] for name in line if name not in {"seq", "kind", "at", "call"}} == {
        "userId": known.platform_id,
        "country": "GB",
        "trackId": shelf.pk,
        "releaseId": shelf.release_id,
        "formatId": 26,
        "dateTimePlayed": reported([one])[0][0],
        "totalTimePlayed": 120,
        "playMode": "online-cached",
        "userAgent": "Pixel <9> & “Tonearm” 1.0",
    }
    assert states() == {"SENT": 1}


def test_cuts_batches_to_size_and_keeps_their_order(
    api: Any, known: Listener, shelf: Track, sandbox: Platform, settings: Settings
) -> None:
    settings.USAGE_BATCH_SIZE = 4
    plays = listened(api, known, shelf, 10)

    assert report() == ["DONE"] * 3

    lines = sandbox.journal("plays")
    assert Counter(line["call"] for line in lines).most_common() == [(1, 4), (2, 4), (3, 2)]
    assert [line["dateTimePlayed"] for line in lines] == sorted(moment for moment, *_ in reported(plays))
    assert sorted(PlayBatch.objects.values_list("size", "state")) == [(2, "SENT"), (4, "SENT"), (4, "SENT")]


def test_one_call_is_one_listener_in_one_country(
    api: Any, known: Listener, shelf: Track, sandbox: Platform, make_listener: Any, subscribe: Any
) -> None:
    other = make_listener("IE")
    subscribe(other)
    make_known(other, sandbox)
    listened(api, known, shelf, 3)
    listened(api, other, shelf, 2)
    Listener.objects.filter(pk=known.pk).update(country="IE")
    listened(api, known, shelf, 1)

    report()

    calls: dict[int, set[tuple[str, str]]] = {}
    for line in sandbox.journal("plays"):
        calls.setdefault(line["call"], set()).add((line["userId"], line["country"]))
    assert all(len(who) == 1 for who in calls.values())
    assert sorted(next(iter(who)) for who in calls.values()) == sorted(
        [(known.platform_id, "GB"), (known.platform_id, "IE"), (other.platform_id, "IE")]
    )


def test_a_play_that_has_just_ended_waits_a_moment(api: Any, known: Listener, shelf: Track) -> None:
    response = api(known).post(
        "plays", {"plays": [play(shelf.pk, release_id=shelf.release_id, played_at=rfc3339(timezone.now()))]}
    )
    assert response.status_code == 200

    assert batch_waiting_plays(now=timezone.now()) == 0
    assert batch_waiting_plays(now=timezone.now() + timedelta(seconds=6)) == 1


def test_batching_twice_batches_once(api: Any, known: Listener, shelf: Track) -> None:
    listened(api, known, shelf, 3)

    assert batch_waiting_plays(now=timezone.now()) == 3
    assert batch_waiting_plays(now=timezone.now()) == 0
    assert PlayBatch.objects.count() == 1


def test_a_play_that_grew_too_old_is_set_aside_and_seen(
    api: Any, known: Listener, shelf: Track, caplog: pytest.LogCaptureFixture
) -> None:
    listened(api, known, shelf, 2)

    batch_waiting_plays(now=timezone.now() + timedelta(days=61))

    assert states() == {"EXPIRED": 2}
    assert "too old" in caplog.text


def test_the_listener_and_the_subscription_go_first(
    api: Any, subscriber: Listener, shelf: Track, sandbox: Platform
) -> None:
    """Plays of somebody the platform has not heard of yet wait in their lane."""
    listened(api, subscriber, shelf, 1)
    batch_waiting_plays(now=timezone.now())

    topics = list(Message.objects.order_by("pk").values_list("topic", flat=True))
    assert topics == ["listener.create", "plays.log"]
    assert Message.objects.claimable().get().topic == "listener.create"


# --- a platform that does not behave -----------------------------------------------------------------------

HARMLESS = ["error_500", "error_in_200", "rate_limited", "redirect", "slow"]
DOUBTFUL = ["lost_answer", "refused", "hang", "garbage_xml", "truncated", "endless"]


@pytest.mark.parametrize("behaviour", HARMLESS)
def test_what_proves_that_nothing_was_taken_is_sent_again(
    api: Any, known: Listener, shelf: Track, sandbox: Platform, behaviour: str
) -> None:
    plays = listened(api, known, shelf)
    sandbox.order(behaviour, LOG, times=2)

    batch_waiting_plays(now=timezone.now())
    outcome = drain()

    assert outcome[-1] == "DONE"
    assert journalled(sandbox) == reported(plays)
    assert states() == {"SENT": 3}


@pytest.mark.parametrize("behaviour", DOUBTFUL)
def test_a_lost_answer_is_a_doubt_and_never_a_second_call(
    api: Any, known: Listener, shelf: Track, sandbox: Platform, behaviour: str
) -> None:
    plays = listened(api, known, shelf)
    sandbox.order(behaviour, LOG)

    batch_waiting_plays(now=timezone.now())

    assert drain() == ["IN_DOUBT"]
    assert (sweep_outbox(), drain(), report()) == (0, [], [])
    assert states() == {"IN_DOUBT": 3}
    assert journalled(sandbox) in ([], reported(plays))
    history = json.loads(api(known).get("plays").content)["results"]
    assert {one["state"] for one in history} == {"IN_DOUBT"}


def test_sending_doubts_again_would_count_them_twice(
    api: Any, known: Listener, shelf: Track, sandbox: Platform, settings: Settings
) -> None:
    """The other policy, and the reason why it is not the default: the judge sees every play twice."""
    settings.USAGE_DOUBT = "resend"
    plays = listened(api, known, shelf)
    sandbox.order("lost_answer", LOG)

    report()
    report()

    assert states() == {"SENT": 3}
    assert journalled(sandbox) == sorted(reported(plays) * 2)


def test_a_doubt_holds_up_nobody(api: Any, known: Listener, shelf: Track, sandbox: Platform) -> None:
    listened(api, known, shelf, 1)
    sandbox.order("lost_answer", LOG)
    report()
    listened(api, known, shelf, 2)

    assert report() == ["DONE"]
    assert states() == {"IN_DOUBT": 1, "SENT": 2}


@pytest.mark.parametrize("position", [0, 7, 19])
def test_a_bad_play_is_found_by_halving_where_the_platform_does_not_name_it(
    api: Any, known: Listener, shelf: Track, curt: type[Curt], position: int
) -> None:
    plays = listened(api, known, shelf, 20)
    Play.objects.filter(play_id=plays[position]["play_id"]).update(track_id=123)

    batch_waiting_plays(now=timezone.now())
    drain(rounds=20)

    assert states() == {"SENT": 19, "REJECTED": 1}
    bad = Play.objects.get(state="REJECTED")
    assert (str(bad.play_id), bad.platform_code) == (plays[position]["play_id"], 1002)
    assert len(curt.taken) == 19
    assert curt.calls <= 11


class Curt(BaseHTTPRequestHandler):
    """A platform that refuses a whole batch for one bad play and does not say which."""

    calls = 0
    taken: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        items = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["playLogItem"]
        Curt.calls += 1
        if any(item["trackId"] == 123 for item in items):
            answer: Any = {"status": "error", "version": "1.2", "error": {"code": 1002, "message": "trackId"}}
        else:
            Curt.taken += items
            answer = {"status": "ok", "version": "1.2", "playLogs": {"count": len(items)}}
        text = json.dumps(answer).encode()
        self.send_response(400 if "error" in answer else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def curt(known: Listener, settings: Settings) -> Iterator[type[Curt]]:
    Curt.calls, Curt.taken = 0, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Curt) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {"api_url": f"http://127.0.0.1:{server.server_port}/1.2"}
        platform.cache_clear()
        yield Curt
        server.shutdown()


def test_several_bad_plays_are_named_by_position(api: Any, known: Listener, shelf: Track, sandbox: Platform) -> None:
    plays = listened(api, known, shelf, 10)
    for number in (2, 5):
        Play.objects.filter(play_id=plays[number]["play_id"]).update(track_id=123)

    assert report() == ["DONE"]
    report()

    assert states() == {"SENT": 8, "REJECTED": 2}
    rejected = {str(one) for one in Play.objects.filter(state="REJECTED").values_list("play_id", flat=True)}
    assert rejected == {plays[2]["play_id"], plays[5]["play_id"]}
    assert len(sandbox.journal("plays")) == 8


def test_plays_of_somebody_the_platform_never_sold_to_are_rejected_with_its_code(
    api: Any, subscriber: Listener, shelf: Track, sandbox: Platform
) -> None:
    listened(api, subscriber, shelf, 3)

    report()

    assert states() == {"REJECTED": 3}
    assert set(Play.objects.values_list("platform_code", flat=True)) == {1003}


def test_an_outage_costs_only_time(
    api: Any, known: Listener, shelf: Track, sandbox: Platform, settings: Settings
) -> None:
    plays = listened(api, known, shelf, 5)
    there = settings.MASSIVEMUSIC
    settings.MASSIVEMUSIC = there | {"api_url": "http://127.0.0.1:9/1.2"}
    platform.cache_clear()

    batch_waiting_plays(now=timezone.now())
    assert drain(rounds=8) == ["WAITING"] * 8
    assert states() == {"WAITING": 5}

    settings.MASSIVEMUSIC = there
    platform.cache_clear()
    assert drain() == ["DONE"]
    assert journalled(sandbox) == reported(plays)


# --- months -------------------------------------------------------------------------------------------------


def test_every_month_that_can_be_reported_has_its_partition(db: None) -> None:
    from django.db import connection

    for months in range(14):
        names = ensure_partitions(now=timezone.now() + timedelta(days=30 * months))
        assert len(names) == 6
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'usage_play'::regclass")
        assert cursor.fetchone()[0] >= 19


def test_what_waits_is_batched_until_nothing_does(api: Any, known: Listener, shelf: Track) -> None:
    listened(api, known, shelf, 5)

    assert batch_all_waiting_plays(at_once=2) == 5
    assert not Play.objects.filter(batch=None).exists()


def test_a_batch_that_was_given_up_is_held_for_a_person(api: Any, known: Listener, shelf: Track) -> None:
    listened(api, known, shelf, 3)
    batch_waiting_plays(now=timezone.now())
    Message.objects.filter(topic="plays.log").update(state="DEAD")

    assert discard(Message.objects.filter(topic="plays.log")) == 1
    assert set(Play.objects.values_list("state", flat=True)) == {"HELD"}
    assert PlayBatch.objects.get().state == "HELD"


def test_a_batch_that_became_too_old_lets_its_younger_plays_go_on(api: Any, known: Listener, shelf: Track) -> None:
    listened(api, known, shelf, 3)
    batch_waiting_plays(now=timezone.now())
    oldest = Play.objects.order_by("played_at").first()
    assert oldest is not None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE usage_play SET played_at = now() - interval '62 days' WHERE id = %s", [oldest.pk])
    Message.objects.filter(topic="plays.log").update(deadline=Now())
    sweep_outbox()

    assert sorted(Play.objects.values_list("state", flat=True)) == ["EXPIRED", "WAITING", "WAITING"]
    assert Message.objects.get(topic="plays.log").state == "DISCARDED"
    assert batch_waiting_plays(now=timezone.now()) == 2
