"""A month for rightsholders, read back as its receiver would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Listener
from catalogue.models import Track
from reports import dsr
from reports.dsr import Party
from reports.month import month_report
from reports.plays import plays
from subscriptions.models import Period
from tests.reports.conftest import NOVEMBER, at
from usage.models import Play, PlayState

pytestmark = pytest.mark.django_db

CREATED = datetime(2026, 12, 2, 8, 30, 1, 5, tzinfo=UTC)
CELLS = {"HEAD": dsr.HEAD, "SY01.02": dsr.SUMMARY, "SR02.01": dsr.USAGE, "SRFO": dsr.FOOT}
PREMIUM = "premium-unlimited-streaming"


def cells_of(line: str) -> Iterator[str]:
    """A line's cells: `\\` stands before a tab, `\\\\` before a pipe, and three of them are one."""
    cell = ""
    for mark in re.findall(r"\\\t|\\\\\||\\\\\\|.", line):
        if mark == "\t":
            yield cell
            cell = ""
        else:
            cell += mark[-1]
    yield cell


def read(content: bytes) -> list[dict[str, str]]:
    """The records of a file, each with its cells by name."""
    *lines, after = content.decode().split("\n")
    assert after == ""
    records = [[*cells_of(line)] for line in lines]
    return [dict(zip(CELLS[record[0]], record, strict=True)) for record in records]


def reported(**changes: Any) -> list[dict[str, str]]:
    facts: dict[str, Any] = {
        "created_at": CREATED, "service": "Our Music_App", "sender": Party("PADPIDA2026110101A", "Our Music"),
        "recipient": Party("PADPIDA2026110102B", "Quay"),
    }  # fmt: skip
    return read(b"".join(month_report(NOVEMBER["start"], **facts | changes)))


def of(records: list[dict[str, str]], kind: str) -> list[dict[str, str]]:
    return [record for record in records if record["RecordType"] == kind]


