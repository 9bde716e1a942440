"""The mirror's rows. Everything here is written by `catalogue.actions` alone, from catalogue events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import CheckConstraint, Exists, F, Func, OuterRef, Q, Value
from django.db.models.functions import Coalesce, Now

from catalogue.licensors import listed_licensors
from catalogue.rules import Use

BEFORE_ALL: Final = datetime(1000, 1, 1, tzinfo=UTC)  # where releases without a date are shelved
PENDING_KIB: Final = 256  # what each search must wade through before it reaches the index proper
STANDING: Final = Q(taken_down_at__isnull=True)
# The words of a track's own title and version, in order, as a short text; in the very shape of the index by it.
WORDING: Final = "md5((ts_filter({words}, '{{a}}'))::text)"


class Wording(Func):
    """WORDING of a column, as an expression."""

    template = WORDING.format(words="%(expressions)s")
    output_field = models.CharField()


class Artist(models.Model):
    """An artist, by the platform's id, under the name that the highest version of any of its releases gives."""

    id = models.IntegerField(primary_key=True)
    version = models.BigIntegerField(default=-1)
    name = models.CharField(max_length=1024)
    popularity = models.FloatField(db_default=0)
    search = SearchVectorField(null=True)

    class Meta:
        indexes = [
            GinIndex(fields=["search"], name="artist_search", gin_pending_list_limit=PENDING_KIB),
            models.Index(fields=["-popularity", "id"], name="artist_popular"),
        ]

    def __str__(self) -> str:
        return self.name


class ReleaseQuerySet(models.QuerySet["Release"]):
    def standing(self) -> Self:
        """Releases that are on the shelves; a tombstone may be all we ever heard of others."""
        return self.filter(taken_down_at__isnull=True, artist__isnull=False)

    def told(self) -> Self:
        """With everything a release's public shape needs."""
        return self.select_related("artist").defer("search", "former_search", "artist__search")


class Release(models.Model):
    """A release as of its highest version. A takedown leaves the row as a tombstone with its version.

    A takedown may be all we ever heard of a release; then everything but id and version is empty.
    `change` numbers all that happened to the mirror, in the order in which it became visible, and
    `arrival` is the change that put the release on the shelves, or back on them.
    """

    id = models.IntegerField(primary_key=True)
    version = models.BigIntegerField()
    fingerprint = models.BigIntegerField(null=True, help_text="a digest of the member that made this state")
    event_id = models.BigIntegerField(null=True, help_text="the event it came in")
    change = models.BigIntegerField(null=True)
    arrival = models.BigIntegerField(null=True)
    taken_down_at = models.DateTimeField(null=True, blank=True)
    title = models.CharField(max_length=1024, blank=True)
    subtitle = models.CharField(max_length=1024, blank=True)
    artist = models.ForeignKey(Artist, on_delete=models.PROTECT, null=True, related_name="releases")
    label = models.CharField(max_length=512, blank=True)
    licensor_id = models.IntegerField(null=True)
    type = models.CharField(max_length=64, blank=True)
    upc = models.CharField("UPC", max_length=64, blank=True)
    genres = ArrayField(models.CharField(max_length=128), default=list)
    explicit = models.BooleanField(default=False)
    release_date = models.DateTimeField(null=True)
    duration_seconds = models.PositiveIntegerField(default=0)
    p_line = models.CharField(max_length=1024, blank=True)
    c_line = models.CharField(max_length=1024, blank=True)
    changed_at = models.DateTimeField(db_default=Now())
    popularity = models.FloatField(db_default=0)
    search = SearchVectorField(null=True)
    former_search = SearchVectorField(null=True, help_text="the words of what is off the shelves, for staff")
    shelf_date = models.GeneratedField(
        expression=Coalesce("release_date", Value(BEFORE_ALL)), output_field=models.DateTimeField(), db_persist=True
    )

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        indexes = [
            GinIndex(fields=["search"], name="release_search", gin_pending_list_limit=PENDING_KIB),
            GinIndex(fields=["former_search"], name="release_former_search", gin_pending_list_limit=PENDING_KIB),
            models.Index(fields=["-popularity", "id"], name="release_popular"),
            GinIndex(fields=["genres"], name="release_by_genre"),
            models.Index(fields=["artist", "shelf_date", "id"], condition=STANDING, name="release_by_artist"),
            models.Index(fields=["label", "shelf_date", "id"], condition=STANDING, name="release_by_label"),
            models.Index(fields=["shelf_date", "id"], condition=STANDING, name="release_by_date"),
            models.Index(fields=["upc"], name="release_by_upc"),
            models.Index(fields=["change"], name="release_by_change"),
            models.Index(fields=["event_id"], name="release_by_event"),
        ]

    def __str__(self) -> str:
        return f"{self.title or 'release'} ({self.pk})"


class TrackQuerySet(models.QuerySet["Track"]):
    def standing(self) -> Self:
        """Tracks that are on their release, with the release not taken down."""
        return self.filter(gone_at__isnull=True, release__taken_down_at__isnull=True)

    def playable(self, *, country: str, at: datetime, use: Use = Use.STREAM) -> Self:
        """Tracks that may be used so, there and then; the set-wise twin of `rules.judge`."""
        here = {"region__territories__contains": [country]}
        offers = Offer.objects.filter(track=OuterRef("pk"), use=use, starts_at__lte=at, **here)
        rows = self.standing().filter(Exists(offers.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=at))))
        licensors = listed_licensors()
        return rows if licensors is None else rows.filter(release__licensor_id__in=licensors)


