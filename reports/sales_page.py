"""The page on which staff ask for a month's sales: what it comes to, a look at the first rows, and all to download."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from desk.rows import may_view
from kernel.values import SANE_YEARS
from reports.formats import FORMATS
from reports.sales import DIMENSIONS, sales
from reports.sheets import Row, Sheet
from reports.showing import NO_SANE_YEAR, SHOWN, download, in_time, table_of


class Asked(forms.Form):
    """Which month's sales, and what they are counted by."""

    month = forms.DateField(
        input_formats=["%Y-%m"], help_text="such as 2026-11, of UTC", widget=UnfoldAdminTextInputWidget,
        error_messages={"invalid": "Enter a month such as 2026-11."},
    )  # fmt: skip
    by = forms.MultipleChoiceField(
        choices=[(name, name) for name in DIMENSIONS], required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    form = forms.ChoiceField(
        choices=[(name, name) for name in FORMATS], required=False, label="Download as", widget=UnfoldAdminSelectWidget
    )

    def clean_month(self) -> date:
        month: date = self.cleaned_data["month"]
        if month.year not in SANE_YEARS:
            raise forms.ValidationError(NO_SANE_YEAR)
        return month

    def sheet(self, by: list[str] | None = None) -> Sheet:
        month: date = self.cleaned_data["month"]
        start = datetime(month.year, month.month, 1, tzinfo=UTC)
        return sales(self.cleaned_data["by"] if by is None else by, month=start)


def sales_reports(request: HttpRequest) -> HttpResponseBase:
    """A month's sales by what they are asked by: shown, or with `download` sent as a file."""
    if not may_view(request.user, "downloads.Purchase"):
        raise PermissionDenied
    lately = {"month": f"{timezone.now():%Y-%m}", "by": ["country"]}
    form = Asked(request.GET if "month" in request.GET else lately)
    if form.is_valid() and "download" in request.GET:
        given = form.cleaned_data
        return download(form.sheet(), given["form"] or "csv", named=f"sales-{given['month']:%Y-%m}")
    totals, rows = looked_at(form) if form.is_valid() else ([], [])
    context = admin.site.each_context(request) | {
        "title": "Sales", "form": form, "more": len(rows) > SHOWN, "shown": SHOWN,
        "totals": table_of(form.sheet([]), totals) if totals else None,
        "table": table_of(form.sheet(), rows[:SHOWN]) if rows and form.cleaned_data["by"] else None,
    }  # fmt: skip
    return TemplateResponse(request, "admin/reports/sales.html", context)


def looked_at(form: Asked) -> tuple[list[Row], list[Row]]:
    """The month's totals, and its first rows, one more than are shown where there are more."""
    seen = in_time(lambda: (form.sheet([]).first(SHOWN), form.sheet().first(SHOWN + 1)))
    if seen is None:
        form.add_error("month", "So many sales take too long to be shown here. Download them.")
        return [], []
    return seen
