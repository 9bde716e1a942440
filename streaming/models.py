"""Who holds a listener's stream."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import CheckConstraint, F, Q


class StreamHolder(models.Model):
    """The one device that streams for a listener, and the devices that are refused for a while.

    One row per listener, changed by one statement on PostgreSQL's clock (`streaming.holder`).
    `blocks` maps the client_id of each displaced device to the Unix time its block ends.
    """

    listener = models.OneToOneField("accounts.Listener", on_delete=models.CASCADE, primary_key=True)
    client_id = models.CharField(max_length=255)
    stream_id = models.UUIDField(default=uuid.uuid4)
    track_id = models.IntegerField()
    since = models.DateTimeField()
    plays_until = models.DateTimeField(help_text="when the track that was issued last will have ended")
    blocks = models.JSONField(default=dict)

    class Meta:
        constraints = [CheckConstraint(condition=Q(plays_until__gte=F("since")), name="streamholder_plays_forward")]

    def __str__(self) -> str:
        return f"{self.client_id} since {self.since:%H:%M:%S}"
