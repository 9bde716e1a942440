"""Applying catalogue events to the mirror. The highest version of a release wins, whenever it comes."""

from __future__ import annotations

import gzip
import logging
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.postgres.search import SearchVector
from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Now
from django.utils import timezone

from catalogue.events import ArtistFacts, EventRefused, OfferFacts, ReleaseFacts, TakedownFacts, TestFacts, read_member
from catalogue.models import Artist, CatalogueEvent, Offer, Region, Release, Track
from catalogue.regions import region_id
from catalogue.words import words_of
from outbox.wake import wake
from web.bodies import parse_json

ATTEMPTS_TO_DIE: Final = 8
LEASE: Final = timedelta(minutes=5)  # how long one worker may apply one body before another tries
NO_VERSION: Final = -1  # below every version of the platform's

TRACK_COLUMNS: Final = [
    "release", "artist", "title", "subtitle", "isrc", "disc_number", "track_number",
    "duration_seconds", "explicit", "gone_at", "search",
]  # fmt: skip

log = logging.getLogger(__name__)


# --- keeping what came ----------------------------------------------------------------------


def store_event(*, body: bytes, members: int, kind: str = "standard") -> CatalogueEvent:
    """Keep one posted body, gzipped, and wake a worker once it is committed."""
    event = CatalogueEvent.objects.create(kind=kind, body=gzip.compress(body, 5), members=members)
    transaction.on_commit(lambda: wake("catalogue.apply", event_id=event.pk), robust=True)
    return event


def apply_event(*, event_id: int) -> str | None:
    """Apply every member of a stored body; the state afterwards, None when it was not due.

    Each member has a transaction of its own, so that two workers never hold each other's releases and
    artists. A member that cannot be understood is named in `outcome` and costs the others nothing.
    Twice is once: versions see to that, also when a worker dies on the way.
    """
    if not due_events().filter(pk=event_id).update(due_at=Now() + LEASE):
        return None
    event = CatalogueEvent.objects.get(pk=event_id)
    try:
        event.outcome = apply_members(parse_json(gzip.decompress(event.body)), now=timezone.now())
    except Exception as error:
        log.exception("catalogue event %s not applied", event.pk)
        put_off(event, error)
    else:
        event.state = CatalogueEvent.State.PARTLY if event.outcome["refused"] else CatalogueEvent.State.APPLIED
    event.save(update_fields=["state", "attempts", "due_at", "outcome", "last_error"])
    return str(event.state)


def due_events() -> QuerySet[CatalogueEvent]:
    """Stored bodies that wait to be applied."""
    return CatalogueEvent.objects.filter(state=CatalogueEvent.State.WAITING, due_at__lte=Now())


def put_off(event: CatalogueEvent, error: Exception) -> None:
    """Again later, doubling from 5 s; in the end a person's."""
    event.attempts += 1
    event.last_error = f"{type(error).__name__}: {error}"[:2000]
    event.due_at = Now() + timedelta(seconds=5 * 2 ** (event.attempts - 1))
    if event.attempts >= ATTEMPTS_TO_DIE:
        event.state = CatalogueEvent.State.DEAD


def sweep_catalogue(*, limit: int = 200) -> int:
    """Apply the bodies nobody was woken for, oldest first; how many there were."""
    waiting = list(due_events().order_by("due_at", "pk").values_list("pk", flat=True)[:limit])
    for pk in waiting:
        apply_event(event_id=pk)
    return len(waiting)


# --- applying it ----------------------------------------------------------------------------


def apply_members(members: Iterable[object], *, now: datetime) -> dict[str, Any]:
    """Apply each member; how many were applied, stale or tests, and which were refused and why."""
    counts: Counter[str] = Counter()
    refused: list[dict[str, Any]] = []
    for index, member in enumerate(members):
        try:
            counts[apply_member(member, now=now)] += 1
        except EventRefused as no:
            refused.append({"index": index, "reason": str(no)})
    return dict(counts) | {"refused": refused}


