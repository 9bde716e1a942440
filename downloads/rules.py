"""The Download guide's rules. Pure: values in, faults out."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Final

from kernel.errors import Kind, Refusal
from kernel.values import add_months

STANDARD_PACKAGE: Final = 2
PRICE: Final = re.compile(r"(?:0|[1-9][0-9]{0,7})(?:\.[0-9]{1,2})?", re.ASCII)
LAST_DAY: Final = 4  # of the next month, at whose beginning refunds end
WARN_DAY: Final = 3


class SaleNotFound(Refusal):
    """There is no such sale, or not of that release or track."""

    code, kind, platform_code = "sale_not_found", Kind.NOT_FOUND, 2001


class RefundWindowClosed(Refusal):
    """The sale is in a report that has gone to the rightsholders; `closed_at` says since when."""

    code, kind, platform_code = "refund_window_closed", Kind.CONFLICT, 2002


def price_in(text: object) -> Decimal:
    """A retail price as the guide wants it: "7.99", "1.00", "0" for a gift. Raises ValueError.

    Text alone: a JSON number has gone through somebody's floating point. (Download guide §3, "About retailPrice")
    """
    if not isinstance(text, str) or not PRICE.fullmatch(text):
        raise ValueError('must be a text such as "7.99": not negative, at most two decimals, no commas')
    return Decimal(text)


def refundable_until(sold_at: datetime) -> datetime:
    """The instant from which a sale can be taken back no more: 00:00 UTC on the 4th of the month after.

    The guide says both "before the 4th" and "up to the 5th"; what satisfies both is kept to. (Download guide §5)
    """
    return day_after_month(sold_at, LAST_DAY)


def warned_from(sold_at: datetime) -> datetime:
    """From when on whoever decides about refunds should be warned: a day before they end."""
    return day_after_month(sold_at, WARN_DAY)


def open_since(now: datetime) -> datetime:
    """The beginning of the oldest month whose sales can still be taken back."""
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return month if now.day >= LAST_DAY else add_months(month, -1)


def day_after_month(moment: datetime, day: int) -> datetime:
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return add_months(first, 1).replace(day=day)
