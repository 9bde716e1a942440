"""The webhooks of billing systems: prove, store, answer. Acting on the event comes later.

Forged events get 401. A proven event that makes no sense is kept and gets 400, so that its sender
learns of it and nothing is lost. Everything else is our fault and gets 5xx, so that it comes again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.actions import Letter, store_letter
from billing.models import BillingEvent
from billing.providers import apple, google, revenuecat, standard, stripe
from billing.providers.play import keys_at
from kernel.errors import Kind, Refusal
from web.bodies import AlwaysJSON, UnknownEncoding, read_body


class NotUnderstood(Refusal):
    """The event is genuine and has been kept, but it cannot be read as what it claims to be."""

    code, kind = "invalid_event", Kind.INVALID


class BillingDoor(APIView):
    """What the doors of all providers have in common."""

    authentication_classes = []
    permission_classes = [AllowAny]
    content_negotiation_class = AlwaysJSON  # an odd Accept must not cost an event
    limit_scope = "webhooks"

    class Output(serializers.Serializer[Any]):
        event_id = serializers.CharField()
        state = serializers.ChoiceField(choices=BillingEvent.State.choices)

        class Meta:
            ref_name = "BillingEventReceipt"


class StandardDoor(BillingDoor):
    """POST /webhooks/billing/standard."""

    class Input(serializers.Serializer[Any]):
        type = serializers.CharField()
        timestamp = serializers.DateTimeField()
        data = serializers.DictField()  # type: ignore[assignment]  # the name is the standard's

        class Meta:
            ref_name = "BillingEventEnvelope"

    @extend_schema(
        operation_id="billing_standard",
        request=Input,
        responses={202: BillingDoor.Output},
        parameters=[
            OpenApiParameter(name, str, OpenApiParameter.HEADER, required=True)
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        ],
    )
    def post(self, request: Request) -> Response:
        """Take one event of any billing system that signs by Standard Webhooks."""
        if not settings.BILLING_STANDARD_SECRETS:
            raise Http404
        body = raw_body(request)
        event_id = standard.prove(
            body=body,
            headers={name.lower(): value for name, value in request.headers.items()},
            secrets=settings.BILLING_STANDARD_SECRETS,
        )
        return keep(standard.read(body=body, event_id=event_id, now=timezone.now()))


class StripeDoor(BillingDoor):
    """POST /webhooks/billing/stripe."""

    @extend_schema(
        operation_id="billing_stripe",
        request=OpenApiTypes.OBJECT,
        responses={202: BillingDoor.Output},
        parameters=[OpenApiParameter("Stripe-Signature", str, OpenApiParameter.HEADER, required=True)],
    )
    def post(self, request: Request) -> Response:
        """Take one snapshot event of Stripe."""
        if not settings.BILLING_STRIPE_SECRETS:
            raise Http404
        body = raw_body(request)
        stripe.prove(
            body=body,
            signature=request.headers.get("Stripe-Signature", ""),
            secrets=settings.BILLING_STRIPE_SECRETS,
        )
        letter = stripe.read(
            body=body,
            now=timezone.now(),
            tests_count=settings.BILLING_TEST_EVENTS,
            grace=timedelta(days=settings.BILLING_GRACE_DAYS),
        )
        return keep(letter)


class AppleDoor(BillingDoor):
    """POST /webhooks/billing/apple."""

    class Input(serializers.Serializer[Any]):
        signedPayload = serializers.CharField()  # noqa: N815  the name is Apple's

        class Meta:
            ref_name = "AppleNotification"

    @extend_schema(operation_id="billing_apple", request=Input, responses={202: BillingDoor.Output})
    def post(self, request: Request) -> Response:
        """Take one App Store Server Notification, version 2."""
        if not settings.APPLE_BUNDLE_ID:
            raise Http404
        verifiers = apple.verifiers(
            roots=tuple(settings.APPLE_ROOTS),
            bundle_id=settings.APPLE_BUNDLE_ID,
            app_id=settings.APPLE_APP_ID,
            online=settings.APPLE_ONLINE_CHECKS,
        )
        body = raw_body(request)
        try:
            notice = apple.prove(body=body, verifiers=verifiers)
        except apple.Garbled as error:
            return keep(apple.refused(body, apple.name_of(body), str(error)))
        return keep(apple.read(body=body, notice=notice, now=timezone.now(), tests_count=settings.BILLING_TEST_EVENTS))


class GoogleDoor(BillingDoor):
    """POST /webhooks/billing/google."""

    class Input(serializers.Serializer[Any]):
        message = serializers.DictField()
        subscription = serializers.CharField(required=False)

        class Meta:
            ref_name = "GooglePush"

    @extend_schema(
        operation_id="billing_google",
        request=Input,
        responses={202: BillingDoor.Output},
        parameters=[OpenApiParameter("Authorization", str, OpenApiParameter.HEADER, required=True)],
    )
    def post(self, request: Request) -> Response:
        """Take one push of Pub/Sub with a real-time notification of Google Play."""
        if not settings.GOOGLE_PACKAGE_NAME:
            raise Http404
        google.prove(
            authorization=request.headers.get("Authorization", ""),
            find_key=keys_at(settings.GOOGLE_KEYS_URL).find,
            audience=settings.GOOGLE_PUSH_AUDIENCE,
            email=settings.GOOGLE_PUSH_EMAIL,
        )
        return keep(google.read(body=raw_body(request), package=settings.GOOGLE_PACKAGE_NAME, now=timezone.now()))


class RevenueCatDoor(BillingDoor):
    """POST /webhooks/billing/revenuecat."""

    @extend_schema(
        operation_id="billing_revenuecat",
        request=OpenApiTypes.OBJECT,
        responses={202: BillingDoor.Output},
        parameters=[OpenApiParameter("Authorization", str, OpenApiParameter.HEADER, required=True)],
    )
    def post(self, request: Request) -> Response:
        """Take one event of RevenueCat."""
        if not settings.BILLING_REVENUECAT_SECRETS:
            raise Http404
        body = raw_body(request)
        revenuecat.prove(
            authorization=request.headers.get("Authorization", ""), secrets=settings.BILLING_REVENUECAT_SECRETS
        )
        return keep(revenuecat.read(body=body, now=timezone.now(), tests_count=settings.BILLING_TEST_EVENTS))


def keep(letter: Letter) -> Response:
    """Store the letter, and answer once it is committed. Raises NotUnderstood for one that makes no sense."""
    with transaction.atomic():
        event = store_letter(letter)
    if event.state == BillingEvent.State.REFUSED:
        raise NotUnderstood(event.last_error)
    return Response({"event_id": event.event_id, "state": event.state}, status=status.HTTP_202_ACCEPTED)


def raw_body(request: Request) -> bytes:
    """The bytes exactly as they were signed."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnknownEncoding("events are signed as they are sent, so they come without Content-Encoding")
    return read_body(request._request)
