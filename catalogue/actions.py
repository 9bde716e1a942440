"""Applying catalogue events: the highest version of a release wins, whenever it comes."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from psycopg.errors import ProgramLimitExceeded, QueryCanceled

from catalogue import mirror
from catalogue.events import EventRefused, TagFacts, TestFacts, read_member, read_tags
from catalogue.mirror import Claim, Written
from catalogue.models import CatalogueEvent
from catalogue.tags import write_tags

ATTEMPTS_TO_DIE: Final = 8
BODIES_AT_ONCE, MEMBERS_AT_ONCE = 200, 500  # one transaction's worth
# One applier at a time: none waits for another, and changes are numbered in the order of their commits.
LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtext(%s))"
LOCK_KEY: Final = "catalogue.apply"
TOO_MUCH: Final = (QueryCanceled, ProgramLimitExceeded)

State, Kind = CatalogueEvent.State, CatalogueEvent.Kind
log = logging.getLogger(__name__)


def apply_again(events: Iterable[CatalogueEvent]) -> int:
    """A person's decision: apply bodies once more, dead ones and those with refused members. How many there were."""
    again = CatalogueEvent.objects.filter(pk__in=[event.pk for event in events])
    return again.exclude(state=State.WAITING).update(state=State.WAITING, attempts=0, due_at=Now())


@dataclass(kw_only=True)
class Reading:
    """A body's members as claims upon the mirror, and what became of them."""

    claims: list[Claim] = field(default_factory=list)
    tags: list[TagFacts] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    refused: list[dict[str, Any]] = field(default_factory=list)
    conflicts: list[int] = field(default_factory=list)

    @property
    def outcome(self) -> dict[str, Any]:
        named = {"refused": self.refused} | ({"conflicts": self.conflicts} if self.conflicts else {})
        return dict(self.counts) | named


def apply_waiting() -> int:
    """Apply what waits, batch by batch, until nothing does or somebody else is at it; how many bodies."""
    done = 0
    while count := apply_batch():
        done += count
    return done


def apply_batch() -> int:
    """Apply the bodies that have waited longest, in one transaction; how many.

    When the batch as a whole cannot be written, each body is tried by itself, so that one costs no other.
    """
    mirror.prepare()
    try:
        with transaction.atomic():
            if not taken_lock():
                return 0
            events = next_batch()
            settle(events, apply_bodies(events, now=timezone.now()))
    except Exception as error:
        if is_databases_own(error):
            raise
        log.exception("a batch of catalogue events was not applied as a whole")
        return sum(apply_event(event_id=event.pk) is not None for event in next_batch())
    return len(events)


def next_batch() -> list[CatalogueEvent]:
    """The bodies that have waited longest, as many as make one transaction."""
    waiting = due_events().order_by("due_at", "pk").only("members")[:BODIES_AT_ONCE]
    chosen = next(cut(waiting), [])
    return list(CatalogueEvent.objects.filter(pk__in=[event.pk for event in chosen]).order_by("pk"))


def cut(events: Iterable[CatalogueEvent]) -> Iterator[list[CatalogueEvent]]:
    """The events in transactions' worths: as many as hold MEMBERS_AT_ONCE members together, and one at least."""
    chosen: list[CatalogueEvent] = []
    members = 0
    for event in events:
        if chosen and members + event.members > MEMBERS_AT_ONCE:
            yield chosen
            chosen, members = [], 0
        chosen.append(event)
        members += event.members
    if chosen:
        yield chosen


def taken_lock() -> bool:
    """Become the one applier until the transaction ends; False while somebody else is."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [LOCK_KEY])
        return bool(cursor.fetchone()[0])


def due_events() -> QuerySet[CatalogueEvent]:
    """Stored bodies that wait to be applied."""
    return CatalogueEvent.objects.filter(state=State.WAITING, due_at__lte=Now())


def apply_event(*, event_id: int) -> str | None:
    """Apply one stored body by itself; the state afterwards, None when it was not due or another applier is at it.

    Where PostgreSQL refuses it, its members are tried one by one: those it takes are applied, the
    others are named in `outcome`. Twice is once; versions see to that.
    """
    mirror.prepare()
    with transaction.atomic():
        event = due_events().filter(pk=event_id).first() if taken_lock() else None
        if event is None:
            return None
        try:
            readings = [apply_carefully(event, now=timezone.now())]
        except Exception as error:
            if is_databases_own(error):
                raise
            log.exception("catalogue event %s not applied", event.pk)
            put_off(event, error)
        else:
            settle([event], readings)
    return str(event.state)


def is_databases_own(error: Exception) -> bool:
    """Whether it is PostgreSQL's trouble and not the events'. One that asks too much of it must not stop all others."""
    return isinstance(error, OperationalError) and not isinstance(error.__cause__, TOO_MUCH)


def put_off(event: CatalogueEvent, error: Exception) -> None:
    """Again later, doubling from 5 s; in the end a person's."""
    event.attempts += 1
    event.last_error = f"{type(error).__name__}: {error}"[:2000]
    event.due_at = timezone.now() + timedelta(seconds=5 * 2 ** (event.attempts - 1))
    if event.attempts >= ATTEMPTS_TO_DIE:
        event.state = State.DEAD
    event.save(update_fields=["state", "attempts", "due_at", "last_error"])


