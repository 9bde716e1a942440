"""A listener's subscription, the plans there are, and the date rules as a dry run."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, When
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.errors import Kind, Refusal
from subscriptions.models import Period, Plan, Subscription
from subscriptions.rules import broken, terms_in
from subscriptions.shapes import PeriodShape, PlanShape, SubscriptionShape
from web.callers import IsListener, ListenerRequest, listener_id_of
from web.fields import Instant, Text
from web.pages import PAGE_PARAMETERS, Pages, page_of


class NeverSubscribed(Refusal):
    """The listener has never had a subscription."""

    code, kind, platform_code = "no_subscription", Kind.NOT_FOUND, 2002


class MySubscription(APIView):
    permission_classes = [IsListener]

    @extend_schema(operation_id="subscription_read", responses=SubscriptionShape)
    def get(self, request: ListenerRequest) -> Response:
        """The caller's subscription that runs now, or ran last, or will; of several, the one that runs longest."""
        mine = Subscription.objects.filter(listener=listener_id_of(request)).select_related("plan")
        begun = Case(When(entitled_from__lte=timezone.now(), then=True), default=False)
        subscription = mine.order_by(begun.desc(), "-entitled_until", "-as_of").first()
        if subscription is None:
            raise NeverSubscribed("there is no subscription")
        return Response(SubscriptionShape(subscription).data)


class HistoryPages(Pages):
    """The latest first."""

    ordering = ("-ends_at", "-id")


class SubscriptionHistory(APIView):
    permission_classes = [IsListener]

    @extend_schema(
        operation_id="subscription_history",
        parameters=PAGE_PARAMETERS,
        responses=page_of(PeriodShape(many=True), name="Period"),
    )
    def get(self, request: ListenerRequest) -> Response:
        """When the caller could stream, and on which terms, the latest first; as far as is known now."""
        mine = Period.objects.believed().filter(listener=listener_id_of(request)).select_related("plan")
        pages = HistoryPages()
        rows = pages.paginate_queryset(mine, request, view=self)
        return pages.get_paginated_response(PeriodShape(rows, many=True).data)


class Plans(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(operation_id="plans", responses=page_of(PlanShape(many=True), name="Plan"))
    def get(self, request: Request) -> Response:
        """Every plan a billing system may name."""
        return Response({"results": PlanShape(Plan.objects.order_by("code"), many=True).data, "next": None})


class CheckTerms(APIView):
    """What the platform would say to a subscription's dates, without telling it anything."""

    authentication_classes = []
    permission_classes = [AllowAny]

    class Input(serializers.Serializer[Any]):
        plan_code = Text(max_length=64)
        activated_at = Instant()
        current_period_start = Instant()
        trial_ends_at = Instant(required=False, allow_null=True)
        expires_at = Instant()

        class Meta:
            ref_name = "SubscriptionTerms"

        def validate_plan_code(self, code: str) -> Plan:
            plan = Plan.objects.filter(code=code).first()
            if plan is None:
                raise serializers.ValidationError("there is no such plan")
            return plan

    class Output(serializers.Serializer[Any]):
        class BrokenRule(serializers.Serializer[Any]):
            rule = serializers.CharField()
            field = serializers.CharField()
            detail = serializers.CharField()
            nearest = serializers.DateTimeField(allow_null=True)

        valid = serializers.BooleanField()
        broken = BrokenRule(many=True)

        class Meta:
            ref_name = "SubscriptionCheck"

    @extend_schema(operation_id="subscription_check", request=Input, responses=Output)
    def post(self, request: Request) -> Response:
        """Name every date rule the terms break now, with the nearest value that would pass it."""
        wish = self.Input(data=request.data)
        wish.is_valid(raise_exception=True)
        given = wish.validated_data
        terms = terms_in(given, trial=given["plan_code"].trial)
        faults = broken(terms, now=timezone.now())
        return Response(self.Output({"valid": not faults, "broken": faults}).data)
