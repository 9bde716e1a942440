"""The one thing the API itself remembers: requests that a phone may send again."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, Q


class KeyedRequest(models.Model):
    """A request that a phone has named by an `Idempotency-Key` of its own (`web.idempotency`).

    `listener_id` is a plain column, because nothing here knows what a listener is. `since` is when the row came into
    its state, by PostgreSQL's clock; while the request runs, it is also the claim of whoever runs it.
    """

    class State(models.TextChoices):
        RUNNING = "RUNNING", "running"
        KEPT = "KEPT", "answered, and the answer is given again"
        FRESH = "FRESH", "answered, and answered afresh each time"

    pk = models.CompositePrimaryKey("listener_id", "key")
    listener_id = models.UUIDField()
    key = models.CharField(max_length=255)
    target = models.CharField(max_length=255, help_text="method and path")
    digest = models.BinaryField(help_text="of the body")
    state = models.CharField(max_length=8, choices=State.choices)
    since = models.DateTimeField()
    status = models.PositiveSmallIntegerField(default=0, help_text="0 where no answer is kept")
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")

    class Meta:
        constraints = [
            CheckConstraint(
                condition=Q(state="KEPT", status__gt=0) | (~Q(state="KEPT") & Q(status=0, body=b"")),
                name="keyedrequest_keeps_or_not",
            )
        ]
        indexes = [models.Index(fields=["since"], name="keyedrequest_to_prune")]

    def __str__(self) -> str:
        return f"{self.target} {self.state}"
