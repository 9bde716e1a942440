"""Who holds a listener's stream, which devices there are, and what they keep."""

from __future__ import annotations

import uuid
from typing import Self

from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint


class StreamHolder(models.Model):
    """The one device that streams for a listener, and the devices that are refused for a while.

    One row per listener, changed by one statement on PostgreSQL's clock (`streaming.holder`).
    `blocks` maps the client_id of each displaced device to the Unix time its block ends. `others` maps those that
    stream beside it, where the plan lets several, to when their track will have ended.
    """

    listener = models.OneToOneField("accounts.Listener", on_delete=models.CASCADE, primary_key=True)
    client_id = models.CharField(max_length=255)
    stream_id = models.UUIDField(default=uuid.uuid4)
    track_id = models.IntegerField()
    since = models.DateTimeField()
    plays_until = models.DateTimeField(help_text="when the track that was issued last will have ended")
    blocks = models.JSONField(default=dict)
    others = models.JSONField(default=dict, db_default={})

    class Meta:
        constraints = [CheckConstraint(condition=Q(plays_until__gte=F("since")), name="streamholder_plays_forward")]

    def __str__(self) -> str:
        return f"{self.client_id} since {self.since:%H:%M:%S}"


class StreamGrant(models.Model):
    """A stream that was issued, under the listener's pseudonym: what a play that is reported can be held against.

    Partitioned by the month of `issued_at`, and dropped month by month. No foreign key: nothing here is looked up on
    the way of a stream.
    """

    pk = models.CompositePrimaryKey("listener_id", "issued_at", "stream_id")
    listener_id = models.UUIDField()
    issued_at = models.DateTimeField()
    stream_id = models.UUIDField()
    track_id = models.IntegerField()
    release_id = models.IntegerField()
    format_id = models.IntegerField()
    client_id = models.CharField(max_length=255)
    country = models.CharField(max_length=2)
    offline = models.BooleanField()

    class Meta:
        db_table = "streaming_grant"

    def __str__(self) -> str:
        return f"track {self.track_id} at {self.issued_at:%Y-%m-%d %H:%M:%S}"


class DeviceQuerySet(models.QuerySet["Device"]):
    def known(self) -> Self:
        """Devices that have not been removed."""
        return self.filter(removed_at=None)

    def with_places(self) -> Self:
        """Devices that hold one of their listener's places for offline listening, removed or not."""
        return self.exclude(offline=Device.Offline.OFF)

    def under_way(self) -> Self:
        """Devices of which the platform may believe other than it should."""
        return self.filter(offline__in=[Device.Offline.ENABLING, Device.Offline.DISABLING])


class Device(models.Model):
    """A listener's device, by the id that its app has given itself; the same id of another listener is another device.

    `offline` says whether it may keep tracks (Streaming guide §2.3). It holds a place from before the platform is
    asked until the platform has been told that it may no longer. `generation` grows with every switch: it is the
    fence of a switch under way, and names the key of what is kept, so what was kept before is lost with it.
    """

    class Offline(models.TextChoices):
        OFF = "OFF", "off"
        ENABLING = "ENABLING", "the platform is being asked"
        ON = "ON", "on"
        DISABLING = "DISABLING", "off, and the platform is to be told"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    listener = models.ForeignKey("accounts.Listener", on_delete=models.CASCADE, related_name="devices")
    client_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255, blank=True)
    model = models.CharField(max_length=255, blank=True)
    app_version = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)
    offline = models.CharField(max_length=16, choices=Offline.choices, default=Offline.OFF)
    switched_at = models.DateTimeField(null=True, blank=True, help_text="when offline last began to be switched")
    generation = models.PositiveIntegerField(default=0)
    max_tracks = models.PositiveIntegerField(null=True, blank=True, help_text="that the platform lets it keep")

    objects = DeviceQuerySet.as_manager()

    class Meta:
        constraints = [
            UniqueConstraint(fields=["listener", "client_id"], name="device_once_per_listener"),
            CheckConstraint(
                condition=Q(offline="OFF") | Q(switched_at__isnull=False), name="device_switched_at_some_time"
            ),
            CheckConstraint(
                condition=Q(removed_at=None) | Q(offline__in=["OFF", "DISABLING"]), name="device_removed_is_off"
            ),
        ]
        indexes = [
            models.Index(
                fields=["switched_at"], condition=Q(offline__in=["ENABLING", "DISABLING"]), name="device_under_way"
            ),
            models.Index(fields=["removed_at"], condition=Q(removed_at__isnull=False), name="device_removed"),
        ]

    def __str__(self) -> str:
        return self.name or self.client_id


class OfflineCopy(models.Model):
    """A track that a device may keep, until its lease ends. A check-in renews the lease.

    `key_number` is the device's generation when it was fetched; the copy is of use while that is the device's still.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="copies")
    track_id = models.IntegerField()
    release_id = models.IntegerField()
    format_id = models.IntegerField()
    key_number = models.PositiveIntegerField()
    lease_ends_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "offline copies"
        constraints = [UniqueConstraint(fields=["device", "track_id"], name="offlinecopy_once_per_device")]
        indexes = [models.Index(fields=["lease_ends_at"], name="offlinecopy_by_lease")]

    def __str__(self) -> str:
        return f"track {self.track_id} until {self.lease_ends_at:%Y-%m-%d}"
