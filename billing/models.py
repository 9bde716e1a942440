"""The letters billing systems send."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KT
from django.db.models.functions import Now


class BillingEventQuerySet(models.QuerySet["BillingEvent"]):
    def due(self) -> Self:
        """Stored, not handled yet, and not resting after a failure."""
        return self.filter(state=BillingEvent.State.WAITING, due_at__lte=Now())

    def about(self, subject: str) -> Self:
        """Every believable event about one thing, in the order in which it happened."""
        believable = [BillingEvent.State.WAITING, BillingEvent.State.HANDLED, BillingEvent.State.DEAD]
        return self.filter(subject=subject, state__in=believable).order_by("occurred_at", "event_id")


class BillingEvent(models.Model):
    """One event as it came, unique for ever by its provider's id.

    `subject` is what it is about (for a subscription its external_id), so that all events about one
    thing can be folded together. `body` is the raw letter; `data` what its door read from it.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "waiting"
        HANDLED = "HANDLED", "handled"
        IGNORED = "IGNORED", "of a kind nobody here handles"
        REFUSED = "REFUSED", "refused: not understood"
        SANDBOX = "SANDBOX", "a test event, kept apart"
        DEAD = "DEAD", "dead: needs a person"

    provider = models.CharField(max_length=32)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=128, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    occurred_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(db_default=Now())
    body = models.BinaryField()
    data = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    last_error = models.TextField(blank=True)

    objects = BillingEventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="billingevent_once_for_ever"),
        ]
        indexes = [
            models.Index(fields=["subject", "occurred_at", "event_id"], name="billingevent_by_subject"),
            models.Index(fields=["due_at"], condition=Q(state="WAITING"), name="billingevent_waiting"),
            models.Index(fields=["state", "-id"], name="billingevent_by_state"),
            models.Index(
                fields=["received_at"], condition=Q(state="IGNORED") & ~Q(body=b""), name="billingevent_unread"
            ),
            # From a subscription to its invoices, and on to payments and refunds: see billing.personal.
            models.Index(KT("data__external_id"), condition=Q(type="stripe.invoice"), name="billingevent_invoices"),
            models.Index(
                KT("data__invoice"), condition=Q(type__in=["stripe.payment", "stripe.refund"]), name="billingevent_paid"
            ),
            models.Index(KT("data__payment_intent"), condition=Q(type="stripe.refund"), name="billingevent_refunds"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id} {self.type}"


class PlayPurchase(models.Model):
    """A purchase at Google Play, by the name its token has here, and the subscription it belongs to.

    A change of plan is a new purchase that is linked to the one before; the subscription keeps the name of the first.
    """

    name = models.CharField(max_length=40, primary_key=True)
    external_id = models.CharField(max_length=255)
    replaced = models.BooleanField(default=False, help_text="another purchase has taken its place")

    def __str__(self) -> str:
        return self.name
