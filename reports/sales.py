"""Sales and what was taken back of them, month by month, as the platform reports them to the rightsholders.

A sale belongs to the month of UTC in which the platform logged it. Taken back before that month's time for refunds was
over, it is out of its month; later the platform refuses, and the sale stays. (Download guide §3 and §5)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from kernel.values import add_months
from reports.plays import Dimension, Unanswerable
from reports.sheets import Column, Kind, Sheet


def lately(column: str) -> str:
    """Of several names that something was sold under, the last."""
    return f"(array_agg(p.{column} ORDER BY p.sold_at DESC, p.id))[1]"


CURRENCY: Final = {Column("currency", Kind.TEXT): "p.currency"}
OF_RELEASE: Final = {
    Column("release_title", Kind.TEXT): lately("release_title"),
    Column("upc", Kind.TEXT): lately("upc"),
    Column("label", Kind.TEXT): lately("label"),
    Column("licensor_id", Kind.ID): lately("licensor_id"),
}
OF_ITEM: Final = {
    Column("title", Kind.TEXT): lately("title"),
    Column("version", Kind.TEXT): lately("version"),
    Column("artist", Kind.TEXT): lately("artist_name"),
    Column("isrc", Kind.TEXT): lately("isrc"),
}
ITEM: Final = {Column("release_id", Kind.ID): "p.release_id", Column("track_id", Kind.ID): "p.track_id"}
DIMENSIONS: Final = {
    "sale": Dimension(
        keys={
            Column("sold_on", Kind.DAY): "(p.sold_at AT TIME ZONE 'UTC')::date",
            Column("transaction_id", Kind.TEXT): "p.transaction_id",
            Column("purchase_id", Kind.ID): "p.platform_id",
        }
    ),
    "track": Dimension(keys=ITEM, brings=OF_ITEM | OF_RELEASE),
    "release": Dimension(keys={Column("release_id", Kind.ID): "p.release_id"}, brings=OF_RELEASE),
    "label": Dimension(
        keys={Column("label", Kind.TEXT): "p.label", Column("licensor_id", Kind.ID): "p.licensor_id"},
    ),
    "country": Dimension(keys={Column("country", Kind.TEXT): "p.country"}),
    "price": Dimension(keys={Column("price", Kind.MONEY): "p.retail_price"}),
}
STANDS: Final = "FILTER (WHERE back.purchase_id IS NULL)"
COUNTS: Final = {
    Column("sales", Kind.COUNT): f"count(*) {STANDS}",
    Column("amount", Kind.MONEY): f"coalesce(sum(p.retail_price) {STANDS}, 0.00)",
    Column("taken_back", Kind.COUNT): "count(back.purchase_id)",
    Column("amount_taken_back", Kind.MONEY): (
        "coalesce(sum(p.retail_price) FILTER (WHERE back.purchase_id IS NOT NULL), 0.00)"
    ),
}
STATEMENT: Final = """
    SELECT {columns}
      FROM downloads_purchase AS p
      LEFT JOIN downloads_refund AS back ON back.purchase_id = p.id AND back.state = 'DONE'
     WHERE p.sold_at >= %(start)s AND p.sold_at < %(end)s
     GROUP BY {keys}
     ORDER BY {keys}
"""


def sales(by: Sequence[str], *, month: datetime) -> Sheet:
    """The sales of the month that begins at `month` (UTC), for each currency and whatever else they are counted by.

    `sales` and `amount` are what stands, `taken_back` what does not; each amount is in its row's currency. What was
    sold whole has no track. Names are those of the day, and of several the last. Raises Unanswerable.
    """
    check(by)
    keys: Mapping[Column, str] = CURRENCY | {key: sql for name in by for key, sql in DIMENSIONS[name].keys.items()}
    brought = {column: sql for name in by for column, sql in DIMENSIONS[name].brings.items() if column not in keys}
    columns = {**keys, **brought, **COUNTS}
    return Sheet(
        columns=tuple(columns),
        statement=STATEMENT.format(
            columns=", ".join(f"{sql} AS {column.name}" for column, sql in columns.items()),
            keys=", ".join(str(number) for number, _ in enumerate(keys, 1)),
        ),
        values={"start": month, "end": add_months(month, 1)},
    )


def check(by: Sequence[str]) -> None:
    """Raises Unanswerable for a question that makes no sense, and says why."""
    if unknown := sorted({*by} - {*DIMENSIONS}):
        raise Unanswerable(f"sales are not counted by {unknown[0]!r}, but by {', '.join(DIMENSIONS)}")
    if len({*by}) < len(by):
        raise Unanswerable("by the same thing twice")
