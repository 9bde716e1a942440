"""What people do about usage reports: import one, find out about its differences, sign it off, withdraw it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)  # fmt: skip

from accounts.models import User
from desk.cells import page_of
from desk.rows import noted
from kernel.errors import Refusal
from kernel.values import SANE_YEARS, midnight
from usage.desk.lines import SHOWN, differences_table, with_plays
from usage.models import Difference, UsageReport
from usage.reconcile import import_report
from usage.resolving import BY_PEOPLE, resolve_differences, sign_report, withdraw_report

DAY: Final = timedelta(days=1)
MOST_AT_ONCE: Final = 500  # differences to resolve with one note


class Day(forms.DateField):
    """A day of a sane year."""

    widget = UnfoldAdminTextInputWidget

    def validate(self, value: date | None) -> None:
        super().validate(value)
        if value is not None and value.year not in SANE_YEARS:
            raise forms.ValidationError("Enter a date of the years 2000 to 2100.")


class Report(forms.Form):
    """A report, and the days whose logging it covers, both included."""

    file = forms.FileField(
        help_text="CSV or XLSX, up to 10 MB; for larger ones there is manage.py import_usage_report",
        widget=UnfoldAdminFileFieldWidget,
    )
    first = Day(label="From", help_text="the first day that it covers, in UTC")
    last = Day(label="Until", help_text="the last one, included")


class Finding(forms.Form):
    """What was found out about differences."""

    resolution = forms.ChoiceField(
        choices=[(each.value, each.label) for each in BY_PEOPLE], widget=UnfoldAdminSelectWidget
    )
    note = forms.CharField(max_length=2000, widget=UnfoldAdminTextareaWidget({"rows": 3, "autofocus": True}))


class Signature(forms.Form):
    """The last word about a report."""

    note = forms.CharField(max_length=2000, required=False, widget=UnfoldAdminTextareaWidget({"rows": 3}))


def bring(request: HttpRequest) -> HttpResponse:
    """A form, and the report's page once it is imported."""
    staff = allowed(request, "usage.add_usagereport")
    last = timezone.now().date().replace(day=1) - DAY
    month = {"first": last.replace(day=1), "last": last}
    form = Report(request.POST or None, request.FILES or None, initial=month)
    if form.is_valid() and (report := taken(request, form, staff)):
        return redirect(page_of(report))
    context = {"title": "Import a usage report", "form": form, "button": "Import", "multipart": True}
    return page(request, context)


def taken(request: HttpRequest, form: Report, staff: User) -> UsageReport | None:
    """The imported report; None, and the form says why, where it cannot be."""
    given = form.cleaned_data
    try:
        report, new = import_report(
            file=given["file"].file, name=given["file"].name, starts_at=midnight(given["first"]),
            ends_at=midnight(given["last"]) + DAY, by=staff, now=timezone.now(),
        )  # fmt: skip
    except Refusal as no:
        form.add_error(None if no.code == "report_time" else "file", f"{no.detail}.")
        return None
    if new:
        noted(request, [report], f"Imported {report.file_name}")
        messages.success(request, f"{report.plays:,} line(s) were compared.")
    else:
        messages.warning(request, "This very file has been imported before; nothing was done.")
    return report


def resolve(request: HttpRequest) -> HttpResponse:
    """Some differences, `?id=1,2,3`, and a form; afterwards the report's page."""
    staff = allowed(request, "usage.change_difference")
    ids = [int(word) for word in request.GET.get("id", "").split(",") if word.isascii() and word.isdecimal()]
    chosen = Difference.objects.filter(pk__in=[pk for pk in ids[:MOST_AT_ONCE] if pk < 2**63]).order_by("pk")
    first = chosen.select_related("report").first()
    if first is None:
        raise Http404("no such difference")
    form = Finding(request.POST or None)
    if form.is_valid():
        try:
            found = resolve_differences(
                ids=[each.pk for each in chosen], by=staff, now=timezone.now(), **form.cleaned_data
            )
        except Refusal as no:
            form.add_error(None, f"{no.detail}.")
        else:
            noted(request, found, "{resolution}: {note}".format(**form.cleaned_data), was="resolution")
            messages.success(request, f"{len(found)} difference(s) are resolved.")
            return redirect(page_of(first.report))
    count = chosen.count()
    context = {"title": f"What about {count} difference(s)?", "form": form, "button": "Resolve"}
    context |= {"table": differences_table(with_plays(chosen)[:SHOWN]), "more": max(0, count - SHOWN)}
    return page(request, context)


def sign(request: HttpRequest, report_id: int) -> HttpResponse:
    """A form for a note, and the report's page once it is signed off."""
    staff = allowed(request, "usage.sign_usagereport")
    report = get_object_or_404(UsageReport, pk=report_id)
    form = Signature(request.POST if request.method == "POST" else None)  # all of it may be left empty
    if form.is_valid():
        try:
            sign_report(report_id=report_id, note=form.cleaned_data["note"], by=staff, now=timezone.now())
        except Refusal as no:
            form.add_error(None, f"{no.detail}.")
        else:
            noted(request, [report], "Signed off")
            return redirect(page_of(report))
    context = {"title": f"Sign report {report} off", "form": form, "button": "Sign off"}
    return page(request, context | {"text": "From then on nothing about it can be changed."})


def withdraw(request: HttpRequest, report_id: int) -> HttpResponse:
    """A question, and the list of reports once this one is withdrawn."""
    allowed(request, "usage.delete_usagereport")
    report = get_object_or_404(UsageReport, pk=report_id)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            withdraw_report(report_id=report_id)
        except Refusal as no:
            form.add_error(None, f"{no.detail}.")
        else:
            noted(request, [report], f"Withdrew report {report}, {report.file_name}")
            messages.success(request, f"Report {report} is withdrawn; another of the same time can be imported.")
            return redirect("admin:usage_usagereport_changelist")
    text = (
        "Its lines and differences are forgotten, for a better report of the same time. What it settled stays settled."
    )
    context = {"title": f"Withdraw report {report}?", "form": form, "button": "Withdraw", "text": text}
    return page(request, context)


def page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(request, "admin/parts/form.html", admin.site.each_context(request) | context)


def allowed(request: HttpRequest, permission: str) -> User:
    """Who is asking. Raises PermissionDenied."""
    staff: User = request.user  # type: ignore[assignment]
    if not staff.has_perm(permission):
        raise PermissionDenied
    return staff
