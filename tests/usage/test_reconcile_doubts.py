"""Plays in doubt are settled by the platform's report: what is there arrived, what is not goes out again."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
import requests
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from catalogue.models import Track
from kernel.values import rfc3339
from outbox.delivery import deliver_lane
from outbox.models import Circuit, Message
from tests.helpers import Api, play
from tests.sandbox.platform import Partner, Platform
from tests.usage.reports import END, MIDDLE, NOW, START, another, as_csv, differences, imported, lines_of, went_out
from usage.actions import batch_waiting_plays, decide_doubt, doubt_batch
from usage.held import release_held
from usage.models import Difference, Play, PlayBatch, ReportRow, UsageReport
from usage.reconcile import ImportRunning, import_report

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def doubtful(listener: Listener, count: int = 3, *, at: datetime | None = None) -> list[Play]:
    times = [MIDDLE + n * 5 * MINUTE for n in range(count)]
    return went_out(listener, *times, at=at, state="IN_DOUBT")


def states() -> dict[str, int]:
    return dict(Counter(Play.objects.values_list("state", flat=True)))


def test_what_is_there_has_arrived(listener: Listener) -> None:
    report = imported(lines_of(doubtful(listener)))

    assert (states(), report.arrived, report.matched, differences(report)) == ({"SENT": 3}, 3, 3, [])
    assert PlayBatch.objects.get().state == "SENT"


def test_what_is_not_there_goes_out_in_another_batch(listener: Listener) -> None:
    doubtful(listener)

    report = imported([])

    assert (states(), report.returned, differences(report)) == ({"WAITING": 3}, 3, [])
    assert PlayBatch.objects.get().state == "RETURNED"
    assert batch_waiting_plays(now=NOW) == 3
    assert PlayBatch.objects.filter(state="WAITING").count() == 1


def test_of_a_batch_that_arrived_in_part_only_the_rest_goes_out(listener: Listener) -> None:
    first, *_ = doubtful(listener)

    imported(lines_of([first]))

    assert states() == {"SENT": 1, "WAITING": 2}
    batch = PlayBatch.objects.get()
    assert (batch.state, batch.plays.count()) == ("SENT", 1)
    assert "has 1 of its 3 play(s)" in batch.detail


def test_what_is_there_otherwise_has_arrived_too(listener: Listener) -> None:
    [one] = doubtful(listener, 1)

    report = imported([another(lines_of([one])[0], seconds=1)])

    assert (states(), differences(report)) == ({"SENT": 1}, [("CHANGED", one.pk, 2, ["seconds"])])


def test_of_two_equal_plays_the_one_that_was_answered_arrived(listener: Listener) -> None:
    [doubt] = doubtful(listener, 1)
    [sent] = went_out(listener, MIDDLE)

    imported(lines_of([sent]))

    doubt.refresh_from_db()
    assert doubt.state == "WAITING"


def test_what_became_too_old_meanwhile_expires(listener: Listener) -> None:
    doubtful(listener)

    report = imported([], now=MIDDLE + timedelta(days=61, minutes=5))

    assert (states(), report.returned, report.expired) == ({"EXPIRED": 2, "WAITING": 1}, 1, 2)


@pytest.mark.parametrize("at", [START - MINUTE, START + MINUTE, END - MINUTE, END + MINUTE])
def test_near_the_edges_nothing_goes_out_before_the_neighbour_is_there(listener: Listener, at: datetime) -> None:
    doubtful(listener, at=at)

    imported([])
    assert states() == {"IN_DOUBT": 3}
    assert PlayBatch.objects.get().state == "IN_DOUBT"

    start, end = (START - timedelta(days=9), START) if at < MIDDLE else (END, NOW)
    imported(as_csv([]) + b"\n", start=start, end=end)
    assert states() == {"WAITING": 3}


def test_what_a_report_has_is_not_sent_again_on_a_persons_word(listener: Listener) -> None:
    """Right before the end of its time: of what it does not have it says nothing, and a person asks elsewhere."""
    there, *_ = doubtful(listener, at=END - MINUTE)
    imported(lines_of([there]))
    assert states() == {"SENT": 1, "IN_DOUBT": 2}

    assert decide_doubt(PlayBatch.objects.get().pk, taken=False)

    assert states() == {"SENT": 1, "WAITING": 2}
    there.refresh_from_db()
    assert (there.state, there.batch_id) == ("SENT", PlayBatch.objects.get().pk)


def test_nor_by_policy(listener: Listener, settings: Settings) -> None:
    """The report came while the call was out, whose answer was lost."""
    settings.USAGE_DOUBT = "resend"
    there, _ = went_out(listener, MIDDLE, MIDDLE + MINUTE, state="SENDING")
    imported(lines_of([there]))

    doubt_batch({"batch_id": PlayBatch.objects.get().pk})

    assert states() == {"SENT": 1, "WAITING": 1}
    there.refresh_from_db()
    assert there.state == "SENT"


def test_a_doubt_that_comes_after_its_report_is_settled_by_the_next(listener: Listener) -> None:
    """A worker died, and the sweep found its batch only after the import."""
    there, gone = went_out(listener, MIDDLE, MIDDLE + MINUTE, state="SENDING")
    report = imported(lines_of([there]))
    assert (states(), report.undecided) == ({"SENDING": 2}, 1)
    Play.objects.update(state="IN_DOUBT")
    PlayBatch.objects.update(state="IN_DOUBT")

    imported(as_csv([]) + b"\n", start=END, end=NOW)

    assert dict(Play.objects.values_list("pk", "state")) == {there.pk: "SENT", gone.pk: "WAITING"}
    assert PlayBatch.objects.get().state == "SENT"


def test_what_waits_again_and_is_in_a_later_report_is_not_sent_again(listener: Listener) -> None:
    [late] = doubtful(listener, 1)
    imported([])
    assert states() == {"WAITING": 1}

    imported(lines_of([late], logged_at=END), start=END, end=NOW)

    assert (states(), batch_waiting_plays(now=NOW)) == ({"SENT": 1}, 0)


def test_a_batch_whose_plays_were_sent_again_by_policy_ends(listener: Listener) -> None:
    doubtful(listener, 1)
    Play.objects.update(state="EXPIRED", batch=None)

    imported([])

    assert PlayBatch.objects.get().state == "RETURNED"


def test_importing_again_changes_nothing_more(listener: Listener) -> None:
    first, *_ = doubtful(listener)
    lines = lines_of([first])
    imported(lines)
    before = sorted(Play.objects.values_list()), sorted(PlayBatch.objects.values_list())

    imported(lines)

    assert (sorted(Play.objects.values_list()), sorted(PlayBatch.objects.values_list())) == before


@pytest.mark.django_db(transaction=True)
def test_importing_at_the_same_time_is_importing_once(listener: Listener) -> None:
    data = as_csv(lines_of(doubtful(listener)[:2]))
    outcomes: list[str] = []
    together = threading.Barrier(6)

    def bring() -> None:
        together.wait()
        try:
            told = {"name": "r.csv", "starts_at": START, "ends_at": END, "by": None, "now": NOW}
            outcomes.append("new" if import_report(file=BytesIO(data), **told)[1] else "known")
        except ImportRunning:
            outcomes.append("busy")
        finally:
            connection.close()

    threads = [threading.Thread(target=bring) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (outcomes.count("new"), len(outcomes)) == (1, 6)
    assert (UsageReport.objects.count(), ReportRow.objects.count(), states()) == (1, 2, {"SENT": 2, "WAITING": 1})


# --- the whole loop, with the platform's stand-in ----------------------------------------------------------

LOG = "/1.2/user/subscription/log"


@pytest.fixture
def known(subscriber: Listener, sandbox: Platform) -> Iterator[Listener]:
    """A subscriber whom the platform knows as one."""
    assert drain() == ["DONE"]
    partner = Partner(sandbox)
    assert partner.subscribe(subscriber.platform_id, country=subscriber.country).status_code == 200
    yield subscriber
    partner.close()


@pytest.fixture
def shelf(shelve: Callable[..., list[Track]], sandbox: Platform) -> Track:
    """A track that both we and the platform know."""
    release = sandbox.release()
    track = release["tracks"][0]
    member = {"id": track["id"], "title": track["title"], "duration": int(track["duration_seconds"])}
    return shelve(id_=release["id"], tracks=[member])[0]


def drain() -> list[str]:
    """Carry everything that is waiting, resting or not; the states in order."""
    done: list[str] = []
    while True:
        Circuit.objects.all().delete()
        Message.objects.filter(state="WAITING").update(due_at=Now())
        pending = Message.objects.claimable().order_by("pk").values_list("pk", flat=True).first()
        if pending is None:
            return done
        done += deliver_lane(message_id=pending)


def listened(api: Callable[[Listener], Api], listener: Listener, track: Track, count: int, *, ago: timedelta) -> None:
    now = timezone.now() - ago
    plays = [
        play(track.pk, played_at=rfc3339(now - n * MINUTE), release_id=track.release_id, seconds_played=30 + n)
        for n in range(count)
    ]
    assert api(listener).post("plays", {"plays": plays}).status_code == 200


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_every_play_reaches_the_platform_once_whatever_it_answered(
    api: Any, known: Listener, shelf: Track, sandbox: Platform, kind: str
) -> None:
    """From the phone to the platform's own report: answers are lost, calls are lost, and the report settles it."""
    for hours, fault in enumerate(["lost_answer", "refused", "error_500", "truncated", "hang", None]):
        if fault:
            sandbox.order(fault, LOG)
        listened(api, known, shelf, 4, ago=timedelta(hours=hours + 1))
        batch_waiting_plays(now=timezone.now())
        drain()
    assert states() == {"IN_DOUBT": 16, "SENT": 8}
    PlayBatch.objects.update(called_at=Now() - timedelta(minutes=30))

    report = import_report(
        file=BytesIO(reported(sandbox, kind)), name=f"report.{kind}", starts_at=timezone.now() - timedelta(days=2),
        ends_at=timezone.now(), by=None, now=timezone.now(),
    )[0]  # fmt: skip
    assert (report.matched, report.arrived, report.returned, Difference.objects.count()) == (16, 8, 8, 0)
    batch_waiting_plays(now=timezone.now())
    drain()

    assert states() == {"SENT": 24}
    assert not PlayBatch.objects.filter(state="IN_DOUBT").exists()
    lines = sandbox.journal("plays")
    assert len(lines) == len({(line["dateTimePlayed"], line["totalTimePlayed"]) for line in lines}) == 24