def filled(record: dict[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in record.items() if cell}


@pytest.fixture
def november(played: Callable[..., Play], right: Callable[..., Period], listener: Listener, track: Track) -> None:
    """Plays at home on a plan, abroad, and after the plan ended; and some that do not count."""
    right(listener, at("11-01 00:00"), at("11-20 00:00"))
    where = {"track_id": track.pk, "release_id": track.release_id}
    played(**where)
    played(**where, played_at=at("11-11 00:00"))
    played(**where | {"track_id": track.pk + 1})
    played(**where, country="DE")
    played(played_at=at("11-20 00:00"), track_id=99, release_id=9900)
    played(**where, played_at=at("12-01 00:00"))
    played(**where, state=PlayState.IN_DOUBT)


def test_a_file_has_a_head_sums_lines_and_a_foot(november: None) -> None:
    records = reported()

    assert [record["RecordType"] for record in records] == ["HEAD", *["SY01.02"] * 3, *["SR02.01"] * 4, "SRFO"]
    assert filled(records[0]) == {
        "RecordType": "HEAD", "MessageVersion": "dsrf/30", "Profile": "BasicAudioProfileSRB", "ProfileVersion": "1.3",
        "MessageId": "2026-11-20261202T083001", "MessageCreatedDateTime": "2026-12-02T08:30:01Z", "FileNumber": "1",
        "NumberOfFiles": "1", "UsageStartDate": "2026-11-01", "UsageEndDate": "2026-11-30",
        "SenderPartyId": "PADPIDA2026110101A", "SenderName": "Our Music", "ServiceDescription": "Our-Music-App",
        "RecipientPartyId": "PADPIDA2026110102B", "RecipientName": "Quay",
    }  # fmt: skip
    assert filled(records[-1]) == {
        "RecordType": "SRFO", "NumberOfLinesInReport": str(len(records)), "NumberOfSummaryRecords": "3",
    }  # fmt: skip


def test_a_line_says_what_was_played_and_how_often(november: None, track: Track) -> None:
    [line] = [line for line in of(reported(), "SR02.01") if line["NumberOfStreams"] == "2"]
    assert filled(line) == {
        "RecordType": "SR02.01", "SummaryRecordId": "1", "DspResourceId": str(track.pk), "ISRC": track.isrc,
        "ResourceTitle": "Tide", "ResourceDisplayArtistName": "The Lamplighters", "Duration": "PT3M24S",
        "ResourceType": "SoundRecording", "DspReleaseId": str(track.release_id), "ICPN": "5050000000017",
        "ReleaseTitle": "Harbour Lights", "ReleaseLabelName": "Quay", "IsRoyaltyBearing": "true",
        "NumberOfStreams": "2", "UseType": "OnDemandStream",
    }  # fmt: skip


def test_the_sums_are_those_of_the_lines_and_of_the_ledger(november: None) -> None:
    records = reported()
    summaries = {record["SummaryRecordId"]: record for record in of(records, "SY01.02")}
    streams = dict.fromkeys(summaries, 0)
    for line in of(records, "SR02.01"):
        streams[line["SummaryRecordId"]] += int(line["NumberOfStreams"])

    assert streams == {number: int(summary["TotalUsages"]) for number, summary in summaries.items()}
    assert {
        (summary["Territory"], summary["ServiceDescription"], int(summary["TotalUsages"]))
        for summary in summaries.values()
    } == {(country, plan, count) for country, plan, count, *_ in plays(["country", "plan"], **NOVEMBER).rows()}


def test_subscribers_count_where_they_subscribed_though_they_play_nothing(
    right: Callable[..., Period], make_listener: Callable[..., Listener]
) -> None:
    for day in (at("10-31 23:59"), at("11-30 23:59"), at("12-01 00:00"), at("10-30 00:00")):
        right(make_listener("FR"), day, day + timedelta(minutes=2))
    [summary] = of(reported(), "SY01.02")

    assert filled(summary) == {
        "RecordType": "SY01.02", "SummaryRecordId": "1", "CommercialModel": "SubscriptionModel",
        "UseType": "OnDemandStream", "Territory": "FR", "ServiceDescription": PREMIUM, "TotalUsages": "0",
        "Subscribers": "2",
    }  # fmt: skip


def test_an_empty_month_is_reported(db: None) -> None:
    head, summary, foot = reported()

    assert (head["RecordType"], summary["Territory"], summary["TotalUsages"]) == ("HEAD", "Worldwide", "0")
    assert (foot["NumberOfLinesInReport"], foot["NumberOfSummaryRecords"]) == ("3", "1")


@pytest.mark.parametrize(
    ("title", "meant"),
    [
        ("a\tb", "a\tb"), ("a|b", "a|b"), ("a\\b", "a\\b"), ("\\|\\\t\\", "\\|\\\t\\"), ("a\r\nb", "a b"),
        ("a\u2028b\x0bc", "a b c"), ("\\", "\\"), ("||", "||"), ("é𝄞", "é𝄞"),
    ],
)  # fmt: skip
def test_what_separates_is_escaped_in_texts(
    shelve: Callable[..., list[Track]], played: Callable[..., Play], title: str, meant: str
) -> None:
    track, *_ = shelve()
    Track.objects.filter(pk=track.pk).update(title=title)
    played(track_id=track.pk, release_id=track.release_id)

    [line] = of(reported(), "SR02.01")
    assert (line["ResourceTitle"], line["NumberOfStreams"]) == (meant, "1")


def test_marks_are_escaped_as_the_standard_has_it() -> None:
    assert dsr.cell("A\tB") == "A\\\tB"
    assert dsr.cell("A|B") == r"A\\|B"
    assert dsr.cell("A\\B") == r"A\\\B"


def test_a_record_has_the_cells_of_its_kind_alone() -> None:
    assert [len(cells) for cells in (dsr.HEAD, dsr.SUMMARY, dsr.USAGE, dsr.FOOT)] == [16, 15, 39, 3]
    with pytest.raises(ValueError, match="Mood"):
        dsr.record(dsr.FOOT, Mood="glad")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, ""), (9, "PT9S"), (60, "PT1M0S"), (204, "PT3M24S"), (3600, "PT1H0M0S"), (3723, "PT1H2M3S")],
)
def test_durations_are_written_as_the_standard_has_it(seconds: int, text: str) -> None:
    assert dsr.duration(seconds) == text
