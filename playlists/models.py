"""Playlists and what is on them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import CheckConstraint, Deferrable, F, OuterRef, Q, Subquery, UniqueConstraint
from django.db.models.functions import Now

from playlists.rules import CHOSEN_LIMIT, DESCRIPTION_LIMIT, NAME_LIMIT, NOTE_LIMIT


class PlaylistQuerySet(models.QuerySet["Playlist"]):
    def standing(self) -> Self:
        """Playlists that have not been removed."""
        return self.filter(removed_at=None)

    def curated(self) -> Self:
        """Those of the house."""
        return self.filter(owner=None)


class Playlist(models.Model):
    """A list of tracks: a listener's own, or, without an owner, one that editors curate.

    `version` grows with every change of the list or of anything on it: it is the entity tag that a change must name.
    `told_version` is the one the platform has been told of; a removed playlist stays until the platform knows.
    What the platform holds is kept as digests (`playlists.telling`), so that only what differs is told.
    """

    class Visibility(models.TextChoices):
        PRIVATE = "PRIVATE", "private"
        PUBLIC = "PUBLIC", "public"

    class Sync(models.TextChoices):
        PENDING = "PENDING", "the platform is to be told"
        SYNCED = "SYNCED", "the platform has it"
        REFUSED = "REFUSED", "the platform refused it"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        "accounts.Listener", on_delete=models.PROTECT, null=True, blank=True, related_name="playlists"
    )
    name = models.CharField(max_length=NAME_LIMIT)
    description = models.CharField(max_length=DESCRIPTION_LIMIT, blank=True)
    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.PRIVATE)
    version = models.BigIntegerField(default=1)
    track_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    removed_at = models.DateTimeField(null=True, blank=True)
    platform_id = models.CharField(max_length=64, blank=True, help_text="the platform’s own id of it")
    asked = models.BooleanField(default=False, help_text="the platform was asked to make it, and may have")
    told_version = models.BigIntegerField(default=0)
    told_details = models.CharField(max_length=64, blank=True, help_text="a digest of all but its tracks")
    told_tracks = models.CharField(max_length=64, blank=True, help_text="a digest of the tracks there; none: not known")
    told_count = models.PositiveIntegerField(default=0, help_text="how many they are")
    sync = models.CharField(max_length=8, choices=Sync.choices, default=Sync.PENDING)
    sync_detail = models.TextField(blank=True)

    objects = PlaylistQuerySet.as_manager()

    class Meta:
        permissions = [
            ("propose_playlist", "Can propose a draft for publication"),
            ("publish_playlist", "Can publish, schedule and end curated playlists"),
        ]
        constraints = [
            UniqueConstraint(fields=["platform_id"], condition=~Q(platform_id=""), name="playlist_once_on_platform")
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at", "id"], name="playlist_of_listener"),
            models.Index(fields=["-updated_at"], condition=Q(owner__isnull=True), name="playlist_curated"),
        ]

    def __str__(self) -> str:
        return self.name


class Item(models.Model):
    """A track on a playlist; the same one may stand there twice. Sparse positions: see `playlists.ordering`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="items", db_index=False)
    track = models.ForeignKey("catalogue.Track", on_delete=models.PROTECT, related_name="+")
    position = models.BigIntegerField()
    added_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            UniqueConstraint(fields=["playlist", "position"], name="item_one_per_place", deferrable=Deferrable.DEFERRED)
        ]

    def __str__(self) -> str:
        return f"track {self.track_id} at {self.position}"


class Meant(models.Model):
    """Whom a curated playlist is for; an empty list means everybody, and `tags` are for finding it."""

    countries = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    plans = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    locales = ArrayField(models.CharField(max_length=35), default=list, blank=True)
    tags = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    cover = models.CharField(max_length=32, blank=True, help_text="the digest of its picture; else its mosaic")
    mosaic = models.CharField(
        max_length=32, blank=True, help_text="that of the picture made of its tracks’ covers; else its first track’s"
    )

    class Meta:
        abstract = True

    @property
    def picture(self) -> str:
        """The digest of what stands for it; empty where its first track's cover does."""
        return self.cover or self.mosaic


def any_seed() -> int:
    return secrets.randbelow(2**31)


