"""Records of DDEX's Digital Sales Reporting: the cells of each, and how they are written.

Those of the Basic Audio profile in the variant with one record a line, after parts 1, 3 and 8 of the standard as
published on ddex.net. What is not certain of them stands in docs/decisions/0030 and 0038.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import Final, NamedTuple

from kernel.values import rfc3339

HEAD: Final = (
    "RecordType MessageVersion Profile ProfileVersion MessageId MessageCreatedDateTime FileNumber NumberOfFiles "
    "UsageStartDate UsageEndDate SenderPartyId SenderName ServiceDescription RecipientPartyId RecipientName "
    "RepresentedRepertoire"
).split()
SUMMARY: Final = (
    "RecordType SummaryRecordId DistributionChannel DistributionChannelDPID CommercialModel UseType Territory "
    "ServiceDescription TotalUsages Subscribers CurrencyOfReporting NetRevenue IndirectValue CurrencyOfTransaction "
    "ExchangeRate"
).split()
USAGE: Final = (
    "RecordType SummaryRecordId DspResourceId ISRC ResourceTitle ResourceSubTitle ResourceDisplayArtistName "
    "ResourceDisplayArtistPartyId Duration ResourceType ProprietaryWorkId ISWC ComposerAuthorName "
    "ComposerAuthorPartyId ArrangerName ArrangerPartyId MusicPublisherName MusicPublisherPartyId WorkContributorName "
    "WorkContributorPartyId DspReleaseId ProprietaryReleaseId ReleaseCatalogNumber ICPN ReleaseDisplayArtistName "
    "ReleaseDisplayArtistPartyId ReleaseTitle ReleaseSubTitle ReleaseType ReleaseLabelName PLine "
    "ReleaseDataProviderName SalesTransactionId IsRoyaltyBearing NumberOfStreams PromotionalActivity ReleaseDate "
    "UseType PriceConsumerPaidExcSalesTax"
).split()
SALE: Final = (
    "RecordType SummaryRecordId DspResourceId ISRC ResourceTitle ResourceSubTitle ResourceDisplayArtistName "
    "ResourceDisplayArtistPartyId Duration ResourceType ProprietaryWorkId ISWC ComposerAuthorName "
    "ComposerAuthorPartyId ArrangerName ArrangerPartyId MusicPublisherName MusicPublisherPartyId WorkContributorName "
    "WorkContributorPartyId DspReleaseId ProprietaryReleaseId ReleaseCatalogNumber ICPN ReleaseDisplayArtistName "
    "ReleaseDisplayArtistPartyId ReleaseTitle ReleaseSubTitle ReleaseType ReleaseLabelName PLine "
    "ReleaseDataProviderName NumberOfTransactedResources SalesTransactionId IsRoyaltyBearing SalesUpgrade Downloads "
    "Returns PriceConsumerPaidExcSalesTax CalculatedPriceConsumerPaidForResourceExcSalesTax PromotionalActivity "
    "ReleaseDate UseType"
).split()
FOOT: Final = ["RecordType", "NumberOfLinesInReport", "NumberOfSummaryRecords"]
PROFILE: Final = {"MessageVersion": "dsrf/30", "Profile": "BasicAudioProfileSRB", "ProfileVersion": "1.3"}
WORLD: Final = "Worldwide"  # the territory where nothing was played or sold: a file has one summary at least
ESCAPED: Final = str.maketrans({"\t": "\\\t", "|": "\\" * 2 + "|", "\\": "\\" * 3})


class Party(NamedTuple):
    """Who sends a report, or is sent it: DDEX's id of them, and their name."""

    id: str = ""
    name: str = ""


def report(head: bytes, lines: Iterable[bytes], sums: Callable[[], list[bytes]]) -> Iterator[bytes]:
    """A whole file, line by line: its head, what the lines come to, the lines, and its foot.

    The lines wait in a file until they are summed up, for the sums come first.
    """
    count = 0
    with TemporaryFile() as kept:
        for line in lines:
            kept.write(line)
            count += 1
        summaries = sums()
        yield head
        yield from summaries
        kept.seek(0)
        yield from kept
    count += len(summaries) + len(("HEAD", "SRFO"))
    yield record(FOOT, RecordType="SRFO", NumberOfLinesInReport=count, NumberOfSummaryRecords=len(summaries))


def head(
    month: datetime, end: datetime, *, named: str, created_at: datetime, service: str, sender: Party, recipient: Party
) -> bytes:
    """Which month, made when, by whom and for whom; `named` is the sender's own name of this very file."""
    return record(
        HEAD,
        **PROFILE,
        RecordType="HEAD",
        MessageId=named,
        MessageCreatedDateTime=rfc3339(created_at.replace(microsecond=0)),
        FileNumber=1,
        NumberOfFiles=1,
        UsageStartDate=month.date(),
        UsageEndDate=(end - timedelta(days=1)).date(),
        SenderPartyId=sender.id,
        SenderName=sender.name,
        ServiceDescription=described(service),
        RecipientPartyId=recipient.id,
        RecipientName=recipient.name,
    )


def record(cells: list[str], **values: object) -> bytes:
    """A record as a line, of which the cells that have no value are empty. Raises ValueError for a cell it has not."""
    if unknown := values.keys() - {*cells}:
        raise ValueError(f"no such cell: {', '.join(unknown)}")
    return ("\t".join(cell(values.get(name, "")) for name in cells) + "\n").encode()


def cell(value: object) -> str:
    """A value with tabs, pipes and backslashes escaped as the standard has it, and spaces for line breaks."""
    return " ".join(str(value).splitlines()).translate(ESCAPED)


def duration(seconds: int) -> str:
    """204 as `PT3M24S`; nothing for 0, which means that it is not known."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = f"{hours}H" * bool(hours), f"{minutes}M" * bool(hours or minutes), f"{rest}S"
    return f"PT{''.join(parts)}" if seconds else ""


def described(service: str) -> str:
    """A service's name without the spaces and underscores that the standard has no room for."""
    return "-".join(service.replace("_", " ").split())
