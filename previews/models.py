"""Clips that were played."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.db.models.functions import Now

from usage.rules import USER_AGENT_LIMIT


class PreviewPlay(models.Model):
    """One clip, played once, by a listener or by an editor at work.

    `user_id` is what the platform is told, `country` is where it was heard. `batch` is the report it went out in: of
    a report all are taken or none.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "to be reported"
        SENDING = "SENDING", "being reported"
        SENT = "SENT", "reported"
        IN_DOUBT = "IN_DOUBT", "in doubt"
        REJECTED = "REJECTED", "refused by the platform"

    class Usage(models.TextChoices):
        VIEW = "view", "heard"
        CREATION = "creation", "heard while a playlist was made"

    id = models.BigAutoField(primary_key=True)
    play_id = models.UUIDField(help_text="the device’s own: sent again with it, a play counts once")
    fingerprint = models.BigIntegerField(help_text="of what the device told under that id")
    listener = models.ForeignKey(
        "accounts.Listener", on_delete=models.PROTECT, null=True, blank=True, related_name="previews"
    )
    user_id = models.CharField(max_length=255)
    country = models.CharField(max_length=2)
    track_id = models.IntegerField()
    played_at = models.DateTimeField()
    seconds_played = models.PositiveIntegerField()
    user_agent = models.CharField(max_length=USER_AGENT_LIMIT)
    usage = models.CharField(max_length=8, choices=Usage.choices, default=Usage.VIEW)
    received_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    batch = models.UUIDField(null=True, blank=True)
    platform_code = models.IntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["user_id", "play_id"], name="previewplay_once"),
            CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="previewplay_country_is_alpha2"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="WAITING", batch=None), name="previewplay_waiting"),
            models.Index(fields=["batch"], condition=Q(batch__isnull=False), name="previewplay_by_batch"),
            models.Index(fields=["state", "-id"], name="previewplay_by_state"),
            models.Index(fields=["listener", "-played_at"], name="previewplay_of_listener"),
            models.Index(fields=["received_at"], name="previewplay_by_age"),
        ]

    def __str__(self) -> str:
        return f"clip of {self.track_id} at {self.played_at:%Y-%m-%d %H:%M:%S}"
