"""A file of plays has the platform's columns and no others, and says what the plays say."""

from __future__ import annotations

import io
import math
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pyarrow
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from kernel.values import INT32
from massivemusic import instants
from massivemusic.parquet import FACTS, ROW_IDS, play_file, row_id
from massivemusic.usage import one_line
from tests.usage.store import rows_of
from usage.files import digest_of, file_of
from usage.models import Play, PlayBatch
from usage.rules import Mode

TEXT, NUMBER = ("BYTE_ARRAY", "String", 0), ("INT32", "None", 0)
# The page "S3 bucket logger", and the two columns after its end.
DOCUMENTED = {
    "id": TEXT,
    "trackid": NUMBER,
    "releaseid": NUMBER,
    "formatid": TEXT,
    "datetimeplayed": TEXT,
    "totaltimeplayed": NUMBER,
    "playmode": TEXT,
    "useragent": TEXT,
    "userid": TEXT,
    "country": TEXT,
}


def a_play(**changes: Any) -> dict[str, Any]:
    return {
        "play_id": str(UUID(int=7)), "user_id": "ab" * 16, "country": "GB", "track_id": 1, "release_id": 2,
        "format_id": 26, "played_at": 1_795_348_800, "seconds_played": 30, "mode": "online",
        "user_agent": "Pixel 9; Tonearm 1.0",
    } | changes  # fmt: skip


def group(plays: list[dict[str, Any]]) -> pyarrow.RecordBatch:
    kinds = {name: pyarrow.type_for_alias(kind) for name, kind in FACTS.items()}
    return pyarrow.record_batch({name: pyarrow.array([play[name] for play in plays], kinds[name]) for name in FACTS})


def file_with(*plays: dict[str, Any]) -> bytes:
    return play_file([group(list(plays))])


def test_the_columns_are_the_documented_ones() -> None:
    file = parquet.ParquetFile(io.BytesIO(file_with(a_play())))

    columns = [file.schema.column(number) for number in range(len(file.schema.names))]
    seen = {one.path: (one.physical_type, one.logical_type.type.title(), one.max_definition_level) for one in columns}
    assert list(seen.items()) == list(DOCUMENTED.items())
    assert file.metadata.metadata is None  # nothing but what is documented


def test_a_row_says_what_the_play_says() -> None:
    assert rows_of(file_with(a_play())) == [
        {
            "id": row_id("ab" * 16, UUID(int=7)),
            "trackid": 1,
            "releaseid": 2,
            "formatid": "26",
            "datetimeplayed": "2026-11-22T12:00:00Z",
            "totaltimeplayed": 30,
            "playmode": "online",
            "useragent": "Pixel 9; Tonearm 1.0",
            "userid": "ab" * 16,
            "country": "GB",
        }
    ]


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_are_written_as_in_calls(moment: datetime) -> None:
    (row,) = rows_of(file_with(a_play(played_at=math.floor(moment.timestamp()))))

    assert row["datetimeplayed"] == instants.written(moment)


@given(st.text(max_size=300))
def test_devices_are_named_as_in_calls(name: str) -> None:
    name = "".join(letter for letter in name if not "\ud800" <= letter <= "\udfff")  # which no column can hold
    (row,) = rows_of(file_with(a_play(user_agent=name)))

    assert row["useragent"] == one_line(name)


@given(st.text(max_size=40), st.uuids())
def test_an_id_is_a_uuid_of_the_listener_and_the_play(user_id: str, play_id: UUID) -> None:
    user_id = user_id.encode(errors="ignore").decode()

    assert row_id(user_id, play_id) == row_id(user_id, str(play_id)) == str(uuid5(ROW_IDS, f"{user_id}/{play_id}"))


def test_ids_stay_what_they_have_been() -> None:
    """The platform has rows with them."""
    assert row_id("ab" * 16, UUID(int=7)) == "f261642c-4de7-5ae5-a77f-b68b0c4dd091"


def test_the_same_plays_give_the_same_bytes() -> None:
    plays = [a_play(play_id=str(UUID(int=number)), seconds_played=number) for number in range(500)]

    assert file_with(*plays) == file_with(*plays)


def test_groups_follow_each_other() -> None:
    one, other = a_play(track_id=1), a_play(track_id=INT32)
    content = play_file(iter([group([one, one]), group([other])]))

    assert [row["trackid"] for row in rows_of(content)] == [1, 1, INT32]
    assert parquet.ParquetFile(io.BytesIO(content)).num_row_groups == 2


def test_no_plays_are_no_file() -> None:
    for nothing in ([], [group([])]):
        with pytest.raises(ValueError, match="nothing to report"):
            play_file(nothing)


@pytest.mark.django_db
def test_thousands_of_random_plays_come_back(played: Any) -> None:
    """From PostgreSQL through the file, and compared with what was played by other means than those that wrote it."""
    chance, now, (like,) = random.Random(7), timezone.now(), played(1)
    batch = PlayBatch.objects.create(channel="BUCKET", size=3_000)
    plays = Play.objects.bulk_create(
        random_play(chance, now, batch=batch, listener=like.listener) for _ in range(3_000)
    )
    batch.object_name = digest_of(batch)

    rows = rows_of(file_of(batch))

    plays.sort(key=lambda play: (play.played_at, play.pk))
    assert len({row["id"] for row in rows}) == len(rows) == 3_000
    for row, play in zip(rows, plays, strict=True):
        assert row == {
            "id": str(uuid5(ROW_IDS, f"{play.listener.platform_id}/{play.play_id}")),
            "trackid": play.track_id,
            "releaseid": play.release_id,
            "formatid": str(play.format_id),
            "datetimeplayed": instants.written(play.played_at),
            "totaltimeplayed": play.seconds_played,
            "playmode": play.mode,
            "useragent": one_line(play.user_agent),
            "userid": play.listener.platform_id,
            "country": play.country,
        }


def random_play(chance: random.Random, now: datetime, **facts: Any) -> Play:
    return Play(
        play_id=UUID(int=chance.getrandbits(128)),
        track_id=chance.randint(1, INT32),
        release_id=chance.randint(1, INT32),
        format_id=chance.randint(1, INT32),
        country=chance.choice(["GB", "DE", "NZ"]),
        played_at=now - timedelta(microseconds=chance.randrange(60 * 86400 * 10**6)),
        seconds_played=chance.choice([0, 1, INT32, chance.randrange(86400)]),
        mode=chance.choice([*Mode]),
        user_agent=random_name(chance),
        **facts,
    )


def random_name(chance: random.Random) -> str:
    """What a device may call itself, and rather what it may not."""
    letters = "\t\r\n\x01\x02\x03\x1f\x7f\u2028\ufffe,;\"'\\. aZ9äß日\U0001f3b5"
    return "".join(chance.choice(letters) for _ in range(chance.randrange(20)))


def test_web_processes_do_not_carry_it() -> None:
    """Parquet and the bucket's client are large, and workers alone need them."""
    code = "import config.wsgi, usage.handlers, sys; print({'pyarrow', 'boto3', 'botocore'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
