"""What stands in the cells of the admin's tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypedDict

from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from kernel.money import major_units

# What a state of any of our rows means to whoever looks at it; one that is not here means nothing.
KINDS: Final = {
    "success": {"ACTIVE", "CONFIRMED", "DONE", "HANDLED", "SENT", "SYNCED", "TRIALING"},
    "info": {"PENDING", "SENDING", "WAITING"},
    "warning": {"CANCELLING", "GRACE", "HELD", "IN_DOUBT", "ON_HOLD", "PAUSED", "UNKNOWN"},
    "danger": {"DEAD", "EXPIRED", "REFUSED", "REJECTED", "REFUNDED"},
}


class Table(TypedDict):
    """A table as `unfold/components/table.html` takes it."""

    headers: Sequence[str]
    rows: Sequence[Sequence[object]]


def page_of(row: Model) -> str:
    """The address of a row's own page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def link(row: Model, text: object = None) -> SafeString:
    """A link to a row's own page, under its name or `text`."""
    return format_html('<a class="text-link" href="{}">{}</a>', page_of(row), row if text is None else text)


def label(text: str, kind: str = "") -> SafeString:
    """A word in a coloured box. `kind` is success, info, warning, danger or nothing."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": kind})


def kind_of(state: str) -> str:
    """What a state means: success, info, warning, danger or nothing."""
    return next((kind for kind, states in KINDS.items() if state in states), "")


def state(name: str) -> SafeString:
    """A row's state in the colour of what it means."""
    return label(name, kind_of(name))


def moment(at: datetime | None) -> str:
    """An instant in UTC, to the second, or a dash."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "–"


def money(amount: int, currency: str) -> str:
    """Minor units as people write them: `9.99 GBP`."""
    return f"{major_units(amount, currency)} {currency}"


def minutes(seconds: int) -> str:
    """A duration as on a sleeve: `3:24`."""
    return f"{seconds // 60}:{seconds % 60:02}"


def capped(count: int, most: int) -> str:
    """A count that went no further than `most`: `1,234`, or `10,000+`."""
    return f"{count:,}" if count < most else f"{most:,}+"


def ago(age: timedelta) -> str:
    """A length of time in a unit that fits it: `40 s`, `12 min`, `3 h`, `5 days`."""
    seconds = max(0, round(age.total_seconds()))
    for length, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
