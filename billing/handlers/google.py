"""What billing itself has to do about events: to look up at Google what a push was about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers

from billing.actions import Letter, store_letter
from billing.models import BillingEvent, PlayPurchase
from billing.providers import google, play_purchase
from billing.providers.play import play_at
from billing.registry import Happened, on_billing


class GoogleNotification(serializers.Serializer[Any]):
    """The data of a `google.notification`."""

    token = serializers.CharField()
    kind = serializers.IntegerField()
    voided = serializers.BooleanField()


@on_billing(google.NOTIFICATION, shape=GoogleNotification, subject="token")
def look_up(event: Happened) -> None:
    """Ask Google what is true of the purchase, and store the answer as an event of its own.

    It is true as of when it was asked, whatever the push was about; so answers need no order of pushes.
    Nothing changes while Google does not answer: what is raised here lets the push wait.
    """
    if event.provider != google.PROVIDER:
        raise LookupError("only Google Play speaks of its purchases")
    asked_at = timezone.now()
    play = play_at(
        url=settings.GOOGLE_PLAY_URL, token_url=settings.GOOGLE_TOKEN_URL, account=settings.GOOGLE_SERVICE_ACCOUNT
    )
    answer = play.purchase(package=settings.GOOGLE_PACKAGE_NAME, token=event.data["token"])
    if play_purchase.is_unborn(answer):
        return
    purchase = note_purchase(event.data["token"], linked=linked_token(answer))
    if purchase.replaced or play_purchase.is_replaced(answer):
        return
    known = BillingEvent.objects.about(purchase.external_id).filter(type="subscription.updated")
    data = play_purchase.snapshot(
        answer,
        external_id=purchase.external_id,
        happened_at=event.occurred_at,
        kind=event.data["kind"],
        voided=event.data["voided"],
        is_first=not known.exists(),
    )
    apart = "testPurchase" in answer and not settings.BILLING_TEST_EVENTS
    store_letter(
        Letter(
            provider=event.provider,
            event_id=f"{event.event_id}@{asked_at.timestamp():.3f}",
            body=json.dumps(answer).encode(),
            type="subscription.updated",
            subject=purchase.external_id,
            occurred_at=asked_at,
            data=data,
            state=BillingEvent.State.SANDBOX if apart else BillingEvent.State.WAITING,
        )
    )


def note_purchase(token: str, *, linked: str | None) -> PlayPurchase:
    """The purchase's row, in the subscription of the purchase whose place it has taken, if any."""
    external_id = name = google.name_of(token)
    if linked is not None:
        older = google.name_of(linked)
        before, _ = PlayPurchase.objects.update_or_create(
            name=older, defaults={"replaced": True}, create_defaults={"external_id": older, "replaced": True}
        )
        external_id = before.external_id
    purchase, _ = PlayPurchase.objects.get_or_create(name=name, defaults={"external_id": external_id})
    return purchase


def linked_token(answer: Mapping[str, Any]) -> str | None:
    """The token of the purchase before. Raises Unreadable."""
    token = answer.get("linkedPurchaseToken")
    if token is not None and not (isinstance(token, str) and google.TOKEN.match(token)):
        raise play_purchase.Unreadable("linkedPurchaseToken is malformed")
    return token
