"""The platform's date rules, to try dates on before anybody is told."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from desk.cells import Table, moment
from kernel.values import SANE_YEARS
from subscriptions.models import Plan, PlatformWindow
from subscriptions.rules import Broken, Terms, broken, on_the_wire, terms_in, window_at


class Instant(forms.DateTimeField):
    """An instant in UTC, of a sane year."""

    widget = UnfoldAdminTextInputWidget

    def validate(self, value: datetime | None) -> None:
        super().validate(value)
        if value is not None and value.year not in SANE_YEARS:
            raise forms.ValidationError("Enter a year between 2000 and 2100.")


class Dates(forms.Form):
    """One subscription's dates. The fields have the API's names."""

    plan_code = forms.ModelChoiceField(
        Plan.objects.order_by("code"), label="Plan", empty_label=None, widget=UnfoldAdminSelectWidget
    )
    activated_at = Instant(help_text="the first activation, in UTC, such as 2026-01-31 12:00")
    current_period_start = Instant()
    trial_ends_at = Instant(required=False, help_text="of a trial plan")
    expires_at = Instant()


def check_dates(request: HttpRequest) -> HttpResponse:
    """Which rules the dates break now, and what would be sent for them."""
    if not admin.site.get_model_admin(PlatformWindow).has_view_permission(request):
        raise PermissionDenied
    form = Dates(request.GET or None)
    context = admin.site.each_context(request) | {"title": "Would the platform take these dates?", "form": form}
    if form.is_valid():
        given = form.cleaned_data
        context |= verdict_on(terms_in(given, trial=given["plan_code"].trial), now=timezone.now())
    return TemplateResponse(request, "admin/subscriptions/dates.html", context)


def verdict_on(terms: Terms, *, now: datetime) -> dict[str, object]:
    """The broken rules as a table, and the window that would be sent, where it would pass."""
    sent = on_the_wire(window_at(terms, max(now, terms.starts_at)), now=now)
    return {
        "now": moment(now),
        "broken": broken_table(broken(terms, now=now)),
        "sent": None if broken(sent, now=now) else sent,
    }


def broken_table(faults: list[Broken]) -> Table:
    return Table(
        headers=["rule", "field", "what it says", "the nearest that would pass"],
        rows=[[fault.rule, fault.field, fault.detail, moment(fault.nearest)] for fault in faults],
    )
