"""The rows behind every call that must reach the platform."""

from __future__ import annotations

from typing import Final, Self

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

UNFINISHED = ["WAITING", "SENDING", "DEAD"]
# Due or abandoned, and first in its lane. A claim that passed the point of no return is not.
CLAIMABLE: Final = """
    (outbox_message.state = 'WAITING' AND outbox_message.due_at <= statement_timestamp()
     OR outbox_message.state = 'SENDING' AND outbox_message.lease_until <= statement_timestamp()
        AND outbox_message.committed_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM outbox_message ahead
                     WHERE ahead.lane = outbox_message.lane AND ahead.id < outbox_message.id
                       AND ahead.state IN ('WAITING', 'SENDING', 'DEAD'))
"""


class MessageQuerySet(models.QuerySet["Message"]):
    def waiting(self) -> Self:
        """Messages that nobody has begun, due or not."""
        return self.filter(state=Message.State.WAITING)

    def due(self) -> Self:
        """Waiting, and their time has come; first in their lane or not."""
        return self.waiting().filter(due_at__lte=Now())

    def abandoned(self) -> Self:
        """Begun, and not finished within their lease: the worker died."""
        return self.filter(state=Message.State.SENDING, lease_until__lte=Now())

    def claimable(self) -> Self:
        """Due or abandoned, and first in their lane."""
        return self.filter(RawSQL(f"({CLAIMABLE})", [], output_field=models.BooleanField()))  # noqa: S611

    def unfinished(self) -> Self:
        """Everything that still stops its lane."""
        return self.filter(state__in=UNFINISHED)


class Message(models.Model):
    """One thing to tell the platform, written in the transaction that made it true.

    Messages of one lane go in the order of their ids. `generation` is the fence: whoever finishes
    a message must hold the generation it was claimed with. `committed_at` is the point of no return
    of a call that must not be made twice; a lease that ends after it leaves the message in doubt.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "waiting"
        SENDING = "SENDING", "being sent"
        DONE = "DONE", "done"
        IN_DOUBT = "IN_DOUBT", "in doubt"
        DEAD = "DEAD", "dead"
        DISCARDED = "DISCARDED", "discarded"

    topic = models.CharField(max_length=64)
    key = models.CharField(max_length=255, help_text="unique within the topic: sending twice is sending once")
    lane = models.CharField(max_length=255)
    body = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    faults = models.PositiveIntegerField(default=0, help_text="attempts that ended in a bug of ours")
    generation = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    deadline = models.DateTimeField(null=True, blank=True, help_text="after it, sending is pointless")
    lease_until = models.DateTimeField(null=True, blank=True)
    committed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            UniqueConstraint(fields=["topic", "key"], name="message_once_per_key"),
            CheckConstraint(
                condition=~Q(state="SENDING") | Q(lease_until__isnull=False), name="message_sending_has_lease"
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "id"], condition=Q(state__in=UNFINISHED), name="message_lane_unfinished"),
            models.Index(fields=["due_at", "id"], condition=Q(state="WAITING"), name="message_waiting"),
            models.Index(fields=["lease_until"], condition=Q(state="SENDING"), name="message_sending"),
            models.Index(fields=["state", "-id"], name="message_by_state"),
            models.Index(fields=["lane", "-id"], name="message_by_lane"),
            models.Index(fields=["topic", "finished_at"], condition=Q(state="DONE"), name="message_done"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.topic} {self.key}"


class Circuit(models.Model):
    """Whether a neighbour answers: after several failures in a row, only one probe goes out per rest."""

    name = models.CharField(max_length=32, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.failures} failures"


class Heartbeat(models.Model):
    """When a periodic task last ran to its end: the age of the whole chain beat → broker → worker."""

    name = models.CharField(max_length=64, primary_key=True)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%H:%M:%S}"
