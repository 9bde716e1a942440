"""Pages of the admin about all subscriptions at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from desk.bars import bars
from desk.cells import Table
from subscriptions.counts import Count, TooManyDays, subscribers
from subscriptions.models import Subscription

A_MONTH: Final = timedelta(days=30)
SHOWN: Final = 1000  # rows on the page; the command has them all
HEADERS: Final = ["day", "plan", "country", "during the day", "at its end", "on a trial"]


class Days(forms.Form):
    """From a day to a day, both included."""

    first = forms.DateField(label="From", help_text="such as 2026-11-01", widget=UnfoldAdminTextInputWidget)
    last = forms.DateField(label="Until", help_text="included; days are of UTC", widget=UnfoldAdminTextInputWidget)

    def clean(self) -> dict[str, Any]:
        days: dict[str, Any] = self.cleaned_data
        if not self.errors and days["last"] < days["first"]:
            self.add_error("last", "This day lies before the first.")
        return days


def subscriber_counts(request: HttpRequest) -> HttpResponse:
    """How many subscribers there were, by day, plan and country."""
    if not admin.site.get_model_admin(Subscription).has_view_permission(request):
        raise PermissionDenied
    today = timezone.now().date()
    lately = {"first": (today - A_MONTH).isoformat(), "last": today.isoformat()}
    form = Days(request.GET if "first" in request.GET or "last" in request.GET else lately)
    rows = counted(form) if form.is_valid() else []
    context = admin.site.each_context(request) | {
        "title": "Subscribers", "form": form, "more": max(0, len(rows) - SHOWN),
        "days": bars((row.day, row.at_end) for row in rows),
        "table": Table(headers=HEADERS, rows=[list(row) for row in rows[-SHOWN:]]),
    }  # fmt: skip
    return TemplateResponse(request, "admin/subscriptions/subscribers.html", context)


def counted(form: Days) -> list[Count]:
    try:
        return list(subscribers(**form.cleaned_data, known_at=timezone.now()))
    except TooManyDays as error:
        form.add_error("last", f"{error}.")
        return []
