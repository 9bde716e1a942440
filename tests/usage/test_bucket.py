"""Plays that go by files are in the bucket once each, whatever the store does on the way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import boto3.session
import pytest
import requests
from botocore.exceptions import ClientError
from django.db import connection, connections, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from massivemusic.bucket import Bucket, Place
from massivemusic.errors import NotAuthorised, PlatformError
from massivemusic.parquet import row_id
from outbox import circuit
from outbox.actions import discard
from outbox.claims import Overtaken, claim
from outbox.delivery import carry, deliver_message
from outbox.models import Circuit, Message
from outbox.sweep import sweep_outbox
from tests.usage.store import OWNER, PREFIX, REGION, Store, rows_of
from usage.actions import batch_all_waiting_plays, batch_waiting_plays
from usage.bucket import bucket
from usage.files import digest_of
from usage.models import Play, PlayBatch, PlayState
from usage.rules import REPORTABLE

pytestmark = pytest.mark.django_db
Played = Callable[..., list[Play]]
# Somebody plays something whenever a file is cut.
ONE_MORE = """
    CREATE FUNCTION one_more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO usage_play (listener_id, play_id, track_id, release_id, format_id, country, played_at,
                                seconds_played, mode, user_agent, source, source_id)
        SELECT listener_id, gen_random_uuid(), 1, 1, 26, 'GB', now() - interval '30 seconds', 1, 'online', '', '', ''
          FROM usage_play LIMIT 1;
        RETURN NEW;
    END $$;
    CREATE TRIGGER one_more AFTER UPDATE ON usage_playbatch FOR EACH ROW EXECUTE FUNCTION one_more();
"""


def cut() -> int:
    return batch_all_waiting_plays()


def messages() -> QuerySet[Message]:
    return Message.objects.filter(topic="plays.deposit")


def deliver(rounds: int = 1) -> list[str]:
    """Carry every file that is not there yet, resting or not, so many times; the messages' states in order."""
    states = []
    for _ in range(rounds):
        for pk in messages().filter(state="WAITING").order_by("pk").values_list("pk"):
            Circuit.objects.all().delete()
            Message.objects.filter(pk__in=pk).update(due_at=Now())
            carried = deliver_message(message_id=pk[0])
            states += [carried.state] if carried else []
    return states


def report() -> list[str]:
    cut()
    return deliver()


def states() -> dict[str, int]:
    return dict(Counter(Play.objects.values_list("state", flat=True)))


def once(plays: list[Play]) -> Counter[str]:
    """What the bucket must hold of these plays."""
    return Counter(row_id(play.listener.platform_id, play.play_id) for play in plays)


# --- the ordinary way -----------------------------------------------------------------------------------


def test_plays_of_anybody_go_out_as_one_file(played: Played, make_listener: Any, store: Store) -> None:
    plays = [*played(3), *played(2, listener=make_listener("IE"))]

    assert report() == ["DONE"]

    assert store.times() == once(plays)
    assert states() == {"SENT": 5}
    batch = PlayBatch.objects.get()
    assert (batch.channel, batch.state, batch.size, batch.listener_id) == ("BUCKET", "SENT", 5, None)
    assert batch.called_at is not None
    assert batch.answered_at is not None
    assert [batch.object_name] == store.names()


def test_a_row_is_what_was_played(played: Played, store: Store) -> None:
    (play,) = played(1, mode="online-cached", user_agent="Pixel <9>\r\n & “Tonearm” 1.0", seconds_played=0)

    report()

    (row,) = store.rows()
    assert row == {
        "id": row_id(play.listener.platform_id, play.play_id),
        "trackid": 700100101,
        "releaseid": 7001001,
        "formatid": "26",
        "datetimeplayed": f"{play.played_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "totaltimeplayed": 0,
        "playmode": "online-cached",
        "useragent": "Pixel <9>  & “Tonearm” 1.0",
        "userid": play.listener.platform_id,
        "country": "GB",
    }


def test_the_oldest_go_first_and_files_are_cut_to_size(played: Played, store: Store, settings: Settings) -> None:
    settings.USAGE_FILE_PLAYS = 4
    plays = sorted([*played(5), *played(5)], key=lambda play: (play.played_at, play.pk))

    assert report() == ["DONE"] * 3

    batches = PlayBatch.objects.order_by("pk")
    assert [batch.size for batch in batches] == [4, 4, 2]
    sent = [row["id"] for batch in batches for row in rows_of(store.content(batch.object_name))]
    assert sent == list(once(plays))


def test_a_files_name_is_of_the_partner_the_day_and_what_is_inside(played: Played, store: Store) -> None:
    (play,) = played(1)
    report()

    (name,) = store.names()
    assert name.startswith(f"{PREFIX}/{play.played_at.astimezone(UTC):%Y/%m/%d}/plays-")


