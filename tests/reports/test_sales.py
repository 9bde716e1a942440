"""A month's sales agree with what the platform has logged, line by line, in every form."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test import Client
from pyarrow import parquet

from accounts.models import Listener
from downloads.models import Purchase, Refund
from reports import dsr, sales_page
from reports.dsr import Party
from reports.formats import csv_of, parquet_of
from reports.plays import Unanswerable
from reports.sales import DIMENSIONS, sales
from reports.sales_month import sales_report
from reports.sheets import Sheet
from tests.desk.test_sheets import DANGEROUS
from tests.reports.shop import FIRST, LABELS, Sale, journal, keep, purchase_of
from tests.reports.test_commands import printed
from tests.reports.test_month import cells_of

pytestmark = pytest.mark.django_db

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
MONTHS = [datetime(2026, month, 1, tzinfo=UTC) for month in (8, 9, 10, 11, 12)]
MANY = 10_000
PAGE = "/admin/sales/"
CELLS = {"HEAD": dsr.HEAD, "SY01.02": dsr.SUMMARY, "SR01.01": dsr.SALE, "SRFO": dsr.FOOT}
# What sales are counted by → how the journal tells it.
TOLD: dict[str, Callable[[Sale], tuple[Any, ...]]] = {
    "sale": lambda sale: (sale.sold_at.date(), f"T-{sale.number}", sale.number),
    "track": lambda sale: (sale.release_id, sale.track_id),
    "release": lambda sale: (sale.release_id,),
    "label": lambda sale: LABELS[sale.release_id],
    "country": lambda sale: (sale.country,),
    "price": lambda sale: (sale.price,),
}
WAYS = [[], ["country"], ["release"], ["track"], ["label"], ["sale"], ["country", "track", "price"], [*TOLD]]

Count = dict[tuple[Any, ...], list[Any]]


def counted(journal: list[Sale], by: list[str], month: datetime) -> Count:
    """The journal, counted without any database."""
    counts: Count = defaultdict(lambda: [0, Decimal(0), 0, Decimal(0)])
    for sale in journal:
        if (sale.sold_at.year, sale.sold_at.month) == (month.year, month.month):
            keys = dict.fromkeys([key for name in by for key in zip(columns_of(name), TOLD[name](sale), strict=True)])
            line = counts[(sale.currency, *(value for _, value in dict.fromkeys(keys)))]
            place = 2 * sale.is_refunded
            line[place] += 1
            line[place + 1] += sale.price
    return dict(counts)


def columns_of(name: str) -> list[str]:
    return [column.name for column in DIMENSIONS[name].keys]


def read(sheet: Sheet, by: list[str]) -> Count:
    """A report as such counts."""
    keys = ["currency", *dict.fromkeys(column for name in by for column in columns_of(name))]
    found: Count = {}
    for row in sheet.rows():
        line = dict(zip(sheet.names, row, strict=True))
        key = tuple(line[name] for name in keys)
        assert key not in found
        found[key] = [line[name] for name in ("sales", "amount", "taken_back", "amount_taken_back")]
    return found


@pytest.fixture
def book(listener: Listener) -> list[Sale]:
    """A journal, and our rows of it."""
    written = list(journal(MANY))
    keep(written, listener)
    return written


@pytest.fixture
def few(listener: Listener) -> list[Sale]:
    """The same, shorter."""
    written = list(journal(400))
    keep(written, listener)
    return written


def sold(listener: Listener, at: str, **changes: Any) -> Purchase:
    """A sale of `11-30 23:59:59` of 2026, kept."""
    sale = replace(next(journal(1)), number=Purchase.objects.count() + 1, wanted_back_at=None)
    moment = datetime.fromisoformat(f"2026-{at}").replace(tzinfo=UTC)
    purchase = purchase_of(replace(sale, sold_at=moment), listener, **changes)
    purchase.save(force_insert=True)
    return purchase


# --- Line by line --------------------------------------------------------------------------------------


def test_ten_thousand_sales_and_refunds_agree_with_the_journal_line_by_line(book: list[Sale]) -> None:
    assert sum(sale.is_refunded for sale in book) > 900
    assert sum(sale.wanted_back_at is not None and not sale.is_refunded for sale in book) > 200
    differences = [
        (month, by, key)
        for month in MONTHS
        for by in WAYS
        for ours, theirs in [(read(sales(by, month=month), by), counted(book, by, month))]
        for key in ours.keys() | theirs.keys()
        if ours.get(key) != theirs.get(key)
    ]

    assert differences == []
    assert sum(line[0] + line[2] for month in MONTHS for line in read(sales([], month=month), []).values()) == MANY


def test_the_file_for_rightsholders_agrees_too(few: list[Sale]) -> None:
    stands = [sale for sale in few if not sale.is_refunded]
    expected = {key: line[0] for key, line in counted(stands, ["country", "track", "price"], NOVEMBER).items()}
    records = reported()

    places = {each["SummaryRecordId"]: each for each in records if each["RecordType"] == "SY01.02"}
    found = {}
    for each in records:
        if each["RecordType"] == "SR01.01":
            place = places[each["SummaryRecordId"]]
            track = int(each["DspResourceId"]) if each["DspResourceId"] else None
            key = (place["CurrencyOfReporting"], place["Territory"], int(each["DspReleaseId"]), track)
            found[*key, Decimal(each["PriceConsumerPaidExcSalesTax"])] = int(each["Downloads"])
    assert found == expected
    totals = counted(stands, ["country"], NOVEMBER)
    assert {(p["CurrencyOfReporting"], p["Territory"]): int(p["TotalUsages"]) for p in places.values()} == {
        key: line[0] for key, line in totals.items()
    }
    assert records[-1]["NumberOfLinesInReport"] == str(len(records))
    assert records[-1]["NumberOfSummaryRecords"] == str(len(places))


@pytest.mark.parametrize(
    ("at", "month"), [("10-31 23:59:59", 10), ("11-01 00:00:00", 11), ("11-30 23:59:59", 11), ("12-01 00:00:00", 12)]
)
def test_a_sale_belongs_to_the_month_in_which_it_was_logged(listener: Listener, at: str, month: int) -> None:
    sold(listener, at, paid_at=NOVEMBER)

    assert [bool(list(sales([], month=each).rows())) for each in MONTHS] == [each.month == month for each in MONTHS]


@pytest.mark.parametrize(
    ("state", "line"), [("DONE", (0, 0, 1, 1)), ("WAITING", (1, 1, 0, 0)), ("REFUSED", (1, 1, 0, 0))]
)
def test_only_what_the_platform_took_back_is_out_of_its_month(
    listener: Listener, state: str, line: tuple[int, ...]
) -> None:
    purchase = sold(listener, "11-10 12:00", retail_price=1, currency="GBP")
    Refund.objects.create(purchase=purchase, state=state, reason="sorry", asked_at=NOVEMBER + timedelta(days=40))

    assert list(sales([], month=NOVEMBER).rows()) == [("GBP", *line)]


def test_what_was_never_sold_is_in_no_month(listener: Listener) -> None:
    facts = {"platform_id": None, "sold_at": None}
    for state in ("PENDING", "REFUSED", "UNKNOWN", "REFUNDED"):
        sold(listener, "11-10 12:00", state=state, **facts)

    assert list(sales([], month=NOVEMBER).rows()) == []


def test_of_several_names_the_last_is_told(listener: Listener) -> None:
    same = {"release_id": 1, "track_id": 7, "currency": "GBP", "platform_id": 1}
    sold(listener, "11-10 12:00", **same, title="Tide (demo)")
    sold(listener, "11-12 12:00", **same | {"platform_id": 2}, title="Tide")
    sold(listener, "11-11 12:00", **same | {"platform_id": 3}, title="Tyde")
    sheet = sales(["track"], month=NOVEMBER)

    (row,) = (dict(zip(sheet.names, row, strict=True)) for row in sheet.rows())
    assert (row["title"], row["sales"]) == ("Tide", 3)


@pytest.mark.parametrize("by", [["mood"], ["country", "country"], [""]])
def test_what_makes_no_sense_is_not_counted(db: None, by: list[str]) -> None:
    with pytest.raises(Unanswerable):
        sales(by, month=NOVEMBER)


# --- Forms ----------------------------------------------------------------------------------------------


def test_parquet_says_what_csv_says_with_types(few: list[Sale]) -> None:
    sheet = sales([*TOLD], month=NOVEMBER)
    read = parquet.read_table(BytesIO(b"".join(parquet_of(sheet))))
    header, *rows = csv.reader(StringIO(b"".join(csv_of(sheet)).decode(), newline=""))

    assert read.column_names == header
    assert [["" if cell is None else str(cell) for cell in row.values()] for row in read.to_pylist()] == rows
    assert {name: str(read.schema.field(name).type) for name in ("sold_on", "amount", "track_id")} == {
        "sold_on": "date32[day]", "amount": "decimal128(18, 2)", "track_id": "int32",
    }  # fmt: skip


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_is_a_formula(listener: Listener, text: str) -> None:
    names = ["title", "version", "artist_name", "release_title", "label", "isrc", "upc", "transaction_id"]
    sold(listener, "11-10 12:00", **dict.fromkeys(names, text))
    _, row = csv.reader(StringIO(b"".join(csv_of(sales(["sale", "track"], month=NOVEMBER))).decode(), newline=""))

    assert row.count(f"'{text}") == len(names)
    assert text not in row


def reported(**changes: Any) -> list[dict[str, str]]:
    facts: dict[str, Any] = {
        "created_at": datetime(2026, 12, 5, 8, 30, 1, tzinfo=UTC), "service": "Our Shop", "sender": Party("P1", "Us"),
        "recipient": Party("P2", "Quay"),
    }  # fmt: skip
    *lines, after = b"".join(sales_report(NOVEMBER, **facts | changes)).decode().split("\n")
    assert after == ""
    records = [[*cells_of(line)] for line in lines]
    return [dict(zip(CELLS[record[0]], record, strict=True)) for record in records]


def test_a_line_for_rightsholders_says_what_was_sold(listener: Listener) -> None:
    odd = "a\tb|c\\d\ne"
    facts = {"track_id": 7, "isrc": "GBQQQ2500001", "upc": "505", "label": odd, "title": odd, "version": "Live"}
    sold(listener, "11-10 12:00", **facts, retail_price="0.99", currency="GBP", country="GB", release_id=1)
    sold(listener, "11-10 12:00", track_id=None, release_id=1, title="Low Tide", version="Deluxe", currency="GBP",
         country="GB", retail_price="7.99")  # fmt: skip
    head, summary, track, whole, foot = reported()

    assert (head["MessageId"], head["ServiceDescription"]) == ("sales-2026-11-20261205T083001", "Our-Shop")
    assert (summary["CommercialModel"], summary["UseType"]) == ("PayAsYouGoModel", "PermanentDownload")
    assert (summary["Territory"], summary["TotalUsages"], summary["CurrencyOfTransaction"]) == ("GB", "2", "GBP")
    assert (track["ResourceTitle"], track["ReleaseLabelName"]) == ("a\tb|c\\d e",) * 2
    assert (track["DspResourceId"], track["ISRC"], track["ICPN"]) == ("7", "GBQQQ2500001", "505")
    assert (track["Downloads"], track["Returns"], track["PriceConsumerPaidExcSalesTax"]) == ("1", "0", "0.99")
    assert (whole["DspResourceId"], whole["ResourceTitle"], whole["ReleaseSubTitle"]) == ("", "", "Deluxe")
    assert foot["NumberOfLinesInReport"] == "5"


def test_a_month_without_sales_has_one_summary_of_nothing(db: None) -> None:
    assert [record["RecordType"] for record in reported()] == ["HEAD", "SY01.02", "SRFO"]


# --- The command ------------------------------------------------------------------------------------------


def test_a_month_is_printed(listener: Listener) -> None:
    sold(listener, "11-10 12:00", retail_price="7.99", currency="GBP", country="GB")

    assert printed("report_sales", "--month", "2026-11").decode().splitlines() == [
        "currency,country,sales,amount,taken_back,amount_taken_back", "GBP,GB,1,7.99,0,0.00",
    ]  # fmt: skip


@pytest.mark.parametrize(("form", "begins"), [("csv", b"currency,"), ("parquet", b"PAR1"), ("dsr", b"HEAD\t")])
def test_each_form_goes_into_a_file(few: list[Sale], tmp_path: Path, form: str, begins: bytes) -> None:
    out = tmp_path / "sales"
    printed("report_sales", "--month", "2026-11", "--as", form, "--out", str(out))

    assert out.read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "--month"), (["--month", "2026-13"], "--month"), (["--month", "26-11"], "--month"),
        (["--month", "2090-01"], "has not begun"), (["--month", "2026-11", "--by", "mood"], "not counted by 'mood'"),
        (["--month", "2026-11", "--by", ""], "not counted by ''"), (["--month", "2026-11", "--as", "xls"], "--as"),
        (["--month", "2026-11", "--as", "dsr", "--by", "track"], "lines of its own"),
    ],
)  # fmt: skip
def test_the_command_refuses_what_makes_no_sense(db: None, words: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        printed("report_sales", *words)


# --- The page -----------------------------------------------------------------------------------------------


def test_the_page_shows_the_month_and_what_it_was_asked_by(boss: Client, listener: Listener) -> None:
    sold(listener, "11-10 12:00", retail_price="7.99", currency="GBP", country="GB")
    sold(listener, "11-10 12:00", retail_price="7.99", currency="GBP", country="IE")
    shown = boss.get(PAGE, {"month": "2026-11", "by": ["country"]})

    assert shown.context["totals"]["rows"] == [["GBP", 2, Decimal("15.98"), 0, 0]]
    assert [row[:3] for row in shown.context["table"]["rows"]] == [["GBP", "GB", 1], ["GBP", "IE", 1]]
    assert b"Nothing was sold in this month." in boss.get(PAGE, {"month": "2026-10"}).content
    assert boss.get(PAGE).status_code == 200


def test_the_page_shows_the_first_rows_and_sends_all(boss: Client, few: list[Sale]) -> None:
    asked = {"month": "2026-11", "by": ["sale"]}
    shown = boss.get(PAGE, asked)
    sent = boss.get(PAGE, asked | {"download": "1"})

    assert len(shown.context["table"]["rows"]) == 50
    assert sent["Content-Disposition"] == 'attachment; filename="sales-2026-11.csv"'
    november = [sale for sale in few if sale.sold_at.month == 11]
    assert b"".join(sent.streaming_content).count(b"\r\n") == len(november) + 1


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"month": ""}, "This field is required."), ({"month": "2026-13"}, "Enter a month such as 2026-11."),
        ({"month": "x\x00"}, "Enter a month such as 2026-11."), ({"month": "9999-12"}, "Enter a year between"),
        ({"month": "2026-11", "by": ["mood"]}, "mood is not one of the available choices."),
        ({"month": "2026-11", "form": "dsr"}, "dsr is not one of the available choices."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("more", [{}, {"download": "1"}])
def test_the_page_names_what_makes_no_sense(
    boss: Client, query: dict[str, Any], fault: str, more: dict[str, str]
) -> None:
    shown = boss.get(PAGE, query | more)

    assert shown.status_code == 200
    assert fault in shown.content.decode()


def test_titles_are_shown_as_text(boss: Client, listener: Listener) -> None:
    sold(listener, "11-10 12:00", title="<script>alert(1)</script>", label="<script>alert(1)</script>")
    shown = boss.get(PAGE, {"month": "2026-11", "by": ["track", "label"]}).content

    assert b"<script>alert(1)" not in shown
    assert b"&lt;script&gt;alert(1)" in shown


def test_what_takes_too_long_to_show_can_be_downloaded(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Sheet(columns=(), statement="SELECT pg_sleep(5)", values={})
    monkeypatch.setattr(sales_page.Asked, "sheet", lambda *_: slow)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 20")

    assert b"take too long to be shown here" in boss.get(PAGE, {"month": "2026-11"}).content


def test_the_page_is_for_those_who_may_view_purchases(clerk: Callable[..., Client]) -> None:
    client = clerk("view_play")

    assert client.get(PAGE, {"month": "2026-11", "download": "1"}).status_code == 403


def test_the_journal_reaches_over_the_edges_of_months() -> None:
    written = list(journal(MANY))

    assert {sale.sold_at.month for sale in written} == {9, 10, 11, 12}
    assert min(sale.sold_at for sale in written) == FIRST