def settle(events: Sequence[CatalogueEvent], readings: Sequence[Reading]) -> None:
    """Write down what became of each body."""
    for event, reading in zip(events, readings, strict=True):
        event.outcome = reading.outcome
        event.state = State.PARTLY if reading.refused or reading.conflicts else State.APPLIED
        event.last_error = ""
    CatalogueEvent.objects.bulk_update(events, ["state", "outcome", "last_error"])


def apply_carefully(event: CatalogueEvent, *, now: datetime) -> Reading:
    """The whole body, or member by member where PostgreSQL refuses the whole."""
    try:
        with transaction.atomic():
            return apply_bodies([event], now=now)[0]
    except OperationalError:
        raise
    except DatabaseError:
        whole = Reading()
    for index, member in enumerate(members_of(event)):
        try:
            with transaction.atomic():
                mirror.prepare()
                reading = read_members([member], event_id=event.pk, kind=event.kind)
                judge([reading], now=now)
        except OperationalError:
            raise
        except DatabaseError as error:
            whole.refused.append({"index": index, "reason": f"PostgreSQL refused it: {type(error).__name__}"})
        else:
            whole.counts += reading.counts
            whole.refused += [{"index": index, "reason": no["reason"]} for no in reading.refused]
            whole.conflicts += reading.conflicts
    return whole


def apply_bodies(events: Sequence[CatalogueEvent], *, now: datetime) -> list[Reading]:
    """Read the bodies and bring the mirror up to them, within the caller's transaction."""
    readings = [read_members(members_of(event), event_id=event.pk, kind=event.kind) for event in events]
    judge(readings, now=now)
    return readings


def members_of(event: CatalogueEvent) -> list[Any]:
    """The array as it was posted; the door has judged it."""
    body = gzip.decompress(event.body)
    members: list[Any]
    try:
        members = msgspec.json.decode(body)
    except msgspec.DecodeError:  # half a character in some text: its member is refused, and no other
        members = json.loads(body)
    return members


def read_members(members: Iterable[object], *, event_id: int | None, kind: str = Kind.STANDARD) -> Reading:
    """What the members claim. One that cannot be understood is named and costs the others nothing."""
    reading = Reading()
    for index, member in enumerate(members):
        try:
            facts = read_tags(member) if kind == Kind.ENHANCED else read_member(member)
        except EventRefused as no:
            reading.refused.append({"index": index, "reason": str(no)})
            continue
        if isinstance(facts, TestFacts):
            reading.counts["test"] += 1
        elif isinstance(facts, TagFacts):
            reading.tags.append(facts)
        else:
            reading.claims.append(Claim(facts, digest(member), event_id))
    return reading


def digest(member: object) -> int:
    """63 bits of a member's content, however its keys are ordered."""
    try:
        canonical = msgspec.json.encode(member, order="sorted")
    except UnicodeEncodeError:  # half a character, in a field that nobody reads
        canonical = json.dumps(member, sort_keys=True).encode()
    return int.from_bytes(hashlib.blake2b(canonical, digest_size=8).digest(), "big") >> 1


def judge(readings: Sequence[Reading], *, now: datetime) -> None:
    """Write the newest claim upon each release, then the tags of its tracks, and count what became of all."""
    newest: dict[int, Claim] = {}
    for claim in (claim for reading in readings for claim in reading.claims):
        standing = newest.setdefault(claim.facts.id, claim)
        if claim.facts.version > standing.facts.version:
            newest[claim.facts.id] = claim
    written = mirror.write(list(newest.values()), now=now)
    for reading in readings:
        if reading.tags:
            reading.counts += write_tags(reading.tags)
        for claim in reading.claims:
            count(reading, claim, newest[claim.facts.id], written)


def count(reading: Reading, claim: Claim, newest: Claim, written: Written) -> None:
    """A claim was applied, or contradicts what stands under its very version, or is stale."""
    release_id = claim.facts.id
    same_version = claim.facts.version == newest.facts.version
    if claim is newest and release_id in written.applied:
        reading.counts["applied"] += 1
    elif same_version and (claim.fingerprint != newest.fingerprint or release_id in written.conflicts):
        reading.conflicts.append(release_id)
    else:
        reading.counts["stale"] += 1