def apply_member(member: object, *, now: datetime) -> str:
    """Apply one release, takedown or test event: `applied`, `stale` or `test`. Raises EventRefused."""
    facts = read_member(member)
    if isinstance(facts, TestFacts):
        return "test"
    with transaction.atomic():
        if not claim_version(facts.id, facts.version):
            return "stale"
        if isinstance(facts, TakedownFacts):
            Release.objects.filter(pk=facts.id).update(taken_down_at=now, changed_at=now)
            Offer.objects.filter(release_id=facts.id).delete()
        else:
            write_release(facts, now=now)
    return "applied"


def claim_version(release_id: int, version: int) -> bool:
    """Raise the release to `version` if it stands lower; one statement decides among workers."""
    Release.objects.bulk_create([Release(id=release_id, version=NO_VERSION)], ignore_conflicts=True)
    return Release.objects.filter(pk=release_id, version__lt=version).update(version=version) == 1


def write_release(facts: ReleaseFacts, *, now: datetime) -> None:
    """Overwrite everything about the release with this snapshot; tracks it no longer names are gone."""
    write_artists({facts.artist, *(track.artist for track in facts.tracks)})
    Release.objects.filter(pk=facts.id).update(
        taken_down_at=None,
        title=facts.title,
        subtitle=facts.subtitle,
        artist_id=facts.artist.id,
        label=facts.label,
        licensor_id=facts.licensor_id,
        type=facts.type,
        upc=facts.upc,
        genres=list(facts.genres),
        explicit=facts.explicit,
        release_date=facts.release_date,
        duration_seconds=facts.duration_seconds,
        p_line=facts.p_line,
        c_line=facts.c_line,
        changed_at=now,
        search=vector(facts.title, facts.subtitle, facts.artist.name),
    )
    write_tracks(facts)
    gone = Track.objects.filter(release_id=facts.id, gone_at=None).exclude(pk__in=[t.id for t in facts.tracks])
    gone.update(gone_at=now)
    write_offers(facts)


def write_artists(artists: set[ArtistFacts]) -> None:
    """The artists by their ids, in the order of ids, so that two workers never wait for each other in a circle."""
    by_id = {artist.id: artist for artist in artists}
    rows = [Artist(id=id_, name=by_id[id_].name, search=vector(by_id[id_].name)) for id_ in sorted(by_id)]
    Artist.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=["name", "search"])


def write_tracks(facts: ReleaseFacts) -> None:
    """The snapshot's tracks; of two with one id the later stands."""
    rows = {
        track.id: Track(
            id=track.id,
            release_id=facts.id,
            artist_id=track.artist.id,
            title=track.title,
            subtitle=track.subtitle,
            isrc=track.isrc,
            disc_number=track.disc_number,
            track_number=track.track_number,
            duration_seconds=track.duration_seconds,
            explicit=track.explicit,
            search=vector(track.title, track.subtitle, track.artist.name, facts.artist.name, facts.title),
        )
        for track in facts.tracks
    }
    Track.objects.bulk_create(
        [rows[id_] for id_ in sorted(rows)], update_conflicts=True, unique_fields=["id"], update_fields=TRACK_COLUMNS
    )


def write_offers(facts: ReleaseFacts) -> None:
    """Replace every offer of the release and its tracks."""
    Offer.objects.filter(release_id=facts.id).delete()
    offers: list[tuple[int | None, OfferFacts]] = [(None, offer) for offer in facts.offers]
    offers += [(track.id, offer) for track in facts.tracks for offer in track.offers]
    regions = {region_id(offer.territories): sorted(set(offer.territories)) for _, offer in offers}
    Region.objects.bulk_create(
        [Region(id=id_, territories=regions[id_]) for id_ in sorted(regions)], ignore_conflicts=True
    )
    Offer.objects.bulk_create((offer_row(facts.id, track_id, offer) for track_id, offer in offers), batch_size=1000)


def offer_row(release_id: int, track_id: int | None, offer: OfferFacts) -> Offer:
    return Offer(
        release_id=release_id,
        track_id=track_id,
        use=offer.use,
        region_id=region_id(offer.territories),
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
    )


def vector(*texts: str) -> SearchVector:
    """The folded words of the texts as PostgreSQL indexes them."""
    return SearchVector(Value(" ".join(words_of(*texts))), config="simple")
