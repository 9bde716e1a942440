"""Rules that choose tracks: PostgreSQL's choice against a plain one, and the drafts that are made of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.models import User
from catalogue.models import Offer, Track, TrackTags
from playlists import choosing
from playlists.choosing import chosen
from playlists.curation import create_curated, put_tracks, take_off
from playlists.drafting import make_draft, refresh
from playlists.models import Item, Playlist, Rule
from playlists.rules import NoRule, PlaylistChanged, RuleTooWide
from tests.helpers import apply_member, apply_members, offer, release_event, track_member
from tests.playlists.conftest import edit

pytestmark = pytest.mark.django_db

NOON: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
GENRES, LABELS, MARKETS = ["Pop", "Folk", "Jazz"], ["Quay", "Pier"], ["GB", "DE", "FR"]
MOODS, TEMPOS = ["calm", "happy"], ["slow", "mid-tempo", "fast"]
OFFERS: Final = [
    [offer()], [offer(["GB"])], [offer(["GB"]), offer(["DE", "FR"])], [offer(start="2027-01-01")],
    [offer(["DE"], end="2026-06-01T12:00:00Z"), offer(["GB", "FR"])], [],
]  # fmt: skip


def fill(seed: int) -> None:
    """A small catalogue with everything in it that a rule may ask about, some of it taken down."""
    chance = random.Random(seed)
    for number in range(1, 26):
        tracks = [
            track_member(
                number * 100 + each, number=each, offers=chance.choice(OFFERS),
                explicitContent=chance.random() < 0.3, artist=artist(chance),
            )
            for each in range(1, chance.randint(2, 7))
        ]  # fmt: skip
        day = f"202{chance.randint(4, 6)}-0{chance.randint(1, 6)}-01T00:00:00Z"
        label = {
            "id": 31,
            "name": chance.choice(LABELS),
            "licensor": {"id": chance.randint(4, 5), "name": "Quay Group"},
        }
        apply_member(
            release_event(
                number, tracks=tracks, genres=chance.sample(GENRES, chance.randint(0, 2)), label=label,
                artist=artist(chance), releaseDate=chance.choice([day, day, None]),
            )
        )  # fmt: skip
        if chance.random() < 0.1:
            apply_member({"id": number, "version": 2, "takedown": True})
        elif chance.random() < 0.1:
            apply_member(release_event(number, version=2, tracks=tracks[:1]))
    Offer.objects.exclude(ends_at=None).update(ends_at=NOON)  # over at this very instant
    for track in Track.objects.all():
        Track.objects.filter(pk=track.pk).update(popularity=chance.randint(0, 5))
        if chance.random() < 0.7:
            TrackTags.objects.create(track=track, version=1, tags=said(chance))


def artist(chance: random.Random) -> dict[str, Any]:
    number = chance.randint(501, 506)
    return {"id": number, "name": f"Band {number}"}


def said(chance: random.Random) -> dict[str, Any]:
    """What the enhanced stream says of a track, in one of the ways it may."""
    mood, tempo = chance.choice(MOODS), chance.choice(TEMPOS)
    scores = {"labels": [mood, "dark"], "distribution": {"happy": 0.2}}
    return {"mood": chance.choice([scores, {"label": mood}, [mood], mood]), "tempo": {"label": tempo}}


def some(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2)


releases = st.builds(date, st.integers(2024, 2026), st.integers(1, 6), st.just(1))
dates = releases | releases.map(lambda day: day - timedelta(days=1))
windows = st.one_of(
    st.builds(lambda days: {"within_days": days}, st.integers(1, 900)),
    st.builds(lambda first: {"released_from": first}, dates),
    st.builds(lambda last: {"released_until": last}, dates),
    st.builds(lambda a, b: {"released_from": min(a, b), "released_until": max(a, b)}, dates, dates),
)
fields = st.fixed_dictionaries(
    {
        "genres": some([*GENRES, "none"]), "labels": some(LABELS), "artists": some(list(range(501, 508))),
        "markets": some([*MARKETS, "US"]), "moods": some(MOODS), "tempos": some(TEMPOS),
        "least_popularity": st.none() | st.integers(0, 5), "explicit": st.sampled_from(Rule.Explicit.values),
        "count": st.integers(1, 8) | st.integers(1, 60), "most_of_artist": st.none() | st.integers(1, 4),
        "most_of_release": st.none() | st.integers(1, 3), "order": st.sampled_from(Rule.Order.values),
        "seed": st.integers(0, 2**31),
    }
)  # fmt: skip


NARROWING: Final = [
    "artists",
    "explicit",
    "genres",
    "labels",
    "least_popularity",
    "markets",
    "moods",
    "tempos",
    "window",
]
narrowed = st.sets(st.sampled_from(NARROWING), max_size=2)  # with more, next to nothing is left to choose from


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("licensors", [frozenset(), frozenset({4})], ids=str)
def test_postgresql_chooses_what_plain_looking_does(
    seed: int, licensors: frozenset[int], settings_of: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(seed)
    settings_of.LICENSORS = licensors
    monkeypatch.setattr(choosing, "DEEP", 1)  # so that the first look is often not enough
    rows = [read(track) for track in Track.objects.select_related("release")]

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(facts=fields, window=windows, asked_for=narrowed)
    def compare(facts: dict[str, Any], window: dict[str, Any], asked_for: set[str]) -> None:
        kept = {name: value for name, value in facts.items() if name in asked_for or name not in NARROWING}
        rule = Rule(name="r", **kept, **(window if "window" in asked_for else {}))
        wanted = plainly(rule, rows, licensors)
        assert chosen(rule, at=NOON) == wanted

    compare()


@pytest.fixture
def settings_of(request: pytest.FixtureRequest) -> Settings:
    """Django's, whose fixture has the name of hypothesis's own."""
    kept: Settings = request.getfixturevalue("settings")
    return kept


def read(track: Track) -> dict[str, Any]:
    """All that a rule may ask of a track."""
    offers = Offer.objects.filter(track=track, use="STREAM", starts_at__lte=NOON).select_related("region")
    tags = getattr(TrackTags.objects.filter(track=track).first(), "tags", {})
    return {
        "track": track,
        "open": {
            code for each in offers if not each.ends_at or each.ends_at > NOON for code in each.region.territories
        },
        "mood": classes(tags.get("mood", [])),
        "tempo": classes(tags.get("tempo", [])),
    }


def classes(told: Any) -> set[str]:
    if isinstance(told, dict):
        return {told["label"]} if "label" in told else set(told["labels"])
    return {told} if isinstance(told, str) else set(told)


def plainly(rule: Rule, rows: list[dict[str, Any]], licensors: frozenset[int]) -> list[int]:
    """The choice, without a database."""
    let_in = [row["track"] for row in rows if all(asked(rule, row, licensors))]
    of_release, of_artist, taken = Counter[int](), Counter[int](), []
    for track in sorted(let_in, key=place_by(rule)):
        of_release[track.release_id] += 1
        if of_release[track.release_id] > (rule.most_of_release or 1000):
            continue
        of_artist[track.artist_id] += 1
        if of_artist[track.artist_id] <= (rule.most_of_artist or 1000):
            taken.append(track.pk)
    return taken[: rule.count]


def asked(rule: Rule, row: dict[str, Any], licensors: frozenset[int]) -> Iterator[bool]:
    track, release = row["track"], row["track"].release
    day = release.release_date
    yield track.gone_at is None and release.taken_down_at is None
    yield not licensors or release.licensor_id in licensors
    yield not rule.genres or bool(set(rule.genres) & set(release.genres))
    yield not rule.labels or release.label in rule.labels
    yield not rule.artists or track.artist_id in rule.artists
    yield set(rule.markets) <= row["open"]
    yield not rule.moods or bool(set(rule.moods) & row["mood"])
    yield not rule.tempos or bool(set(rule.tempos) & row["tempo"])
    yield track.popularity >= (rule.least_popularity or 0)
    yield rule.explicit == "EITHER" or track.explicit == (rule.explicit == "YES")
    yield not rule.within_days or (day is not None and NOON - timedelta(days=rule.within_days) <= day < NOON)
    yield not rule.released_from or (day is not None and day.date() >= rule.released_from)
    yield not rule.released_until or (day is not None and day.date() <= rule.released_until)


def place_by(rule: Rule) -> Callable[[Track], Any]:
    """Where a track stands in the rule's order."""
    if rule.order == "POPULAR":
        return lambda track: (-track.popularity, track.pk)
    if rule.order == "NEWEST":
        return lambda track: (
            -track.release.shelf_date.timestamp(), -track.release_id, track.disc_number, track.track_number, track.pk,
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, hashint8extended(id, %s) FROM catalogue_track", [rule.seed])
        places = dict(cursor.fetchall())
    return lambda track: (places[track.pk], track.pk)


# --- What a rule may be -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "facts",
    [
        {"count": 0}, {"count": 501}, {"within_days": 7, "released_from": date(2026, 1, 1)},
        {"released_from": date(2026, 1, 2), "released_until": date(2026, 1, 1)},
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_in_words_and_by_the_table(facts: dict[str, Any]) -> None:
    rule = Rule(name="r", **facts)

    with pytest.raises(ValidationError):
        rule.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        rule.save()


def test_a_seed_gives_the_same_again_and_another_gives_another() -> None:
    fill(1)

    def drawn(seed: int) -> list[int]:
        return chosen(Rule(name="r", order="RANDOM", seed=seed, count=20), at=NOON)

    assert drawn(7) == drawn(7)
    assert len({tuple(drawn(seed)) for seed in range(10)}) == 10
    assert Rule(name="a").seed != Rule(name="b").seed


def test_a_choice_that_takes_too_long_is_given_up_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(1)
    monkeypatch.setattr(choosing, "PATIENCE", "20ms")
    monkeypatch.setitem(choosing.ORDERS, Rule.Order.POPULAR, "pg_sleep(0.01) IS NULL, t.id")

    with pytest.raises(RuleTooWide):
        chosen(Rule(name="r"), at=NOON)

    assert Track.objects.exists()  # the connection is as it was


# --- Drafts ------------------------------------------------------------------------------------------------


@pytest.fixture
def pop() -> Rule:
    apply_members(release_event(n, genres=["Pop"], tracks=[track_member(n * 10)]) for n in (1, 2, 3))
    return Rule.objects.create(name="All pop", genres=["Pop"], order="NEWEST", count=10)


def tracks(playlist: Playlist) -> list[int]:
    return list(Item.objects.filter(playlist=playlist).order_by("position").values_list("track_id", flat=True))


def test_a_draft_remembers_its_rule_and_is_nobodys_yet(pop: Rule, editor: User) -> None:
    playlist = Playlist.objects.get(pk=make_draft(pop, by=editor, now=NOON).pk)

    assert tracks(playlist) == [30, 20, 10]
    assert (playlist.name, playlist.track_count, playlist.curation.rule) == ("All pop", 3, pop)
    assert playlist.owner is None
    assert playlist.curation.changed_by == editor
    assert not playlist.revisions.exists()


def test_refreshing_adds_what_is_new_at_the_end_and_touches_nothing_else(pop: Rule, editor: User) -> None:
    playlist = make_draft(pop, by=editor, now=NOON)
    before = list(Item.objects.filter(playlist=playlist).order_by("position").values_list("pk", "track_id"))
    take_off(edit(playlist, editor), [before[0][0]])
    put_tracks(edit(playlist, editor), [before[2][1]], before=before[1][0])
    was = list(Item.objects.filter(playlist=playlist).order_by("position").values_list("pk", "position"))
    apply_members(release_event(n, genres=["Pop"], tracks=[track_member(n * 10)]) for n in (4, 5))
    apply_member({"id": 1, "version": 2, "takedown": True})

    _, added = refresh(edit(playlist, editor))

    assert [item.track_id for item in added] == [50, 40]
    assert tracks(playlist) == [10, 20, 10, 50, 40]  # 30 was taken off by hand: it does not come back
    now = list(Item.objects.filter(playlist=playlist).order_by("position").values_list("pk", "position"))
    assert now[: len(was)] == was
    assert refresh(edit(playlist, editor))[1] == []


def test_a_refresh_names_the_version_too(pop: Rule, editor: User) -> None:
    playlist = make_draft(pop, by=editor, now=NOON)

    with pytest.raises(PlaylistChanged):
        refresh(edit(playlist, editor, version=playlist.version - 1))


def test_a_draft_outlives_its_rule_which_then_brings_nothing(pop: Rule, editor: User) -> None:
    playlist = make_draft(pop, by=editor, now=NOON)
    pop.delete()

    assert tracks(playlist) == [30, 20, 10]
    for each in (playlist, create_curated(name="By hand", by=editor, now=NOON)):
        with pytest.raises(NoRule):
            refresh(edit(each, editor))
