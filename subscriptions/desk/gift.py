"""Giving a listener some days for nothing."""

from __future__ import annotations

from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.models import Listener, User
from billing.models import BillingEvent
from desk.cells import moment, page_of
from desk.rows import noted
from subscriptions.complimentary import MOST_DAYS, free_from, grant_period
from subscriptions.models import Plan


class Gift(forms.Form):
    """What is given, and why. `gift_id` makes a form that is sent twice one gift."""

    plan = forms.ModelChoiceField(
        Plan.objects.filter(trial=False).order_by("code"), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    days = forms.IntegerField(min_value=1, max_value=MOST_DAYS, initial=7, widget=UnfoldAdminIntegerFieldWidget)
    reason = forms.CharField(
        max_length=200, help_text="kept with your name; listeners may read it in their export",
        widget=UnfoldAdminTextInputWidget({"autofocus": True}),
    )  # fmt: skip
    gift_id = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)


def give(request: HttpRequest, listener_id: UUID) -> HttpResponse:
    """A form, and the listener's page once the gift is given."""
    if not request.user.has_perm("subscriptions.give_period"):
        raise PermissionDenied
    listener = get_object_or_404(Listener, pk=listener_id, closed_at=None)
    form = Gift(request.POST or None)
    if form.is_valid():
        staff: User = request.user  # type: ignore[assignment]
        event = grant_period(listener=listener, by=staff, now=timezone.now(), **form.cleaned_data)
        report(request, event)
        noted(request, [listener], "Gave {days} days of {plan.code} for nothing: {reason}".format(**form.cleaned_data))
        return redirect(page_of(listener))
    context = admin.site.each_context(request) | {
        "title": "Give days for nothing", "form": form, "listener": listener,
        "begins": moment(free_from(listener, now=timezone.now())),
    }  # fmt: skip
    return TemplateResponse(request, "admin/subscriptions/gift.html", context)


def report(request: HttpRequest, event: BillingEvent) -> None:
    """Say what became of it."""
    if event.state == BillingEvent.State.HANDLED:
        messages.success(request, "Done, and the platform is being told.")
    else:
        messages.error(request, f"It is kept, but could not be handled yet: {event.last_error}")
