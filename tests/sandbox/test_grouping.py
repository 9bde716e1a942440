"""From tagged files to releases: pure, so no file is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.shelves.cards import check_digit
from sandbox.shelves.grouping import Ids, Tagged, cards, clean, release_date, title_from


def song(path: str, **tags) -> Tagged:
    return Tagged(path=path, seconds=tags.pop("seconds", 100.0), **tags)


def shape(files: list[Tagged]) -> list[tuple[str, str, list[str]]]:
    found = cards(files, folder="music")
    return [(card.artist.name, card.title, [track.title for track in card.tracks]) for card in found]


def test_gathers_an_album_over_its_folders_by_album_artist():
    files = [
        song("cd2/1.ogg", title="C", album="Two", album_artist="A", artist="A", disc=2, track=1),
        song("cd1/2.ogg", title="B", album="Two", album_artist="A", artist="A", disc=1, track=2),
        song("cd1/1.ogg", title="A", album="Two", album_artist="A", artist="A feat. B", disc=1, track=1),
    ]
    assert shape(files) == [("A", "Two", ["A", "B", "C"])]
    assert [track.artist.name for track in cards(files, folder="music")[0].tracks] == ["A feat. B", "A", "A"]


def test_keeps_albums_of_one_name_apart_when_no_album_artist_binds_them():
    files = [song("x/1.mp3", title="1", album="Hits", artist="X"), song("y/1.mp3", title="1", album="Hits", artist="Y")]
    assert shape(files) == [("X", "Hits", ["1"]), ("Y", "Hits", ["1"])]


def test_calls_a_mixed_folder_various_artists():
    files = [
        song("mix/a.mp3", album="Mix", artist="X", title="a"),
        song("mix/b.mp3", album="Mix", artist="Y", title="b"),
    ]
    assert shape(files) == [("Various Artists", "Mix", ["a", "b"])]


def test_falls_back_on_names_of_folders_and_files():
    files = [song("Some Band/03 - blue_umbrella.ogg"), song("Some Band/01. Wrong Exit.ogg"), song("loose.wav")]
    assert shape(files) == [
        ("Unknown Artist", "Some Band", ["Wrong Exit", "blue umbrella"]),
        ("Unknown Artist", "music", ["loose"]),
    ]


def test_gives_the_same_ids_whatever_else_is_there():
    one, two = song("a/1.ogg", title="1"), song("b/2.ogg", title="2")
    alone, (first, second) = (
        cards([one], folder="m")[0],
        sorted(cards([two, one], folder="m"), key=lambda card: card.title),
    )
    assert alone == first
    assert first.id != second.id
    assert 10_000_000 <= first.id <= 99_999_999
    assert 0 < first.tracks[0].id < 2**31


def test_gives_a_second_text_with_the_same_number_another_number():
    ids = Ids()
    numbers = [ids._deal("track", str(text), lowest=1, highest=300) for text in range(300)]
    assert sorted(numbers) == list(range(1, 301))
    assert [ids._deal("track", str(text), lowest=1, highest=300) for text in range(300)] == numbers


def test_cleans_hostile_tags():
    nasty = song("a/1.ogg", title="A\0B\n\tC\u202e", artist="x" * 10_000, album="\0", genre="g" * 999, isrc="rubbish")
    card = cards([nasty], folder="m")[0]
    track = card.tracks[0]
    assert (track.title, len(track.artist.name), card.title, len(card.genre), track.isrc) == ("A B C", 200, "a", 64, "")


@settings(deadline=None)
@given(st.text(max_size=500))
def test_cleaned_text_is_one_short_printable_line(text):
    cleaned = clean(text)
    assert len(cleaned) <= 200
    assert cleaned == " ".join(cleaned.split())
    assert "\0" not in cleaned
    cleaned.encode()
    assert clean(cleaned) == cleaned


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            Tagged,
            path=st.text(min_size=1, max_size=30).map(lambda name: name.replace("\0", "")).filter(bool),
            seconds=st.floats(0.1, 9999),
            title=st.text(max_size=20),
            artist=st.text(max_size=5),
            album=st.text(max_size=3),
            album_artist=st.text(max_size=3),
            year=st.text(max_size=12),
            disc=st.integers(-5, 2**40),
            track=st.integers(-5, 2**40),
        ),
        max_size=20,
        unique_by=lambda file: file.path,
    )
)
def test_any_tags_make_storable_cards(files):
    found = cards(files, folder="music")
    tracks = [track for card in found for track in card.tracks]
    assert sorted(track.source for track in tracks) == sorted(file.path for file in files)
    assert len({track.id for track in tracks}) == len(tracks)
    assert len({card.id for card in found}) == len(found)
    for card in found:
        assert card.title
        assert card.artist.name
        assert all(
            0 < track.disc_number < 100 and 0 < track.track_number < 10_000 and track.title for track in card.tracks
        )
        assert check_digit(card.upc[:-1]) == card.upc[-1]


@pytest.mark.parametrize(
    ("tag", "day"),
    [
        ("2019", "2019-01-01"),
        ("2019-05", "2019-05-01"),
        ("2019-05-20", "2019-05-20"),
        ("2019-05-20T10:00", "2019-05-20"),
    ],
)
def test_reads_years_and_days(tag, day):
    found = release_date(tag)
    assert found is not None
    assert found.date().isoformat() == day


@pytest.mark.parametrize("tag", ["", "soon", "0000", "9999", "2019-13-01", "19"])
def test_makes_nothing_of_other_dates(tag):
    assert release_date(tag) is None


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("a/07 Song.ogg", "Song"),
        ("a/7. Song.ogg", "Song"),
        ("a/99.ogg", "99"),
        ("a/1999 Song.ogg", "1999 Song"),
        ("a/.ogg", ".ogg"),
    ],
)
def test_makes_titles_of_file_names(path, title):
    assert title_from(path) == title


@pytest.mark.parametrize("code", ["5050000000017", "4006381333931", "9520123456788"])
def test_knows_check_digits(code):
    assert check_digit(code[:-1]) == code[-1]


def test_takes_the_first_cover_it_finds():
    one, two = song("a/1.ogg", track=1), song("a/2.ogg", track=2, cover="a/2.ogg")
    assert cards([one, two], folder="m")[0].cover == "a/2.ogg"
    assert cards([one, replace(two, cover="")], folder="m")[0].cover == ""