def test_a_file_must_be_there_before_its_oldest_play_is_too_old(played: Played, store: Store) -> None:
    plays = played(3)
    cut()

    message = messages().get()
    assert message.deadline == plays[0].played_at + REPORTABLE
    assert message.lane == PlayBatch.objects.get().object_name  # its own


def test_a_play_that_has_just_ended_waits_a_moment(played: Played, store: Store) -> None:
    played(1, played_at=timezone.now())

    assert batch_waiting_plays(now=timezone.now()) == 0
    assert batch_waiting_plays(now=timezone.now() + timedelta(seconds=6)) == 1


def test_what_comes_while_files_are_cut_makes_no_little_ones(played: Played, store: Store, settings: Settings) -> None:
    settings.USAGE_FILE_PLAYS = 3
    played(8)
    with connection.cursor() as cursor:
        cursor.execute(ONE_MORE)

    assert cut() == 11
    assert list(PlayBatch.objects.order_by("pk").values_list("size", flat=True)) == [3, 3, 3, 2]
    assert Play.objects.filter(batch=None).count() == 1


def test_nothing_but_puts_is_asked(played: Played, store: Store) -> None:
    played(2)
    store.order("failure", "no_bucket", "wrong_region", "redirect", "temporary_redirect")
    cut()

    assert deliver(rounds=6) == ["WAITING"] * 5 + ["DONE"]
    assert [method for method, _ in store.door.seen] == ["PUT"] * 6


# --- a store that does not behave -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"track_id": 3}, {"release_id": 3}, {"format_id": 3}, {"seconds_played": 31}, {"mode": "offline"},
        {"user_agent": "x"}, {"country": "IE"}, {"play_id": UUID(int=8)}, {"played_at": timezone.now()},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_other_plays_have_another_name(played: Played, store: Store, change: dict[str, Any]) -> None:
    played(2)
    cut()
    batch = PlayBatch.objects.get()
    assert digest_of(batch) in batch.object_name

    Play.objects.filter(pk=Play.objects.order_by("played_at").values("pk")[:1]).update(**change)

    assert digest_of(batch) not in batch.object_name


@pytest.mark.parametrize(
    "behaviour",
    [
        "forbidden", "unknown_key", "conflict", "failure", "slow_down", "no_bucket", "wrong_region", "redirect",
        "temporary_redirect", "hang", "captive", "nonsense", "reset_unread", "reset_before", "reset_after",
    ],
)  # fmt: skip
def test_whatever_happens_each_play_is_there_once(played: Played, store: Store, behaviour: str) -> None:
    plays = played(3)
    store.order(behaviour, behaviour)
    cut()

    assert deliver(rounds=2) == ["WAITING", "WAITING"]
    assert PlayBatch.objects.get().state == "WAITING"
    assert states() == {"WAITING": 3}

    assert deliver() == ["DONE"]
    assert states() == {"SENT": 3}
    assert store.times() == once(plays)
    assert len(store.names()) == 1


def test_an_answer_that_was_lost_is_no_doubt(played: Played, store: Store) -> None:
    """The file is there, so putting it there again finds it and changes nothing."""
    plays = played(3)
    store.order("reset_after")
    cut()
    deliver()
    assert store.times() == once(plays)

    assert deliver() == ["DONE"]

    assert store.door.seen == [("PUT", "reset_after"), ("PUT", "412")]
    assert states() == {"SENT": 3}


def test_a_store_that_knows_no_conditions_gets_the_same_file_again(played: Played, store: Store) -> None:
    store.door.simple = True
    plays = played(3)
    store.order("", "reset_after")  # refused, then taken
    cut()

    assert deliver(rounds=2) == ["WAITING", "DONE"]
    assert store.times() == once(plays)


def test_a_store_that_asks_for_time_gets_it(played: Played, store: Store) -> None:
    played(1)
    store.order("slow_down")
    cut()
    deliver()

    assert messages().get().due_at - timezone.now() > timedelta(seconds=6)


def test_a_bucket_that_is_away_costs_only_time(played: Played, store: Store, settings: Settings) -> None:
    plays = played(3)
    settings.USAGE_BUCKET = settings.USAGE_BUCKET | {"endpoint": "http://127.0.0.1:9"}
    bucket.cache_clear()
    cut()
    assert deliver(rounds=7) == ["WAITING"] * 7  # it never dies of it

    settings.USAGE_BUCKET = store.settings()
    bucket.cache_clear()
    assert deliver() == ["DONE"]
    assert store.times() == once(plays)


