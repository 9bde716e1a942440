"""What was bought, what was taken back, and what stands in the lockers."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.db.models.functions import Now

from downloads.rules import STANDARD_PACKAGE, refundable_until


class PurchaseQuerySet(models.QuerySet["Purchase"]):
    def sold(self) -> Self:
        """Those that the platform has logged as sales, taken back or not."""
        return self.filter(platform_id__isnull=False)


class Purchase(models.Model):
    """One release or one track that a listener paid for: one transaction, and one sale at the platform.

    The names of what was sold are kept as they were on that day: receipts and reports say what was bought, whatever
    became of it in the catalogue. `round` counts how often a person had it sold; `called_at` says that a call of this
    round went out, or may have. `platform_id` is the platform's purchase id, without which nothing can be refunded.
    """

    class State(models.TextChoices):
        PENDING = "PENDING", "to be logged"
        CONFIRMED = "CONFIRMED", "sold"
        REFUSED = "REFUSED", "refused: not sold"
        UNKNOWN = "UNKNOWN", "not known: sold or not"
        REFUNDED = "REFUNDED", "taken back"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    listener = models.ForeignKey("accounts.Listener", on_delete=models.PROTECT, related_name="purchases")
    transaction_id = models.CharField(max_length=255, unique=True, help_text="the billing system’s")
    release_id = models.IntegerField()
    track_id = models.IntegerField(null=True, blank=True, help_text="none: the whole release")
    package_id = models.PositiveIntegerField(default=STANDARD_PACKAGE)
    retail_price = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2, help_text="where it was bought")
    postcode = models.CharField(max_length=32, blank=True)
    email = models.EmailField(blank=True)
    title = models.CharField(max_length=1024, blank=True)
    version = models.CharField(max_length=1024, blank=True)
    artist_name = models.CharField(max_length=1024, blank=True)
    release_title = models.CharField(max_length=1024, blank=True)
    label = models.CharField(max_length=512, blank=True)
    licensor_id = models.IntegerField(null=True, blank=True)
    isrc = models.CharField("ISRC", max_length=32, blank=True)
    upc = models.CharField("UPC", max_length=64, blank=True)
    paid_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    round = models.PositiveSmallIntegerField(default=1)
    called_at = models.DateTimeField(null=True, blank=True)
    platform_id = models.BigIntegerField(null=True, blank=True, help_text="the platform’s purchase id")
    sold_at = models.DateTimeField(null=True, blank=True, help_text="the platform’s date of the purchase")
    looked_at = models.DateTimeField(null=True, blank=True, help_text="when the platform’s locker was last looked into")
    platform_code = models.IntegerField(null=True, blank=True)
    detail = models.TextField(blank=True)

    objects = PurchaseQuerySet.as_manager()

    class Meta:
        permissions = [("refund_purchase", "Can take purchases back")]
        constraints = [
            CheckConstraint(condition=Q(retail_price__gte=0), name="purchase_price_not_negative"),
            CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="purchase_country_is_alpha2"),
            CheckConstraint(
                condition=~Q(state="CONFIRMED") | Q(platform_id__isnull=False, sold_at__isnull=False),
                name="purchase_sold_has_id",
            ),
            UniqueConstraint(
                fields=["platform_id", "release_id", "track_id"],
                condition=Q(platform_id__isnull=False),
                nulls_distinct=False,
                name="purchase_one_per_sale",
            ),
        ]
        indexes = [
            models.Index(fields=["listener", "-paid_at", "-id"], name="purchase_of_listener"),
            models.Index(fields=["state", "-paid_at"], name="purchase_by_state"),
            models.Index(fields=["-paid_at", "-id"], name="purchase_by_date"),
            models.Index(fields=["sold_at"], condition=Q(sold_at__isnull=False), name="purchase_by_sale"),
            models.Index(fields=["platform_id"], name="purchase_by_platform_id"),
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id}: {self.title}"

    @property
    def refundable_until(self) -> datetime | None:
        """When the time for taking it back ends; None while nothing is known to be sold."""
        return None if self.sold_at is None else refundable_until(self.sold_at)


class Refund(models.Model):
    """A purchase that is to be taken back at the platform, by a billing event or by a person. One a purchase.

    What it was asked for while nobody knew of a sale waits until somebody does. `round` counts how often the platform
    is asked on a person's word; `called_at` says that a call went out, of which nobody knows whether it was heard.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "to be logged"
        DONE = "DONE", "taken back"
        REFUSED = "REFUSED", "refused: needs a person"
        STANDS = "STANDS", "seen to: the sale stands"

    purchase = models.OneToOneField(Purchase, on_delete=models.PROTECT, primary_key=True, related_name="refund")
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    round = models.PositiveSmallIntegerField(default=1)
    reason = models.CharField(max_length=255)
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    called_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    platform_code = models.IntegerField(null=True, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["state", "-asked_at"], name="refund_by_state"),
            models.Index(fields=["settled_at"], condition=Q(state="DONE"), name="refund_by_date"),
        ]

    def __str__(self) -> str:
        return f"refund of {self.purchase.transaction_id}"