def test_the_sandboxs_errors_are_found_to_the_last(api: Any, known: Listener, shelf: Track, sandbox: Platform) -> None:
    for hours in range(5):
        listened(api, known, shelf, 20, ago=timedelta(hours=hours + 1))
    batch_waiting_plays(now=timezone.now())
    assert set(drain()) == {"DONE"}
    PlayBatch.objects.update(called_at=Now() - timedelta(minutes=30))
    query = "errors=10&seed=7"
    wrong = json.loads(reported(sandbox, "csv", "/errors", query))

    report = import_report(
        file=BytesIO(reported(sandbox, "csv", "", query)), name="r.csv", starts_at=timezone.now() - timedelta(days=2),
        ends_at=timezone.now(), by=None, now=timezone.now(),
    )[0]  # fmt: skip

    assert (report.missing, report.extra, report.changed, report.matched) == (10, 10, 10, 80)
    rows = ReportRow.objects.filter(difference__kind__in=["EXTRA", "CHANGED"]).values_list("stream_id", flat=True)
    assert set(rows) == {line["stream_id"] for line in wrong["extra"] + [each["is"] for each in wrong["changed"]]}
    missing = Play.objects.filter(pk__in=Difference.objects.filter(kind="MISSING").values("play"))
    assert {rfc3339(each.played_at.replace(microsecond=0)) for each in missing} == {
        line["played_at"] for line in wrong["missing"]
    }


def reported(sandbox: Platform, kind: str, door: str = "", query: str = "") -> bytes:
    now = timezone.now()
    times = {"from": rfc3339(now - timedelta(days=1)), "to": rfc3339(now + MINUTE), "as": kind}
    answer = requests.get(f"{sandbox.url}/_control/usage-report{door}?{query}", params=times, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_what_stands_in_a_report_is_not_sent_again_by_whoever_lets_it_go(listener: Listener) -> None:
    there, absent = went_out(listener, MIDDLE, MIDDLE + MINUTE, state="HELD")
    imported(lines_of([there]))

    assert release_held([there.pk, absent.pk]) == 2

    assert dict(Play.objects.values_list("pk", "state")) == {there.pk: "SENT", absent.pk: "WAITING"}
