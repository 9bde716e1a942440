"""Subscriptions ("Create a subscription"): submitted anew for every period, never changed or cancelled."""

from __future__ import annotations

import re
from typing import Final

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from sandbox import answers, clock, instants, journal, rules
from sandbox.answers import Refused
from sandbox.calls import INT32, Call, Parameters, invalid
from sandbox.gate import signed
from sandbox.models import Subscription, User

FIELDS: Final = (
    "userId", "planCode", "status", "currency", "recurringFee", "postcode", "country",
    "activatedAt", "currentPeriodStartDate", "trialEndsAt", "expiryDate",
)  # fmt: skip
LEVELS: Final = ("premium", "standard", "trial")


@signed
def submit(request: HttpRequest, call: Call) -> HttpResponse:
    """POST /1.2/user/unlimitedStreaming, as a form → `streaming` with level and expiryDate.

    1001 for a missing field, 1002 for a wrong one or a broken date rule, 2001 for an unknown user
    (the codes are our choice). The same submission twice is accepted twice.
    """
    form = call.form
    user_id = form.text("userId")
    _check_words(form)
    terms = _terms(form)
    if broken := rules.broken(terms, now=clock.now(), past_side=settings.R2 == "strict"):
        reasons = [f'Invalid value for "{rule.field}": {rule.reason} ({rule.rule})' for rule in broken]
        raise Refused(1002, "; ".join(reasons))
    with transaction.atomic():
        subscription = Subscription.objects.create(
            user=_user(user_id),
            plan_code=form.find("planCode"),
            starts_at=terms.starts_at,
            expires_at=terms.expires_at,
        )
        journal.record("subscriptions", {name: form.find(name) for name in FIELDS if form.find(name)})
    return _answer(request, subscription)


@signed
def read(request: HttpRequest, call: Call) -> HttpResponse:
    """GET /1.2/user/unlimitedStreaming?userId=…&country=… → `streaming` of the newest submission, also when lapsed.

    2001 for an unknown user, and for one that never had a subscription (our choice).
    """
    user_id = call.query.text("userId")
    call.query.country()
    subscription = _user(user_id).subscriptions.order_by("-id").first()
    if subscription is None:
        raise Refused(2001, "Subscription not found")
    return _answer(request, subscription)


def _check_words(form: Parameters) -> None:
    """The fields that are no dates."""
    form.country()
    if form.text("planCode") not in settings.PLAN_CODES:
        raise invalid("planCode", form.find("planCode"))
    if form.text("status") != "active":
        raise invalid("status", form.find("status"))
    if not re.fullmatch(r"[A-Z]{3}", form.text("currency")):
        raise invalid("currency", form.find("currency"))
    if not re.fullmatch(r"[0-9]{1,10}", form.text("recurringFee")) or int(form.find("recurringFee")) > INT32:
        raise invalid("recurringFee", form.find("recurringFee"))
    if form.find("postcode"):
        form.text("postcode", longest=16)


def _terms(form: Parameters) -> rules.Terms:
    return rules.Terms(
        activated_at=form.instant("activatedAt"),
        starts_at=form.instant("currentPeriodStartDate"),
        trial_ends_at=form.instant("trialEndsAt") if form.find("trialEndsAt") else None,
        expires_at=form.instant("expiryDate"),
        trial_plan="trial" in form.find("planCode").lower(),
    )


def _user(user_id: str) -> User:
    user = User.objects.filter(user_id=user_id).first()
    if user is None:
        raise Refused(2001, f"User not found: {user_id[:100]}")
    return user


def _answer(request: HttpRequest, subscription: Subscription) -> HttpResponse:
    """The level is the plan's own word for itself."""
    plan = subscription.plan_code.lower()
    level = next((word for word in LEVELS if word in plan), plan)
    expiry = instants.iso(subscription.expires_at)
    return answers.ok(request, {"streaming": {"level": level, "expiryDate": expiry}}, bare=True)
