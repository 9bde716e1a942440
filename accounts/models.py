"""Logins and listeners.

A login holds what identifies a person and goes when they ask. A listener is the pseudonym that
plays, streams and the platform know; it stays.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import CheckConstraint, Q
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords


def random_platform_id() -> str:
    """32 hex digits that say nothing about the person or about how many came before."""
    return secrets.token_hex(16)


class StaffEdits(HistoricalRecords):
    """What staff change of a login in the admin; what people do with their own is no business of theirs."""

    def create_historical_record(self, instance: models.Model, history_type: str, using: str | None = None) -> None:
        if getattr(self.context, "request", None) is not None:
            super().create_historical_record(instance, history_type, using)


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A login by e-mail and password, for listeners and for staff."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = None  # type: ignore[assignment]
    email = models.EmailField("email address", unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]
    history = StaffEdits(
        excluded_fields=["email", "password", "first_name", "last_name", "last_login"], m2m_fields=["groups"]
    )

    def __str__(self) -> str:
        return self.email


class SecondFactor(models.Model):
    """What a member of staff shows beside their password.

    `secret` is encrypted. `step` is that of the last code that was taken, so that none is taken twice. `recovery`
    holds digests of the codes that do without the app, each of them once.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="second_factor")
    secret = models.CharField(max_length=255)
    since = models.DateTimeField()
    step = models.BigIntegerField()
    recovery = ArrayField(models.CharField(max_length=64))

    def __str__(self) -> str:
        return f"since {self.since:%Y-%m-%d}"


class Listener(models.Model):
    """Somebody who streams, under the two ids that carry no personal data.

    `id` is the account_id that billing systems know; `platform_id` is the userId the platform knows,
    random and permanent (Streaming guide §2.1). `subscribed_since` is the first activation of any
    subscription ever: the platform takes no plays of a listener who never had one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="listener")
    platform_id = models.CharField(max_length=255, unique=True, default=random_platform_id, editable=False)
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2, where the listener lives")
    explicit_filter = models.BooleanField(default=False, help_text="hide explicit tracks")
    created_at = models.DateTimeField(db_default=Now())
    on_platform_since = models.DateTimeField(null=True, blank=True)
    subscribed_since = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="listener_country_is_alpha2")]
        indexes = [models.Index(fields=["closed_at"], condition=Q(closed_at__isnull=False), name="listener_closed")]

    def __str__(self) -> str:
        return f"listener {self.platform_id[:8]} ({self.country})"


class Residence(models.Model):
    """A country a listener has lived in, from `since` until the next one begins. Rows are added, never changed.

    `changed_by` is the login that moved them: their own, or a member of staff's.
    """

    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="residences")
    country = models.CharField(max_length=2)
    since = models.DateTimeField()
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["listener", "since"], name="residence_one_per_instant"),
            CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="residence_country_is_alpha2"),
        ]

    def __str__(self) -> str:
        return f"{self.country} since {self.since:%Y-%m-%d}"


def country_at(*, listener_id: uuid.UUID, instant: datetime) -> str:
    """Where the listener lived at `instant`; before the first residence, where they lived first."""
    residences = Residence.objects.filter(listener_id=listener_id)
    then = residences.filter(since__lte=instant).order_by("-since").first() or residences.earliest("since")
    return then.country


class Export(models.Model):
    """Everything we hold about a listener, asked for by them. One waits at a time, and one is kept."""

    class State(models.TextChoices):
        WAITING = "WAITING", "waiting to be made"
        READY = "READY", "ready"
        FAILED = "FAILED", "could not be made"
        EXPIRED = "EXPIRED", "taken away"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="exports")
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    requested_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField(null=True, blank=True)
    size = models.PositiveBigIntegerField(default=0, help_text="bytes")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["listener"], condition=Q(state="WAITING"), name="export_one_waits"),
            CheckConstraint(condition=~Q(state="READY") | Q(expires_at__isnull=False), name="export_ready_expires"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="WAITING"), name="export_waiting"),
            models.Index(fields=["expires_at"], condition=Q(state="READY"), name="export_to_expire"),
        ]

    def __str__(self) -> str:
        return f"export of {self.requested_at:%Y-%m-%d} {self.state}"


class ExportPart(models.Model):
    """Some of an export's bytes."""

    pk = models.CompositePrimaryKey("export_id", "number")
    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"part {self.number}"
