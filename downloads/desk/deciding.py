"""What people do about one purchase. Each is a page with a question, and the purchase's page once it is answered.

Of two who answer at once the second is told what the first has done.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from accounts.models import User
from desk.cells import moment, page_of
from desk.rows import noted
from downloads import refunding, selling
from downloads.desk import lines, lockers
from downloads.models import Purchase, Refund
from downloads.refreshing import CLOCKS
from kernel.errors import Refusal
from kernel.values import INT32


class Number(forms.Form):
    """Under which number the platform has the sale, and since when: that decides about its month."""

    platform_id = forms.IntegerField(
        label="The platform’s purchase id", min_value=1, max_value=INT32,
        widget=UnfoldAdminIntegerFieldWidget({"autofocus": True}),
    )  # fmt: skip
    sold_at = forms.DateTimeField(
        label="Its date of the purchase", required=False, widget=UnfoldAdminTextInputWidget,
        help_text="in UTC, such as 2026-11-30 23:59; the time of the call, if the platform does not say",
    )  # fmt: skip

    def __init__(self, *args: Any, called_at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.called_at = called_at

    def clean_sold_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["sold_at"]
        if at is not None and not self.called_at - CLOCKS <= at <= timezone.now() + CLOCKS:
            raise forms.ValidationError(f"It lies between the call, {moment(self.called_at)}, and now.")
        return at


class Why(forms.Form):
    """Why something is taken back, or left as it is."""

    reason = forms.CharField(
        max_length=255, help_text="kept with your name; listeners may read it in their export",
        widget=UnfoldAdminTextInputWidget({"autofocus": True}),
    )  # fmt: skip


def was_sold(request: HttpRequest, purchase: Purchase) -> HttpResponse:
    form = Number(request.POST or None, called_at=purchase.called_at or purchase.paid_at)
    if form.is_valid():
        act = partial(selling.was_sold, purchase.pk, **form.cleaned_data)
        note = "Found out: it was sold, as {platform_id}".format(**form.cleaned_data)
        if decided(request, purchase, form, act, note=note):
            messages.success(request, "It is sold, and in the locker.")
            return redirect(page_of(purchase))
    text = "The platform’s client team knows its number; it is also in the platform’s locker."
    return page(request, purchase, form, title="It was sold", button="It was sold", text=text)


def was_not_sold(request: HttpRequest, purchase: Purchase) -> HttpResponse:
    text = "It will be refused, and nothing is billed. The money has to be given back by the billing system."
    said = Said(note="Found out: it was not sold", done="It is refused. Have its money given back.")
    return unsold(request, purchase, said, again=False, title="It was not sold", text=text)


def sell_again(request: HttpRequest, purchase: Purchase) -> HttpResponse:
    warning = "If it was sold after all, it is billed twice: make sure that the platform knows of no such sale."
    said = Said(note="Found out: it was not sold; sold again", done="The platform is being told once more.")
    return unsold(request, purchase, said, again=True, title="Sell it again", warning=warning)


class Said(NamedTuple):
    """What is kept of an answer, and what who gave it is told."""

    note: str
    done: str


def unsold(
    request: HttpRequest, purchase: Purchase, said: Said, *, again: bool, title: str, **context: str
) -> HttpResponse:
    form = forms.Form(request.POST if request.method == "POST" else None)
    act = partial(selling.was_not_sold, purchase.pk, again=again)
    if form.is_valid() and decided(request, purchase, form, act, note=said.note):
        messages.success(request, said.done)
        return redirect(page_of(purchase))
    return page(request, purchase, form, title=title, button=title, **context)


def look_now(request: HttpRequest, purchase: Purchase) -> HttpResponse:
    if request.method == "POST":
        if lockers.read_again(request, purchase.listener) is not None:
            now = Purchase.objects.get(pk=purchase.pk)
            noted(request, [purchase], f"Looked into the locker: {now.state}", was="state")
            messages.info(request, f"This purchase: {now.get_state_display()}.")
        return redirect(page_of(purchase))
    text = (
        "The platform’s locker of this listener is read. If it holds the sale, and no other, the purchase is settled."
    )
    form = forms.Form()
    return page(request, purchase, form, title="Look into the locker now", button="Look", text=text)


def take_back(request: HttpRequest, purchase: Purchase) -> HttpResponse:
    form = Why(request.POST if request.method == "POST" else None)
    if form.is_valid() and (refund := taken_back(request, purchase, form)):
        told = f"It is being taken back: {refund.get_state_display()}."
        messages.success(request, told)
        return redirect(page_of(purchase))
    closes = lines.countdown(purchase.sold_at, now=timezone.now())
    text = "The platform takes the sale out of this month’s report, and the locker loses it. No money is moved by this."
    return page(request, purchase, form, title="Take back", button="Take back", text=text, closes=closes)


def taken_back(request: HttpRequest, purchase: Purchase, form: Why) -> Refund | None:
    """The refund, which somebody else may have begun; None, and the form says why, where there can be none."""
    staff: User = request.user  # type: ignore[assignment]
    reason, now = form.cleaned_data["reason"], timezone.now()
    try:
        with transaction.atomic():
            refund = refunding.take_back(purchase_id=purchase.pk, reason=reason, now=now, by=staff)
            if new := refund.asked_at == now:
                noted(request, [purchase], f"Taken back: {reason}", was="state")
    except Refusal as no:
        form.add_error(None, f"{no.detail}.")
        return None
    if not new:
        by = refund.asked_by or "the billing system"
        messages.warning(request, f"It was wanted back already, by {by} at {moment(refund.asked_at)}: {refund.reason}")
    return refund


def ask_again(request: HttpRequest, refund: Refund) -> HttpResponse:
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            with transaction.atomic():
                if asked := refunding.take_back_again(refund, now=timezone.now()):
                    noted(request, [refund], "Asked the platform once more", was="state")
        except Refusal as no:
            form.add_error(None, f"{no.detail}.")
        else:
            return answered(request, refund, "The platform is being asked once more." if asked else "")
    purchase = refund.purchase
    closes = lines.countdown(purchase.sold_at, now=timezone.now())
    return page(request, purchase, form, title="Ask once more", button="Ask once more", closes=closes)


def let_stand(request: HttpRequest, refund: Refund) -> HttpResponse:
    form = Why(request.POST if request.method == "POST" else None)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        with transaction.atomic():
            if stands := refunding.let_stand(refund, note=reason):
                noted(request, [refund], f"Let the sale stand: {reason}", was="state")
        return answered(request, refund, "It is seen to. The sale stays in its month’s report." if stands else "")
    text = "The platform keeps the sale and bills it. Nothing is told to the platform, and no money is moved by this."
    title = "Let the sale stand"
    return page(request, refund.purchase, form, title=title, button=title, text=text)


def answered(request: HttpRequest, refund: Refund, done: str) -> HttpResponse:
    """Back to the refund, with what was done; where nothing was, with how it stands meanwhile."""
    if done:
        messages.success(request, done)
    else:
        refund.refresh_from_db(fields=["state"])
        messages.warning(request, f"Nothing was done: it is {refund.get_state_display()} meanwhile.")
    return redirect(page_of(refund))


def decided(request: HttpRequest, purchase: Purchase, form: forms.Form, act: Callable[[], None], *, note: str) -> bool:
    """Do it and write it down, both or neither; where it cannot be done any more, the form says so."""
    try:
        with transaction.atomic():
            act()
            noted(request, [purchase], note, was="state")
    except Refusal as no:
        form.add_error(None, f"{no.detail}.")
        return False
    return True


def page(request: HttpRequest, purchase: Purchase, form: forms.Form, **context: Any) -> HttpResponse:
    """A question about a purchase, which is named above it."""
    about = lines.listing(
        ("transaction", purchase.transaction_id), ("what", lines.what(purchase)), ("price", lines.price(purchase)),
        ("paid", moment(purchase.paid_at)), ("called", moment(purchase.called_at)),
        ("looked into the locker", moment(purchase.looked_at)),
        *([("refund", context.pop("closes"))] if "closes" in context else []),
    )  # fmt: skip
    shown = admin.site.each_context(request) | {"form": form, "about": about, "back": page_of(purchase)} | context
    return TemplateResponse(request, "admin/parts/form.html", shown)