class LockerRelease(models.Model):
    """A release of which something stands in a listener's locker."""

    id = models.BigAutoField(primary_key=True)
    listener = models.ForeignKey("accounts.Listener", on_delete=models.CASCADE, related_name="locker")
    release_id = models.IntegerField()
    title = models.CharField(max_length=1024)
    version = models.CharField(max_length=1024, blank=True)
    artist_name = models.CharField(max_length=1024)
    purchased_at = models.DateTimeField(help_text="when something of it was last bought")

    class Meta:
        constraints = [UniqueConstraint(fields=["listener", "release_id"], name="lockerrelease_once")]
        indexes = [
            models.Index(fields=["listener", "title", "id"], name="lockerrelease_by_title"),
            models.Index(fields=["listener", "artist_name", "id"], name="lockerrelease_by_artist"),
            models.Index(fields=["listener", "purchased_at", "id"], name="lockerrelease_by_date"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.release_id})"


class LockerTrackQuerySet(models.QuerySet["LockerTrack"]):
    def only_there(self) -> Self:
        """What the platform's locker holds, and no purchase of ours accounts for."""
        return self.filter(purchase=None)

    def only_here(self) -> Self:
        """What we sold, and the platform's locker did not hold when it was last read."""
        return self.filter(read_at__isnull=False, there=False)

    def differing(self) -> Self:
        """Both: what support is to clear up."""
        return self.only_there() | self.only_here()


class LockerTrack(models.Model):
    """A track in a locker, by the sale it came with: from our purchase, from the platform's locker, or both.

    `there` is whether the platform's locker had it when it was last read, at `read_at`. What was bought before we
    kept the locker has no purchase here.
    """

    id = models.BigAutoField(primary_key=True)
    release = models.ForeignKey(LockerRelease, on_delete=models.CASCADE, related_name="tracks")
    purchase = models.ForeignKey(Purchase, on_delete=models.CASCADE, null=True, blank=True, related_name="locker")
    platform_id = models.BigIntegerField(help_text="the platform’s purchase id")
    track_id = models.IntegerField()
    title = models.CharField(max_length=1024)
    version = models.CharField(max_length=1024, blank=True)
    artist_name = models.CharField(max_length=1024)
    disc_number = models.PositiveIntegerField(default=1)
    track_number = models.PositiveIntegerField(default=0)
    isrc = models.CharField("ISRC", max_length=32, blank=True)
    duration_seconds = models.PositiveIntegerField(default=0)
    whole_release = models.BooleanField(help_text="bought with all of its release")
    purchased_at = models.DateTimeField()
    remaining_downloads = models.PositiveIntegerField(null=True, blank=True, help_text="none: the platform did not say")
    formats = ArrayField(models.IntegerField(), default=list, help_text="none: the platform did not say")
    read_at = models.DateTimeField(null=True, blank=True)
    there = models.BooleanField(default=False)

    objects = LockerTrackQuerySet.as_manager()

    class Meta:
        constraints = [
            UniqueConstraint(fields=["release", "platform_id", "track_id"], name="lockertrack_once_a_sale"),
            CheckConstraint(condition=Q(there=False) | Q(read_at__isnull=False), name="lockertrack_there_was_read"),
            CheckConstraint(condition=Q(there=True) | Q(purchase__isnull=False), name="lockertrack_has_a_source"),
        ]
        indexes = [models.Index(fields=["purchase"], name="lockertrack_by_purchase")]

    def __str__(self) -> str:
        return f"{self.title} ({self.track_id})"