class Track(models.Model):
    """A track on its release. One that a newer snapshot no longer names stays as gone, for old plays and playlists."""

    id = models.IntegerField(primary_key=True)
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="tracks")
    artist = models.ForeignKey(Artist, on_delete=models.PROTECT, related_name="tracks")
    title = models.CharField(max_length=1024)
    subtitle = models.CharField(max_length=1024, blank=True)
    isrc = models.CharField("ISRC", max_length=32, blank=True)
    disc_number = models.PositiveIntegerField(default=1)
    track_number = models.PositiveIntegerField(default=1)
    duration_seconds = models.PositiveIntegerField(default=0)
    explicit = models.BooleanField(default=False)
    gone_at = models.DateTimeField(null=True, blank=True)
    popularity = models.FloatField(db_default=0)
    search = SearchVectorField(null=True)
    former_search = SearchVectorField(null=True, help_text="the words of what is off the shelves, for staff")

    objects = TrackQuerySet.as_manager()

    class Meta:
        indexes = [
            GinIndex(fields=["search"], name="track_search", gin_pending_list_limit=PENDING_KIB),
            GinIndex(fields=["former_search"], name="track_former_search", gin_pending_list_limit=PENDING_KIB),
            models.Index(fields=["-popularity", "id"], name="track_popular"),
            models.Index(fields=["isrc"], name="track_by_isrc"),
            models.Index("artist", Wording("search"), condition=Q(search__isnull=False), name="track_by_wording"),
            models.Index(fields=["release", "disc_number", "track_number"], name="track_on_release"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.pk})"


class Region(models.Model):
    """A set of territories that any number of offers share; its id is a digest of them (`regions.region_id`).

    A world-wide deal names 250 countries. Kept with every offer they would outweigh everything else.
    """

    id = models.BigIntegerField(primary_key=True)
    territories = ArrayField(models.CharField(max_length=2))

    def __str__(self) -> str:
        shown = ", ".join(self.territories[:8])
        return shown if len(self.territories) <= 8 else f"{shown} and {len(self.territories) - 8} more"


class Offer(models.Model):
    """A right: one use of one track, or of the whole release, in some territories, `[starts_at, ends_at)`."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="offers")
    track = models.ForeignKey(Track, on_delete=models.CASCADE, null=True, related_name="offers")
    use = models.CharField(max_length=16, choices=[(use.value, use.value) for use in Use])
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="offers", db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            CheckConstraint(condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name="offer_has_length"),
        ]
        indexes = [models.Index(fields=["track", "use"], name="offer_of_track")]

    def __str__(self) -> str:
        return f"{self.use} from {self.starts_at:%Y-%m-%d}"


class TrackTags(models.Model):
    """What the enhanced stream says of a track, as it came (moods, genres, embeddings …), of its highest version."""

    track = models.OneToOneField(Track, on_delete=models.CASCADE, primary_key=True, related_name="tags")
    version = models.BigIntegerField()
    tags = models.JSONField()

    def __str__(self) -> str:
        return f"{len(self.tags)} tag(s) of {self.track_id}"


class Word(models.Model):
    """A word that the mirror's texts are made of, folded: what a typing error is mended with."""

    word = models.CharField(max_length=64, primary_key=True)

    class Meta:
        indexes = [GinIndex(OpClass("word", name="gin_trgm_ops"), name="word_trigrams", fastupdate=False)]

    def __str__(self) -> str:
        return self.word


class CatalogueEvent(models.Model):
    """One body as the platform posted it: gzipped raw bytes, applied later, member by member."""

    class State(models.TextChoices):
        WAITING = "WAITING", "waiting"
        APPLIED = "APPLIED", "applied"
        PARTLY = "PARTLY", "applied but for some members"
        DEAD = "DEAD", "dead: needs a person"

    class Kind(models.TextChoices):
        STANDARD = "standard", "standard"
        ENHANCED = "enhanced", "enhanced"

    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.STANDARD)
    received_at = models.DateTimeField(db_default=Now())
    body = models.BinaryField()
    members = models.PositiveIntegerField()
    release_ids = ArrayField(models.IntegerField(), default=list)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    outcome = models.JSONField(
        default=dict, help_text="how many members were applied, stale or tests; which were refused or in conflict"
    )
    last_error = models.TextField(blank=True)
    token = models.BigIntegerField(null=True, help_text="a digest of the token it came with")
    token_reused = models.BooleanField(db_default=False, help_text="whether its token has proved another body too")
    needed_at = models.DateTimeField(
        null=True, help_text="when it was last old enough to go, and a release stood on it"
    )

    class Meta:
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(state="WAITING"), name="catalogueevent_waiting"),
            models.Index(fields=["state", "-id"], name="catalogueevent_by_state"),
            models.Index(fields=["kind", "-id"], name="catalogueevent_by_kind"),
            models.Index(fields=["token", "id"], name="catalogueevent_by_token"),
            models.Index(fields=["-id"], condition=Q(token_reused=True), name="catalogueevent_token_reused"),
            GinIndex(fields=["release_ids"], name="catalogueevent_of_release"),
            models.Index(
                Coalesce("needed_at", "received_at"), condition=Q(state="APPLIED"), name="catalogueevent_oldest"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind}, {self.members} member(s)"
