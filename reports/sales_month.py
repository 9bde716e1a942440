"""A month's sales for rightsholders, as a file in the shape of DDEX's Digital Sales Reporting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kernel.values import add_months
from reports import dsr
from reports.sales import sales

MODEL: Final = {"CommercialModel": "PayAsYouGoModel", "UseType": "PermanentDownload"}
BY: Final = ("country", "track", "price")


@dataclass(slots=True)
class Summary:
    """What a country and currency come to."""

    number: int
    sales: int = 0


def sales_report(
    month: datetime, *, created_at: datetime, service: str, sender: dsr.Party, recipient: dsr.Party
) -> Iterator[bytes]:
    """What stands of the sales of the month that begins at `month` (UTC), line by line: a line for each price."""
    sheet = sales(BY, month=month)
    summaries: dict[tuple[str, str], Summary] = {}

    def lines() -> Iterator[bytes]:
        for row in sheet.rows():
            sold = dict(zip(sheet.names, row, strict=True))
            if sold["sales"]:
                place = sold["country"], sold["currency"]
                summary = summaries.setdefault(place, Summary(len(summaries) + 1))
                summary.sales += sold["sales"]
                yield sale(sold, summary)

    def sums() -> list[bytes]:
        places = summaries or {(dsr.WORLD, ""): Summary(1)}
        return [summed_up(summary, country=country, currency=code) for (country, code), summary in places.items()]

    named = f"sales-{month:%Y-%m}-{created_at:%Y%m%dT%H%M%S}"
    first = dsr.head(
        month, add_months(month, 1), named=named, created_at=created_at, service=service, sender=sender,
        recipient=recipient,
    )  # fmt: skip
    yield from dsr.report(first, lines(), sums)


def summed_up(summary: Summary, *, country: str, currency: str) -> bytes:
    return dsr.record(
        dsr.SUMMARY,
        **MODEL,
        RecordType="SY01.02",
        SummaryRecordId=summary.number,
        Territory=country,
        TotalUsages=summary.sales,
        CurrencyOfReporting=currency,
        CurrencyOfTransaction=currency,
    )


def sale(sold: Mapping[str, Any], summary: Summary) -> bytes:
    """A line: of a track, or of a release that was sold whole."""
    item = of_release(sold) if sold["track_id"] is None else of_track(sold)
    return dsr.record(
        dsr.SALE,
        **item,
        RecordType="SR01.01",
        SummaryRecordId=summary.number,
        DspReleaseId=sold["release_id"],
        ICPN=sold["upc"],
        ReleaseTitle=sold["release_title"],
        ReleaseLabelName=sold["label"],
        IsRoyaltyBearing="true",
        Downloads=sold["sales"],
        Returns=0,
        PriceConsumerPaidExcSalesTax=sold["price"],
        UseType=MODEL["UseType"],
    )


def of_release(sold: Mapping[str, Any]) -> dict[str, object]:
    return {"ReleaseSubTitle": sold["version"], "ReleaseDisplayArtistName": sold["artist"]}


def of_track(sold: Mapping[str, Any]) -> dict[str, object]:
    return {
        "DspResourceId": sold["track_id"],
        "ISRC": sold["isrc"],
        "ResourceTitle": sold["title"],
        "ResourceSubTitle": sold["version"],
        "ResourceDisplayArtistName": sold["artist"],
        "ResourceType": "SoundRecording",
        "NumberOfTransactedResources": 1,
    }
