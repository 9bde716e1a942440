"""The ledger's rows.

`usage_play` is partitioned by the month of `played_at` (see the first migration), so that old
months can be dropped whole. `usage_playkey` is not, and is never pruned: it is what makes a play
id count once for ever.
"""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, Q
from django.db.models.functions import Now

from usage.rules import USER_AGENT_LIMIT, Mode


class PlayState(models.TextChoices):
    WAITING = "WAITING", "waiting to be sent"
    SENDING = "SENDING", "being sent"
    SENT = "SENT", "the platform has it"
    IN_DOUBT = "IN_DOUBT", "sent, answer unknown"
    REJECTED = "REJECTED", "refused by the platform"
    EXPIRED = "EXPIRED", "too old before it could be sent"
    HELD = "HELD", "held for a person"


class PlayKey(models.Model):
    """A play id that has been taken, for ever, with a digest of what it stood for."""

    pk = models.CompositePrimaryKey("listener_id", "play_id")
    listener_id = models.UUIDField()
    play_id = models.UUIDField()
    fingerprint = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.play_id)


class PlayBatch(models.Model):
    """Plays of one listener in one country that go out in one call (Streaming guide §5)."""

    class State(models.TextChoices):
        WAITING = "WAITING", "waiting"
        SENDING = "SENDING", "being sent"
        SENT = "SENT", "the platform has it"
        IN_DOUBT = "IN_DOUBT", "answer unknown"
        SPLIT = "SPLIT", "split in two to find the bad one"
        REJECTED = "REJECTED", "refused by the platform"
        EXPIRED = "EXPIRED", "too old before it could be sent"
        HELD = "HELD", "held for a person"

    listener = models.ForeignKey("accounts.Listener", on_delete=models.PROTECT, related_name="play_batches")
    country = models.CharField(max_length=2)
    size = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(db_default=Now())
    answered_at = models.DateTimeField(null=True, blank=True)
    platform_code = models.IntegerField(null=True, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "play batches"
        indexes = [models.Index(fields=["state", "-id"], name="playbatch_by_state")]

    def __str__(self) -> str:
        return f"#{self.pk}, {self.size} play(s), {self.state}"


class Play(models.Model):
    """One reported listening. Its country is where the listener lived then.

    The table's real primary key is (listener, played_at, id): a listener's history is read along it,
    and nobody looks a play up by its id alone. Neither listeners nor batches are ever deleted, so their
    foreign keys go without the check that PostgreSQL would make on every row of the busiest table.
    """

    id = models.BigAutoField(primary_key=True)
    listener = models.ForeignKey("accounts.Listener", models.PROTECT, "plays", db_index=False, db_constraint=False)
    play_id = models.UUIDField()
    track_id = models.IntegerField()
    release_id = models.IntegerField()
    format_id = models.IntegerField()
    country = models.CharField(max_length=2)
    played_at = models.DateTimeField()
    seconds_played = models.IntegerField(help_text="0 when pre-fetched and never played")
    mode = models.CharField(max_length=16, choices=[(mode.value, mode.value) for mode in Mode])
    user_agent = models.CharField(max_length=USER_AGENT_LIMIT)
    source = models.CharField(max_length=128, blank=True)
    source_id = models.CharField(max_length=128, blank=True)
    received_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=16, choices=PlayState.choices, db_default=PlayState.WAITING)
    batch = models.ForeignKey(
        PlayBatch, on_delete=models.PROTECT, null=True, related_name="plays", db_index=False, db_constraint=False
    )
    platform_code = models.IntegerField(null=True)

    class Meta:
        constraints = [CheckConstraint(condition=Q(seconds_played__gte=0), name="play_seconds_not_negative")]
        indexes = [
            models.Index(
                fields=["played_at"],
                condition=Q(state="WAITING", batch__isnull=True),
                name="play_waiting",
            ),
            models.Index(fields=["batch"], condition=Q(batch__isnull=False), name="play_in_batch"),
        ]

    def __str__(self) -> str:
        return f"{self.track_id} at {self.played_at:%Y-%m-%d %H:%M}"
