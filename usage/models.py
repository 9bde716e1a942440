"""The ledger's rows.

`usage_play` is partitioned by the month of `played_at` (see the first migration), so that old
months can be dropped whole. `usage_playkey` is not, and is never pruned: it is what makes a play
id count once for ever.
"""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeBoundary
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import CheckConstraint, F, Func, Q, UniqueConstraint
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


FOR_PEOPLE: Final = [PlayState.HELD, PlayState.IN_DOUBT, PlayState.REJECTED, PlayState.EXPIRED]
"""States that no play comes to on the ordinary way."""
BATCH_OVER: Final = ["SENT", "SPLIT", "REJECTED", "EXPIRED", "RETURNED"]
"""States of a batch of which nothing more will come."""


class PlayKey(models.Model):
    """A play id that has been taken, for ever, with a digest of what it stood for."""

    pk = models.CompositePrimaryKey("listener_id", "play_id")
    listener_id = models.UUIDField()
    play_id = models.UUIDField()
    fingerprint = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.play_id)


class PlayBatch(models.Model):
    """Plays that go out together: in one call those of one listener in one country (Streaming guide §5),
    into the bucket those of anybody, as one file."""

    class Channel(models.TextChoices):
        HTTP = "HTTP", "a call"
        BUCKET = "BUCKET", "a file in the platform's bucket"

    class State(models.TextChoices):
        WAITING = "WAITING", "waiting"
        SENDING = "SENDING", "being sent"
        SENT = "SENT", "the platform has it"
        IN_DOUBT = "IN_DOUBT", "answer unknown"
        SPLIT = "SPLIT", "split in two to find the bad one"
        REJECTED = "REJECTED", "refused by the platform"
        EXPIRED = "EXPIRED", "too old before it could be sent"
        HELD = "HELD", "held for a person"
        RETURNED = "RETURNED", "never arrived; its plays go out with another"

    channel = models.CharField(max_length=8, choices=Channel.choices, default=Channel.HTTP)
    listener = models.ForeignKey(
        "accounts.Listener", on_delete=models.PROTECT, null=True, blank=True, related_name="play_batches"
    )
    country = models.CharField(max_length=2, blank=True)
    object_name = models.CharField(max_length=255, blank=True, help_text="the file's name in the bucket")
    size = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(db_default=Now())
    called_at = models.DateTimeField(null=True, blank=True, help_text="when it last went out")
    answered_at = models.DateTimeField(null=True, blank=True)
    counted = models.IntegerField(null=True, blank=True, help_text="the plays that the platform says it took")
    platform_code = models.IntegerField(null=True, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "play batches"
        constraints = [
            CheckConstraint(
                condition=Q(channel="BUCKET", listener__isnull=True) | Q(channel="HTTP", listener__isnull=False),
                name="playbatch_of_one_listener_in_a_call",
            )
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="playbatch_by_state"),
            models.Index(fields=["called_at"], name="playbatch_by_call"),
            models.Index(fields=["created_at"], condition=Q(state__in=BATCH_OVER), name="playbatch_over"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}, {self.size} play(s), {self.state}"

    @property
    def user_id(self) -> str:
        """The platform's userId that a call is made under. Raises ValueError for a file, which holds many."""
        if self.listener is None:
            raise ValueError("a file is of no one listener")
        return self.listener.platform_id


TOPICS: Final = {PlayBatch.Channel.HTTP: "plays.log", PlayBatch.Channel.BUCKET: "plays.deposit"}
"""The messages by which batches go out."""


class Play(models.Model):
    """One reported listening. Its country is where the listener lived then.

    The table's real primary key is (listener, played_at, id): a listener's history is read along it,
    and nobody looks a play up by its id alone. Listeners are never deleted, and batches only once their plays are gone
    (`usage.retention`), so their foreign keys go without the check that PostgreSQL would make on every row of the
    busiest table.
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
    skew_seconds = models.IntegerField(
        db_default=0, help_text="by how much the device's clock was behind ours; played_at is set right by it"
    )
    flags = ArrayField(
        models.CharField(max_length=24), db_default=[], help_text="why a person should look at it before it is paid"
    )
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
            models.Index(fields=["state", "played_at"], condition=Q(state__in=FOR_PEOPLE), name="play_for_people"),
            BrinIndex(fields=["received_at"], name="play_by_arrival", autosummarize=True, pages_per_range=32),
        ]

    def __str__(self) -> str:
        return f"{self.track_id} at {self.played_at:%Y-%m-%d %H:%M}"


class Span(Func):
    """`[from, to)` of two columns."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class UsageReport(models.Model):
    """The platform's report of what it logged in `[starts_at, ends_at)` (UTC), and what came of comparing it.

    Times of two reports never overlap, so that a play stands in one of them. A trigger keeps what is signed
    as it is, and its differences with it.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", "open"
        SIGNED = "SIGNED", "signed off"

    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, unique=True, help_text="of the file: the same one is imported once")
    starts_at = models.DateTimeField(help_text="of the time of logging that it covers")
    ends_at = models.DateTimeField(help_text="not included")
    imported_at = models.DateTimeField()
    imported_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True)
    plays = models.PositiveIntegerField(default=0, help_text="lines of the report")
    matched = models.PositiveIntegerField(default=0, help_text="equal to a play of ours")
    missing = models.PositiveIntegerField(default=0, help_text="sent by us, and not in it")
    extra = models.PositiveIntegerField(default=0, help_text="in it, and no play of ours")
    changed = models.PositiveIntegerField(default=0, help_text="in it otherwise than we sent it")
    unexpected = models.PositiveIntegerField(default=0, help_text="in it, though we think it was not taken")
    arrived = models.PositiveIntegerField(default=0, help_text="in doubt before, and in it")
    returned = models.PositiveIntegerField(default=0, help_text="in doubt before, and not in it: sent again")
    expired = models.PositiveIntegerField(default=0, help_text="of these, too old to be sent again")
    undecided = models.PositiveIntegerField(default=0, help_text="not in it, but perhaps in a neighbour's")
    days = models.JSONField(default=list, help_text="[day, plays of ours, lines of theirs]")

    class Meta:
        permissions = [("sign_usagereport", "Can sign usage reports off")]
        constraints = [
            CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="usagereport_has_length"),
            CheckConstraint(
                condition=Q(state="SIGNED", signed_at__isnull=False)
                | Q(state="OPEN", signed_at__isnull=True, signed_by__isnull=True),
                name="usagereport_signed_when_signed",
            ),
            CheckConstraint(
                condition=Q(plays=F("matched") + F("extra") + F("changed") + F("unexpected")),
                name="usagereport_counts_every_line",
            ),
            ExclusionConstraint(
                name="usagereport_of_a_time_of_its_own",
                expressions=[(Span("starts_at", "ends_at", RangeBoundary()), "&&")],
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}, {self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"


class ReportRow(models.Model):
    """A line of a report as it stands there, and the play of ours that it is of.

    `play` is that play's id. It is no foreign key, because the ledger is not keyed by it alone and old months may go.
    """

    report = models.ForeignKey(UsageReport, models.DO_NOTHING, related_name="rows", db_index=False)
    line = models.PositiveIntegerField()
    stream_id = models.CharField(max_length=128, blank=True)
    logged_at = models.DateTimeField()
    user_id = models.CharField(max_length=255)
    track_id = models.BigIntegerField()
    format_id = models.BigIntegerField()
    country = models.CharField(max_length=2)
    mode = models.CharField(max_length=16)
    played_at = models.DateTimeField(help_text="to the second")
    seconds_played = models.BigIntegerField()
    play = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["report", "line"], name="reportrow_once_per_line"),
            UniqueConstraint(fields=["play"], condition=Q(play__isnull=False), name="reportrow_one_per_play"),
        ]

    def __str__(self) -> str:
        return f"line {self.line}"


class Difference(models.Model):
    """Something that a report and the ledger do not agree on, and what a person found out about it."""

    class Kind(models.TextChoices):
        MISSING = "MISSING", "we sent it, and it is not there"
        EXTRA = "EXTRA", "it is there, and we know nothing of it"
        CHANGED = "CHANGED", "it is there otherwise"
        UNEXPECTED = "UNEXPECTED", "it is there, and we think it was not taken"

    class Resolution(models.TextChoices):
        OPEN = "OPEN", "open"
        OURS = "OURS", "the ledger is right, and the platform was told"
        THEIRS = "THEIRS", "the report is right"
        ALIKE = "ALIKE", "both mean the same"
        FOUND = "FOUND", "it is in a later report"

    report = models.ForeignKey(UsageReport, models.DO_NOTHING, related_name="differences", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    row = models.OneToOneField(ReportRow, models.DO_NOTHING, null=True, blank=True, related_name="difference")
    play = models.BigIntegerField(null=True, blank=True)
    listener = models.ForeignKey("accounts.Listener", models.PROTECT, null=True, blank=True, db_index=False)
    played_at = models.DateTimeField(null=True, blank=True, help_text="by our ledger")
    fields = ArrayField(models.CharField(max_length=16), default=list, blank=True, help_text="what differs")
    detail = models.CharField(max_length=255, blank=True)
    resolution = models.CharField(max_length=16, choices=Resolution.choices, default=Resolution.OPEN)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                condition=Q(kind="MISSING", play__isnull=False, row__isnull=True)
                | Q(kind="EXTRA", play__isnull=True, row__isnull=False)
                | Q(kind__in=["CHANGED", "UNEXPECTED"], play__isnull=False, row__isnull=False),
                name="difference_of_play_or_line_or_both",
            ),
            CheckConstraint(
                condition=Q(play__isnull=True, listener__isnull=True, played_at__isnull=True)
                | Q(play__isnull=False, listener__isnull=False, played_at__isnull=False),
                name="difference_finds_its_play",
            ),
            CheckConstraint(
                condition=Q(resolution="OPEN", resolved_at__isnull=True, resolved_by__isnull=True, note="")
                | (~Q(resolution="OPEN") & Q(resolved_at__isnull=False) & ~Q(note="")),
                name="difference_resolved_with_a_note",
            ),
            UniqueConstraint(fields=["play"], condition=Q(kind="MISSING"), name="difference_missing_once"),
        ]
        indexes = [models.Index(fields=["report", "resolution", "kind"], name="difference_by_report")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind}"
