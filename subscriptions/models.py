"""Plans, subscriptions, and what the platform has been told of them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import ClassVar, Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeBoundary
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import CheckConstraint, F, Func, Q
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

from subscriptions.folding import Status


class PlanQuerySet(models.QuerySet["Plan"]):
    def sold_as(self, name: str) -> Plan | None:
        """The plan with that code, or the one that a billing system sells as that `provider:product`."""
        return self.filter(Q(code=name) | Q(products__contains=[name])).order_by("code").first()


class Plan(models.Model):
    """A plan by the platform's plan code, which the platform's client manager names (Streaming guide §2.2)."""

    code = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=128)
    trial = models.BooleanField(default=False, help_text="the platform then wants the trial's end")
    offline = models.BooleanField(default=False, help_text="may take tracks offline")
    products = ArrayField(
        models.CharField(max_length=255), default=list, blank=True,
        help_text="what billing systems sell it as, such as stripe:price_123, separated by commas",
    )  # fmt: skip
    currency = models.CharField(max_length=3, default="GBP", help_text="where billing does not say")
    recurring_fee = models.PositiveIntegerField(default=0, help_text="in minor units, where billing does not say")
    offline_devices = models.PositiveSmallIntegerField(default=3, help_text="that may take tracks offline at a time")
    concurrent_streams = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="devices that may stream at a time"
    )

    objects = PlanQuerySet.as_manager()
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.name

    def fee(self, told: int | None) -> int:
        """What billing told, 0 included, or else our own."""
        return self.recurring_fee if told is None else told


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def covering(self, instant: datetime) -> Self:
        """Subscriptions whose right to stream holds at `instant` (UTC): start included, end not."""
        return self.lasting(instant).filter(entitled_from__lte=instant)

    def lasting(self, instant: datetime) -> Self:
        """Those whose right has not ended by `instant`, begun or not."""
        return self.filter(entitled_until__gt=instant)


class Subscription(models.Model):
    """One agreement as billing knows it by `external_id`, as of the latest event about it.

    Always derived by folding all stored events, never patched. Instants are UTC; `recurring_fee`
    is in minor units of `currency`, 0 on a voucher.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    listener = models.ForeignKey("accounts.Listener", on_delete=models.PROTECT, related_name="subscriptions")
    external_id = models.CharField(max_length=255, unique=True)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT)
    status = models.CharField(max_length=16, choices=[(status.value, status.value) for status in Status])
    recurring_fee = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2)
    postcode = models.CharField(max_length=32, blank=True)
    activated_at = models.DateTimeField()
    starts_at = models.DateTimeField()
    trial_ends_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    entitled_from = models.DateTimeField(help_text="when the right to stream began, with an earlier period or this one")
    entitled_until = models.DateTimeField(help_text="when the right to stream ends, whatever was paid for")
    told_until = models.DateTimeField(null=True, help_text="up to when the platform has been told, or is about to be")
    cancel_at_period_end = models.BooleanField(default=False)
    as_of = models.DateTimeField(help_text="the time of the event this state comes from")

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        permissions = [("give_period", "Can give listeners days for nothing")]
        constraints = [
            CheckConstraint(condition=Q(starts_at__gte=F("activated_at")), name="subscription_starts_active"),
            CheckConstraint(condition=Q(expires_at__gt=F("starts_at")), name="subscription_has_length"),
            CheckConstraint(condition=Q(entitled_until__lte=F("expires_at")), name="subscription_right_within_period"),
        ]
        indexes = [
            models.Index(fields=["listener", "-entitled_until"], name="subscription_of_listener"),
            models.Index(
                fields=["told_until"], condition=Q(told_until__lt=F("entitled_until")), name="subscription_to_be_told"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} {self.plan_id} {self.status}"

    def period_at(self, instant: datetime) -> Period | None:
        """The stretch of the ledger that holds `instant`, with its plan."""
        return self.periods.covering(instant).select_related("plan").first()


class Span(Func):
    """A range of instants."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class PeriodQuerySet(models.QuerySet["Period"]):
    def believed(self) -> Self:
        """What is held to be true now."""
        return self.filter(withdrawn_at=None)

    def covering(self, instant: datetime) -> Self:
        """Rights that held at `instant` (UTC), as far as is known now: start included, end not."""
        return self.believed().filter(starts_at__lte=instant, ends_at__gt=instant)


class Period(models.Model):
    """A stretch of a listener's right to stream, `[starts_at, ends_at)`, on the terms that then held.

    The ledger: rows are added, and never changed or deleted. One that later news contradict is
    withdrawn, and stays as what was believed from `recorded_at` until `withdrawn_at`.
    """

    id = models.BigAutoField(primary_key=True)
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="periods")
    listener = models.ForeignKey("accounts.Listener", on_delete=models.PROTECT, related_name="periods")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="periods")
    status = models.CharField(max_length=16, choices=[(status.value, status.value) for status in Status])
    recurring_fee = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    withdrawn_at = models.DateTimeField(null=True)

    objects = PeriodQuerySet.as_manager()

    class Meta:
        constraints = [
            CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="period_has_length"),
            ExclusionConstraint(
                name="period_of_its_own",
                expressions=[("subscription", "="), (Span("starts_at", "ends_at", RangeBoundary()), "&&")],
                condition=Q(withdrawn_at=None),
            ),
        ]
        indexes = [
            models.Index(fields=["listener", "-ends_at"], name="period_of_listener"),
            models.Index(fields=["ends_at"], condition=Q(withdrawn_at=None), name="period_believed"),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"


class PlatformWindow(models.Model):
    """One stretch of a subscription that the platform has been, or is to be, told.

    `listener` is who it is told of; the subscription may go to another one later. `starts_at` is the true start;
    the one sent may be later (`rules.on_the_wire`). A listener's newest one is what the platform ought to believe.
    """

    TOLD: ClassVar = (
        "plan_id", "recurring_fee", "currency", "country", "postcode", "activated_at", "starts_at", "trial_ends_at",
        "expires_at",
    )  # fmt: skip

    class State(models.TextChoices):
        PENDING = "PENDING", "to be told"
        SYNCED = "SYNCED", "the platform knows"
        REFUSED = "REFUSED", "the platform would not have it"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="windows")
    listener = models.ForeignKey("accounts.Listener", models.PROTECT, "windows", db_index=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT)
    recurring_fee = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2)
    postcode = models.CharField(max_length=32, blank=True)
    activated_at = models.DateTimeField()
    starts_at = models.DateTimeField()
    trial_ends_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    detail = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(condition=Q(expires_at__gt=F("starts_at")), name="platformwindow_has_length"),
        ]
        indexes = [
            models.Index(fields=["subscription", "-created_at"], name="platformwindow_newest"),
            models.Index(fields=["listener", "-created_at", "-starts_at"], name="platformwindow_of_listener"),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} from {self.starts_at:%Y-%m-%d} {self.state}"