def test_a_file_whose_plays_were_changed_is_not_sent(played: Played, store: Store) -> None:
    """Its name would stand for something else than is inside."""
    played(2)
    cut()
    Play.objects.update(seconds_played=1)

    assert deliver(rounds=5)[-1] == "DEAD"
    assert store.names() == []
    assert "have changed" in messages().get().last_error


def test_keys_are_shown_to_nobody(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    place = Place(**store.settings())
    store.order("unknown_key", "hang")
    client = Bucket(Place(**store.settings() | {"silent_seconds": 0.2}))
    said = [repr(place), repr(client)]
    for _ in range(2):
        with pytest.raises(PlatformError) as caught:
            client.put("x", b"x")
        said += [repr(caught.value), str(caught.value), str(caught.value.__cause__), str(caught.value.__context__)]

    assert "owners-secret" not in " ".join([*said, caplog.text])


# --- whose fault stops whom -----------------------------------------------------------------------------


def test_a_bucket_that_fails_stops_no_call_and_the_platform_stops_no_file(
    played: Played, store: Store, settings: Settings
) -> None:
    played(1)
    cut()
    message = messages().get()
    store.order(*["failure"] * circuit.FAILURES_TO_OPEN)
    for _ in range(circuit.FAILURES_TO_OPEN):
        messages().update(due_at=Now())
        deliver_message(message_id=message.pk)
    assert not circuit.allows(circuit.BUCKET)
    assert circuit.allows(circuit.PLATFORM)
    messages().update(due_at=Now())
    assert deliver_message(message_id=message.pk) is None

    Circuit.objects.all().delete()
    for _ in range(circuit.FAILURES_TO_OPEN):
        circuit.failed(circuit.PLATFORM)
    assert deliver_message(message_id=message.pk).state == "DONE"  # type: ignore[union-attr]
    assert not circuit.allows(circuit.PLATFORM)


def test_a_file_that_the_bucket_takes_says_that_it_is_well(played: Played, store: Store) -> None:
    played(1)
    cut()
    Circuit.objects.create(name=circuit.BUCKET, failures=circuit.FAILURES_TO_OPEN - 1)

    deliver_message(message_id=messages().get().pk)

    assert Circuit.objects.get().failures == 0


# --- changing the channel -------------------------------------------------------------------------------


def test_what_was_cut_for_one_channel_goes_out_by_it(played: Played, store: Store, settings: Settings) -> None:
    filed = played(2)
    cut()
    settings.USAGE_CHANNEL = "http"
    called = played(3)
    cut()

    assert dict(PlayBatch.objects.values_list("channel", "size")) == {"BUCKET": 2, "HTTP": 3}
    assert Counter(Message.objects.values_list("topic", flat=True)) >= Counter(["plays.deposit", "plays.log"])

    settings.USAGE_CHANNEL = "bucket"
    assert cut() == 0
    assert deliver() == ["DONE"]
    assert store.times() == once(filed)
    assert set(Play.objects.filter(pk__in=[play.pk for play in called]).values_list("state", flat=True)) == {"WAITING"}


def test_files_wait_while_no_bucket_is_set(played: Played, store: Store, settings: Settings) -> None:
    plays, there = played(2), settings.USAGE_BUCKET
    cut()
    settings.USAGE_BUCKET = dict.fromkeys(there, "")
    bucket.cache_clear()
    assert deliver(rounds=6) == ["WAITING"] * 6

    settings.USAGE_BUCKET = there
    assert deliver() == ["DONE"]
    assert store.times() == once(plays)


# --- how it may end otherwise ---------------------------------------------------------------------------


def grow_old() -> None:
    """The oldest play's 61st day has passed."""
    oldest = Play.objects.order_by("played_at").values_list("pk", flat=True)[0]
    Play.objects.filter(pk=oldest).update(played_at=Now() - timedelta(days=62))
    messages().update(deadline=Now())


def test_a_file_that_became_too_old_unsent_lets_its_younger_plays_go_on(played: Played, store: Store) -> None:
    plays = played(3)
    store.order("forbidden")
    cut()
    deliver()
    grow_old()
    sweep_outbox()

    assert states() == {"EXPIRED": 1, "WAITING": 2}
    assert PlayBatch.objects.get().state == "EXPIRED"
    assert report() == ["DONE"]
    assert store.times() == once(plays[1:])


def test_a_file_that_became_too_old_and_may_be_there_is_a_persons_matter(played: Played, store: Store) -> None:
    plays = played(3)
    store.order("reset_after", "forbidden")
    cut()
    deliver(rounds=2)
    grow_old()
    sweep_outbox()

    assert states() == {"HELD": 3}
    assert "nor not to be" in PlayBatch.objects.get().detail
    assert cut() == 0
    assert store.times() == once(plays)


def test_a_file_that_was_given_up_is_held_for_a_person(played: Played, store: Store) -> None:
    played(2)
    cut()
    messages().update(state="DEAD")

    assert discard(messages()) == 1
    assert states() == {"HELD": 2}
    assert PlayBatch.objects.get().state == "HELD"


def test_a_worker_that_was_overtaken_changes_nothing(played: Played, store: Store) -> None:
    """Its lease ran out before it began; another one has meanwhile put the file there."""
    played(2)
    cut()
    message = claim(messages().get().pk)
    assert message is not None
    messages().update(lease_until=Now())
    assert deliver_message(message_id=message.pk).state == "DONE"  # type: ignore[union-attr]

    with pytest.raises(Overtaken):
        carry(message, ())
    assert PlayBatch.objects.get().state == "SENT"
    assert len(store.door.seen) == 1


def test_a_backup_that_was_restored_doubles_nothing(played: Played, store: Store) -> None:
    """What happened after the backup happens again: batches get other numbers, and files the same names."""
    plays = played(5)
    backup = transaction.savepoint()
    report()
    (before,) = PlayBatch.objects.values_list("pk", flat=True)
    transaction.savepoint_rollback(backup)
    assert states() == {"WAITING": 5}

    assert report() == ["DONE"]

    assert not PlayBatch.objects.filter(pk=before).exists()
    assert store.times() == once(plays)


@pytest.mark.django_db(transaction=True)
def test_two_submitters_and_a_doubled_beat_put_each_file_once(played: Played, store: Store, settings: Settings) -> None:
    settings.USAGE_FILE_PLAYS = 5
    plays = played(200)
    start = Barrier(4)

    def submit(_: int) -> list[str]:
        try:
            start.wait(10)
            return [state for _ in range(30) for state in report()]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        done = [state for states in threads.map(submit, range(4)) for state in states]
    done += report()

    assert Counter(done)["DONE"] == 40
    assert set(PlayBatch.objects.values_list("size", "state")) == {(5, "SENT")}
    assert store.door.seen == [("PUT", "200")] * 40
    assert store.times() == once(plays)


# --- what the key may do --------------------------------------------------------------------------------


@pytest.fixture
def submitter_key(stores: str, store: Store) -> Any:
    """A key that may put files below the prefix, at a store that now asks everybody for their rights."""
    iam = boto3.session.Session().client("iam", endpoint_url=stores, **OWNER)
    user = f"submitter-of-{store.name}"
    iam.create_user(UserName=user)
    right = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{store.name}/{PREFIX}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [right]})
    iam.put_user_policy(UserName=user, PolicyName="puts", PolicyDocument=policy)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    requests.post(f"{stores}/moto-api/reset-auth", data=b"0", timeout=5)
    yield {"key_id": made["AccessKeyId"], "secret": made["SecretAccessKey"]}
    requests.post(f"{stores}/moto-api/reset-auth", data=b"inf", timeout=5)


