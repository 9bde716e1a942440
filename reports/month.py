"""A month's plays for rightsholders, as a file in the shape of DDEX's Digital Sales Reporting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Count

from kernel.values import add_months
from reports import dsr
from reports.plays import plays
from subscriptions.models import Period

MODEL: Final = {"CommercialModel": "SubscriptionModel", "UseType": "OnDemandStream"}


@dataclass(slots=True)
class Summary:
    """What a country and plan come to."""

    number: int
    subscribers: int = 0
    plays: int = 0


def month_report(
    month: datetime, *, created_at: datetime, service: str, sender: dsr.Party, recipient: dsr.Party
) -> Iterator[bytes]:
    """The plays of the month that begins at `month` (UTC) as far as the platform took them, line by line."""
    end = add_months(month, 1)
    summaries = {place: Summary(number, count) for number, (place, count) in enumerate(subscribers(month, end), 1)}
    sheet = plays(("country", "plan", "release", "track"), start=month, end=end)

    def lines() -> Iterator[bytes]:
        for row in sheet.rows():
            played = dict(zip(sheet.names, row, strict=True))
            place = played["country"], played["plan"]
            summary = summaries.setdefault(place, Summary(len(summaries) + 1))
            summary.plays += played["plays"]
            yield usage(played, summary)

    def sums() -> list[bytes]:
        places = summaries or {(dsr.WORLD, ""): Summary(1)}
        return [summed_up(summary, country=country, plan=plan) for (country, plan), summary in places.items()]

    named = f"{month:%Y-%m}-{created_at:%Y%m%dT%H%M%S}"
    first = dsr.head(
        month, end, named=named, created_at=created_at, service=service, sender=sender, recipient=recipient
    )
    yield from dsr.report(first, lines(), sums)


def summed_up(summary: Summary, *, country: str, plan: str) -> bytes:
    return dsr.record(
        dsr.SUMMARY,
        **MODEL,
        RecordType="SY01.02",
        SummaryRecordId=summary.number,
        Territory=country,
        ServiceDescription=dsr.described(plan),
        TotalUsages=summary.plays,
        Subscribers=summary.subscribers,
    )


def usage(played: Mapping[str, Any], summary: Summary) -> bytes:
    return dsr.record(
        dsr.USAGE,
        RecordType="SR02.01",
        SummaryRecordId=summary.number,
        DspResourceId=played["track_id"],
        ISRC=played["isrc"],
        ResourceTitle=played["title"],
        ResourceDisplayArtistName=played["artist"],
        Duration=dsr.duration(played["duration_seconds"]),
        ResourceType="SoundRecording",
        DspReleaseId=played["release_id"],
        ICPN=played["upc"],
        ReleaseTitle=played["release_title"],
        ReleaseLabelName=played["label"],
        IsRoyaltyBearing="true",
        NumberOfStreams=played["plays"],
        UseType=MODEL["UseType"],
    )


def subscribers(start: datetime, end: datetime) -> list[tuple[tuple[str, str], int]]:
    """How many had a right to stream at any time of `[start, end)`, by country and plan, as far as is known now."""
    periods = Period.objects.believed().filter(starts_at__lt=end, ends_at__gt=start)
    places = periods.values_list("country", "plan_id").annotate(Count("listener_id", distinct=True))
    with connection.unhurried():  # type: ignore[attr-defined]
        return [((country, plan), count) for country, plan, count in places.order_by("country", "plan_id")]
