"""What the stand-in remembers: its shelves, its users, what it accepted, and what it is told to do wrong.

All instants are UTC. Ids of the catalogue are the platform's int32 ids; userId and clientId are
opaque text of the partner's.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

# --- Shelves ----------------------------------------------------------------------------------


class Artist(models.Model):
    id = models.PositiveIntegerField(primary_key=True)
    name = models.CharField(max_length=255)

    def __str__(self) -> str:
        return self.name


class Label(models.Model):
    """A label and the licensor that speaks for it."""

    id = models.PositiveIntegerField(primary_key=True)
    name = models.CharField(max_length=255)
    licensor_id = models.PositiveIntegerField()
    licensor_name = models.CharField(max_length=255)

    def __str__(self) -> str:
        return self.name


class Release(models.Model):
    """One release and where it may be heard; its tracks share its offer.

    `version` grows with every change and never goes back. `digest` is the card it was last
    filled from. `cover` names an image or audio file below MUSIC; without one a cover is drawn.
    """

    id = models.PositiveIntegerField(primary_key=True)
    version = models.PositiveBigIntegerField(unique=True)
    digest = models.CharField(max_length=64)
    artist = models.ForeignKey(Artist, on_delete=models.PROTECT)
    label = models.ForeignKey(Label, on_delete=models.PROTECT)
    title = models.CharField(max_length=255)
    subtitle = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=16)  # Album, EP, Single
    genre = models.CharField(max_length=64)
    upc = models.CharField(max_length=14)
    released_at = models.DateTimeField()
    territories = ArrayField(models.CharField(max_length=2))
    streams_from = models.DateTimeField(null=True)  # NULL: not for streaming
    downloads_from = models.DateTimeField(null=True)  # NULL: not for sale
    cover = models.TextField(blank=True)
    taken_down = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.title


class Track(models.Model):
    """One track. `source` is an audio file below MUSIC; empty means that the track is composed on demand."""

    id = models.PositiveIntegerField(primary_key=True)
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="tracks")
    artist = models.ForeignKey(Artist, on_delete=models.PROTECT)
    isrc = models.CharField(max_length=12, blank=True)
    title = models.CharField(max_length=255)
    subtitle = models.CharField(max_length=255, blank=True)
    disc_number = models.PositiveIntegerField()
    track_number = models.PositiveIntegerField()
    seconds = models.FloatField()
    explicit = models.BooleanField(default=False)
    source = models.TextField(blank=True)

    class Meta:
        ordering = ["release", "disc_number", "track_number", "id"]

    def __str__(self) -> str:
        return self.title

    @property
    def clip_starts_at(self) -> int:
        """The second at which its preview clip begins."""
        return round(self.seconds / 3)


# --- Users ------------------------------------------------------------------------------------


class User(models.Model):
    """A partner user. `user_id` is the partner's own text and permanent."""

    user_id = models.CharField(max_length=255, unique=True)
    country = models.CharField(max_length=2)

    def __str__(self) -> str:
        return self.user_id


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def in_force(self, instant: datetime) -> Self:
        """The newest submission that had begun at `instant`. It alone decides, also by having expired."""
        return self.filter(starts_at__lte=instant).order_by("-id")[:1]


class Subscription(models.Model):
    """One accepted submission. Renewal, change of plan and return after a lapse are all further submissions."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="subscriptions")
    plan_code = models.CharField(max_length=64)
    starts_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = SubscriptionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.plan_code} until {self.expires_at:%Y-%m-%d}"


class OfflineDevice(models.Model):
    """A device that may take tracks offline. One that may not has no row."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="offline_devices")
    client_id = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "client_id"], name="offlinedevice_once_per_user")]

    def __str__(self) -> str:
        return self.client_id


class Holder(models.Model):
    """The device that streams for a user, and the devices it displaced.

    `blocks` maps a clientId to the second (since 1970, PostgreSQL's clock) its block ends.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True)
    client_id = models.CharField(max_length=255)
    since = models.DateTimeField()
    blocks = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.client_id


# --- Sales ------------------------------------------------------------------------------------

FIRST_PURCHASE = 49_000_000  # the platform's own numbers for purchases begin here (our choice)


class Sale(models.Model):
    """One accepted sale, and what became of it.

    `track_id` is the one track sold, NULL the whole release; no foreign key, because filling the shelves writes
    tracks anew. `fetched` maps a track's id to how often it was downloaded by this sale.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sales")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="sales")
    track_id = models.PositiveIntegerField(null=True)
    country = models.CharField(max_length=2)
    package_id = models.PositiveSmallIntegerField()
    sold_at = models.DateTimeField()
    refunded_at = models.DateTimeField(null=True)
    fetched = models.JSONField(default=dict)

    def __str__(self) -> str:
        return str(self.purchase_id)

    @property
    def purchase_id(self) -> int:
        return FIRST_PURCHASE + self.pk


# --- Playlists --------------------------------------------------------------------------------


def new_key() -> str:
    """24 hex digits, as playlists and what is on them are named."""
    return secrets.token_hex(12)


class Playlist(models.Model):
    """A playlist, of the partner user with this userId or, where that is empty, of the partner.

    What it says of itself is kept as it was given; nothing is looked up.
    """

    key = models.CharField(max_length=24, unique=True, default=new_key)
    user_id = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=255, blank=True)
    visibility = models.CharField(max_length=8)  # Private, Public
    description = models.CharField(max_length=500, blank=True)
    image = models.TextField(blank=True)
    tags = models.JSONField(default=list)
    annotations = models.JSONField(default=dict)
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["user_id", "id"], name="playlist_of_user")]

    def __str__(self) -> str:
        return self.name


class PlaylistTrack(models.Model):
    """A track on a playlist, in the order of ids."""

    key = models.CharField(max_length=24, unique=True, default=new_key)
    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="tracks")
    fields = models.JSONField()
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.key


# --- Calls ------------------------------------------------------------------------------------


class Nonce(models.Model):
    """A signature that was seen. For media URLs also how far it has been used up."""

    consumer_key = models.CharField(max_length=255)
    timestamp = models.BigIntegerField()
    value = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    begun = models.BooleanField(default=False)  # any bytes were served
    whole = models.BooleanField(default=False)  # an answer without Range was served

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["consumer_key", "timestamp", "value"], name="nonce_is_used_once")
        ]

    def __str__(self) -> str:
        return self.value


class Usage(models.Model):
    """Calls of one key on one day (UTC)."""

    consumer_key = models.CharField(max_length=255)
    day = models.DateField()
    calls = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consumer_key", "day"], name="usage_one_row_per_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.calls}"


class Entry(models.Model):
    """A line of the journal, in order of acceptance. A trigger forbids changing or deleting one.

    `call` numbers the accepted requests of its kind, so that lines of one batch share it.
    """

    seq = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=16)
    call = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    fields = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["kind", "seq"], name="entry_by_kind")]

    def __str__(self) -> str:
        return f"{self.kind} #{self.seq}"


# --- Directions -------------------------------------------------------------------------------


class Fault(models.Model):
    """What the next `left` requests below `path` will suffer."""

    path = models.TextField()
    behaviour = models.CharField(max_length=16)
    left = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.behaviour} at {self.path}"


class Note(models.Model):
    """A single value by name: what the shelves were filled from, how far the clock is shifted."""

    name = models.CharField(primary_key=True, max_length=32)
    value = models.JSONField()

    def __str__(self) -> str:
        return self.name