def test_a_key_that_may_only_put_is_enough(store: Store, submitter_key: dict[str, str]) -> None:
    client = Bucket(Place(**store.settings(through_door=False) | submitter_key))

    assert client.put(f"{PREFIX}/one", b"1") is True
    assert client.put(f"{PREFIX}/one", b"1") is False
    with pytest.raises(NotAuthorised):
        client.put("elsewhere/one", b"1")


def test_that_key_may_do_nothing_else(stores: str, store: Store, submitter_key: dict[str, str]) -> None:
    """So a lost key shows nobody what was played, and takes nothing away."""
    keys = {"aws_access_key_id": submitter_key["key_id"], "aws_secret_access_key": submitter_key["secret"]}
    s3 = boto3.session.Session().client("s3", endpoint_url=stores, region_name=REGION, **keys)
    wish = {"Bucket": store.name, "Key": f"{PREFIX}/one"}
    s3.put_object(**wish, Body=b"1")

    for forbidden in (s3.get_object, s3.head_object, s3.delete_object):
        with pytest.raises(ClientError, match=r"Forbidden|AccessDenied"):
            forbidden(**wish)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket=store.name)


def test_a_key_that_is_refused_is_a_persons_matter_and_the_file_waits(
    played: Played, store: Store, submitter_key: dict[str, str], settings: Settings
) -> None:
    played(1)
    settings.USAGE_BUCKET = settings.USAGE_BUCKET | submitter_key
    settings.USAGE_BUCKET_PREFIX = "elsewhere"
    bucket.cache_clear()
    cut()

    assert deliver(rounds=6) == ["WAITING"] * 6
    assert "AccessDenied" in messages().get().last_error
    assert states() == {PlayState.WAITING: 1}
