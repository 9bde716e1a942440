"""The shapes subscriptions come in and go out."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from kernel.money import LIMIT
from subscriptions.folding import Status
from subscriptions.models import Period, Plan, PlatformWindow, Subscription
from web.fields import Instant, WholeNumber, country_exists, currency_exists


class SubscriptionUpdated(serializers.Serializer[Any]):
    """The data of a `subscription.updated` event."""

    account_id = serializers.UUIDField()
    external_id = serializers.CharField(max_length=255)
    plan_code = serializers.CharField(max_length=64)
    status = serializers.ChoiceField(
        choices=["active", "past_due", "on_hold", "paused", "cancelled", "expired", "refunded"]
    )
    currency = serializers.CharField(validators=[currency_exists])
    recurring_fee = WholeNumber(min_value=0, max_value=LIMIT, help_text="in minor units")
    country = serializers.CharField(validators=[country_exists])
    postcode = serializers.CharField(max_length=32, required=False, allow_null=True, allow_blank=True)
    activated_at = Instant()
    current_period_start = Instant()
    trial_ends_at = Instant(required=False, allow_null=True)
    expires_at = Instant()
    grace_until = Instant(required=False, allow_null=True, help_text="while past_due: until when the right runs on")
    cancel_at_period_end = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["current_period_start"] < attrs["activated_at"]:
            raise serializers.ValidationError({"current_period_start": "must not lie before activated_at"})
        if attrs["expires_at"] <= attrs["current_period_start"]:
            raise serializers.ValidationError({"expires_at": "must lie after current_period_start"})
        return attrs


class SubscriptionsTransferred(serializers.Serializer[Any]):
    """The data of a transfer that does not say of what: between whom."""

    given_up_by = serializers.ListField(child=serializers.UUIDField())
    account_id = serializers.UUIDField()


class PlanShape(serializers.ModelSerializer[Plan]):
    class Meta:
        model = Plan
        fields = ["code", "name", "trial", "offline"]
        read_only_fields = fields
        ref_name = "Plan"


class PlatformState(serializers.ModelSerializer[PlatformWindow]):
    class Meta:
        model = PlatformWindow
        fields = ["state", "detail"]
        ref_name = "PlatformState"


class PeriodShape(serializers.ModelSerializer[Period]):
    """A stretch in which the listener could stream: `starts_at` included, `ends_at` not."""

    plan = PlanShape()

    class Meta:
        model = Period
        fields = ["starts_at", "ends_at", "status", "plan", "recurring_fee", "currency", "country"]
        ref_name = "Period"


class SubscriptionShape(serializers.ModelSerializer[Subscription]):
    """A listener's subscription, with whether the platform knows of it."""

    status = serializers.SerializerMethodField()
    plan = PlanShape()
    current_period_start = serializers.DateTimeField(source="starts_at")
    platform = serializers.SerializerMethodField()

    def to_representation(self, subscription: Subscription) -> dict[str, Any]:
        """What the next period will be is not told as what is: until it begins, the ledger knows better."""
        shown = super().to_representation(subscription)
        now = timezone.now()
        if subscription.starts_at <= now or (period := subscription.period_at(now)) is None:
            return shown
        start = serializers.DateTimeField().to_representation(period.starts_at)
        return shown | {"plan": PlanShape(period.plan).data, "status": period.status, "current_period_start": start}

    class Meta:
        model = Subscription
        fields = [
            "status", "plan", "activated_at", "current_period_start", "trial_ends_at", "expires_at",
            "cancel_at_period_end", "platform",
        ]  # fmt: skip
        read_only_fields = fields
        ref_name = "Subscription"

    def get_status(self, subscription: Subscription) -> str:
        ran_out = subscription.entitled_until <= timezone.now() and subscription.status != Status.REFUNDED
        return Status.EXPIRED.value if ran_out else subscription.status

    def get_platform(self, subscription: Subscription) -> dict[str, str]:
        window = subscription.windows.order_by("-created_at").first()
        return dict(PlatformState(window).data) if window else {"state": PlatformWindow.State.PENDING, "detail": ""}