class Rule(models.Model):
    """What chooses tracks for a draft that is then finished by hand. An empty list, or no value, means any.

    Moods and tempos are the classes that the enhanced stream puts a track into; a tempo is no number there.
    """

    class Explicit(models.TextChoices):
        EITHER = "EITHER", "explicit or not"
        YES = "YES", "explicit ones alone"
        NO = "NO", "no explicit ones"

    class Order(models.TextChoices):
        POPULAR = "POPULAR", "the most popular first"
        NEWEST = "NEWEST", "the newest first"
        RANDOM = "RANDOM", "at random, by the seed"

    name = models.CharField(max_length=NAME_LIMIT)
    genres = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    labels = ArrayField(models.CharField(max_length=512), default=list, blank=True)
    artists = ArrayField(models.IntegerField(), default=list, blank=True)
    markets = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    moods = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    tempos = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    within_days = models.PositiveIntegerField(
        "released within days", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    released_from = models.DateField(null=True, blank=True)
    released_until = models.DateField(null=True, blank=True, help_text="that day included")
    least_popularity = models.FloatField(
        "popularity at least", null=True, blank=True, validators=[MinValueValidator(0)],
        help_text="as a track’s own page shows it: one more is twice as popular",
    )  # fmt: skip
    explicit = models.CharField(max_length=8, choices=Explicit.choices, default=Explicit.EITHER)
    count = models.PositiveSmallIntegerField("how many tracks", default=50)
    most_of_artist = models.PositiveSmallIntegerField(
        "at most of one artist", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    most_of_release = models.PositiveSmallIntegerField(
        "at most of one release", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    order = models.CharField(max_length=8, choices=Order.choices, default=Order.POPULAR)
    seed = models.BigIntegerField(default=any_seed, help_text="another one, another choice; the same, the same again")

    class Meta:
        constraints = [
            CheckConstraint(
                condition=Q(count__gte=1, count__lte=CHOSEN_LIMIT),
                name="rule_chooses_some",
                violation_error_message=f"How many tracks: from 1 to {CHOSEN_LIMIT}.",
            ),
            CheckConstraint(
                condition=Q(within_days=None) | Q(released_from=None, released_until=None),
                name="rule_has_one_window",
                violation_error_message="Either within some days, or between two dates.",
            ),
            CheckConstraint(
                condition=Q(released_from=None) | Q(released_until=None) | Q(released_until__gte=F("released_from")),
                name="rule_has_days",
                violation_error_message="It would end before it begins.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Curation(Meant):
    """What a curated playlist has besides: the draft is the playlist itself, its items and this.

    A draft is proposed for as long as its version is the one that was proposed. `brought` are the tracks that its
    rule has ever brought: one that was taken off by hand does not come back.
    """

    playlist = models.OneToOneField(Playlist, on_delete=models.CASCADE, primary_key=True, related_name="curation")
    rule = models.ForeignKey(Rule, models.SET_NULL, null=True, related_name="+")
    brought = ArrayField(models.IntegerField(), default=list, blank=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    proposed_version = models.BigIntegerField(null=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    proposed_note = models.CharField(max_length=NOTE_LIMIT, blank=True)

    def __str__(self) -> str:
        return f"draft {self.playlist_id}"


class RevisionQuerySet(models.QuerySet["Revision"]):
    def live(self, at: datetime) -> Self:
        """What listeners get at an instant: of each playlist the last revision to begin, unless that is over."""
        last = Revision.objects.filter(playlist=OuterRef("playlist")).begun(at).values("pk")[:1]
        running = Q(live_until=None) | Q(live_until__gt=at)
        return self.filter(running, pk=Subquery(last), playlist__removed_at=None)

    def begun(self, at: datetime) -> Self:
        """What has become live by an instant, over or not; of one playlist, the last comes first."""
        return self.filter(live_from__lte=at).order_by("-live_from", "-number")

    def waiting(self, at: datetime) -> Self:
        """What becomes live later."""
        return self.filter(live_from__gt=at)

    def meant_for(self, *, country: str, plans: Collection[str], locales: Collection[str] | None) -> Self:
        """Those for somebody there, on one of these plans, who reads one of these locales; None for any."""
        meant = Q(countries=[]) | Q(countries__contains=[country])
        meant &= Q(plans=[]) | Q(plans__overlap=list(plans))
        if locales is not None:
            meant &= Q(locales=[]) | Q(locales__overlap=list(locales))
        return self.filter(meant)


class Revision(Meant):
    """A curated playlist as it was published. Nothing of it changes but when it is live: `[live_from, live_until)`,
    and its mosaic, which is made a moment later.

    Without `live_from` it was withdrawn before it became live. The clock alone makes it live and ends it.
    """

    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="revisions", db_index=False)
    number = models.PositiveIntegerField()
    draft_version = models.BigIntegerField(help_text="the version of the draft it was made of")
    name = models.CharField(max_length=NAME_LIMIT)
    description = models.CharField(max_length=DESCRIPTION_LIMIT, blank=True)
    item_ids = ArrayField(models.UUIDField())
    track_ids = ArrayField(models.IntegerField())
    track_count = models.PositiveIntegerField()
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=NOTE_LIMIT, blank=True)
    live_from = models.DateTimeField(null=True)
    live_until = models.DateTimeField(null=True)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        constraints = [
            UniqueConstraint(fields=["playlist", "number"], name="revision_one_per_number"),
            CheckConstraint(
                condition=Q(live_until=None) | Q(live_from=None) | Q(live_until__gt=F("live_from")),
                name="revision_has_length",
            ),
        ]
        indexes = [
            models.Index(
                fields=["playlist", "-live_from", "-number"],
                condition=Q(live_from__isnull=False),
                name="revision_last_to_begin",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}, revision {self.number}"


class Shelf(models.Model):
    """A row of curated playlists on the front page of apps."""

    name = models.CharField(max_length=NAME_LIMIT)
    place = models.PositiveIntegerField(default=0, help_text="the lowest comes first")

    class Meta:
        ordering = ["place", "id"]
        verbose_name_plural = "shelves"

    def __str__(self) -> str:
        return self.name


class Featured(models.Model):
    """A curated playlist on a shelf."""

    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE, related_name="featured", db_index=False)
    playlist = models.ForeignKey(
        Playlist, on_delete=models.CASCADE, related_name="featured", limit_choices_to={"owner": None}
    )
    place = models.PositiveIntegerField(default=0, help_text="the lowest comes first")

    class Meta:
        ordering = ["place", "id"]
        verbose_name_plural = "featured"
        constraints = [UniqueConstraint(fields=["shelf", "playlist"], name="featured_once_on_a_shelf")]

    def __str__(self) -> str:
        return f"{self.playlist_id} on {self.shelf_id}"


class Picture(models.Model):
    """One size of a cover that an editor uploaded, by the digest of the upload, or of a mosaic, by its own; as JPEG.

    Never changed.
    """

    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="pictures", db_index=False)
    digest = models.CharField(max_length=32)
    size = models.PositiveSmallIntegerField(help_text="pixels of a side")
    jpeg = models.BinaryField()

    class Meta:
        constraints = [UniqueConstraint(fields=["playlist", "digest", "size"], name="picture_one_per_size")]

    def __str__(self) -> str:
        return f"{self.digest} at {self.size}"


class Swap(models.Model):
    """A place on a draft where an editor has put another track; what undoing it needs to know."""

    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="+", db_index=False)
    item_id = models.UUIDField()
    was = models.ForeignKey("catalogue.Track", on_delete=models.PROTECT, related_name="+", db_index=False)
    became = models.ForeignKey("catalogue.Track", on_delete=models.PROTECT, related_name="+", db_index=False)
    swapped_at = models.DateTimeField()
    swapped_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["-swapped_at"], condition=Q(undone_at__isnull=True), name="swap_to_undo")]

    def __str__(self) -> str:
        return f"track {self.was_id} for {self.became_id}"


class Aside(models.Model):
    """What has happened to a track of a list, and is left at that until something else happens to it."""

    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="+", db_index=False)
    track = models.ForeignKey("catalogue.Track", on_delete=models.PROTECT, related_name="+", db_index=False)
    release_version = models.BigIntegerField()
    harm = models.TextField()
    left_at = models.DateTimeField()
    left_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [UniqueConstraint(fields=["playlist", "track"], name="aside_once")]

    def __str__(self) -> str:
        return f"track {self.track_id}: {self.harm}"


class Presence(models.Model):
    """Somebody has the page of a curated playlist open, or had a moment ago."""

    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    last_seen = models.DateTimeField()

    class Meta:
        constraints = [UniqueConstraint(fields=["playlist", "user"], name="presence_once")]

    def __str__(self) -> str:
        return f"{self.user_id} at {self.playlist_id}"
