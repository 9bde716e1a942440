"""The page on which staff ask for reports: a look at the first rows, and the whole to download."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from desk.bars import Bar, bars
from desk.rows import may_view
from kernel.values import SANE_YEARS, midnight
from reports.formats import FORMATS
from reports.plays import THINGS, TIMES, plays
from reports.sheets import Row, Sheet
from reports.showing import NO_SANE_YEAR, SHOWN, download, in_time, table_of
from subscriptions.desk.counts import Days
from usage.models import PlayState

A_WEEK: Final = timedelta(days=7)
DRAWN: Final = 400  # days in the picture


class Asked(Days):
    """What plays are counted by, and which."""

    by = forms.MultipleChoiceField(
        choices=[(name, name) for name in THINGS], required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    per = forms.ChoiceField(
        choices=[("", "the whole time"), *((name, name) for name in TIMES)], required=False,
        widget=UnfoldAdminSelectWidget,
    )  # fmt: skip
    states = forms.MultipleChoiceField(choices=PlayState.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)
    form = forms.ChoiceField(
        choices=[(name, name) for name in FORMATS], required=False, label="Download as", widget=UnfoldAdminSelectWidget
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        for name in ("first", "last"):
            if name in given and given[name].year not in SANE_YEARS:
                self.add_error(name, NO_SANE_YEAR)
        return given

    @property
    def days(self) -> int:
        first: date = self.cleaned_data["first"]
        last: date = self.cleaned_data["last"]
        return (last - first).days + 1

    def counted(self, by: list[str]) -> Sheet:
        """The plays of the days and states that were asked for, by something."""
        given = self.cleaned_data
        start, end = midnight(given["first"]), midnight(given["last"] + timedelta(days=1))
        return plays(by, start=start, end=end, states=given["states"])

    def sheet(self) -> Sheet:
        per = self.cleaned_data["per"]
        return self.counted([*([per] if per else []), *self.cleaned_data["by"]])


def play_reports(request: HttpRequest) -> HttpResponseBase:
    """Plays by what they are asked by: shown, or with `download` sent as a file."""
    if not may_view(request.user, "usage.Play"):
        raise PermissionDenied
    today = timezone.now().date()
    lately = {
        "first": (today - A_WEEK).isoformat(), "last": today.isoformat(), "by": ["country"],
        "states": [PlayState.SENT.value],
    }  # fmt: skip
    form = Asked(request.GET if "first" in request.GET or "last" in request.GET else lately)
    if form.is_valid() and "download" in request.GET:
        given = form.cleaned_data
        return download(form.sheet(), given["form"] or "csv", named=f"plays-{given['first']}-{given['last']}")
    rows, days = looked_at(form) if form.is_valid() else ([], [])
    context = admin.site.each_context(request) | {
        "title": "Reports", "form": form, "days": days, "more": len(rows) > SHOWN, "shown": SHOWN,
        "table": table_of(form.sheet(), rows[:SHOWN]) if rows else None,
    }  # fmt: skip
    return TemplateResponse(request, "admin/reports/plays.html", context)


def looked_at(form: Asked) -> tuple[list[Row], list[Bar]]:
    """The first rows, one more than are shown where there are more; and how many plays a day, of not too many days."""

    def look() -> tuple[list[Row], list[Row]]:
        return form.sheet().first(SHOWN + 1), form.counted(["day"]).first(DRAWN) if form.days <= DRAWN else []

    seen = in_time(look)
    if seen is None:
        form.add_error("last", "So many plays take too long to be shown here. Download them, or ask for fewer days.")
        return [], []
    rows, days = seen
    return rows, bars((day, count) for day, count, *_ in days)
