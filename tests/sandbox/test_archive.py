"""Archives: safe names, and a length that is known before they are made."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.archive import Member, archive, distinct, safe

NAMES = st.text(max_size=140) | st.text("aAé.\u0301 /\\", max_size=6)


def read(members: list[Member]) -> zipfile.ZipFile:
    zipped = archive(members)
    length = len(zipped)
    data = b"".join(zipped)
    assert len(data) == length
    return zipfile.ZipFile(io.BytesIO(data))


@given(NAMES)
def test_a_name_goes_nowhere_and_is_shown_as_it_is(name: str):
    plain = safe(name)
    assert 0 < len(plain) <= 120
    assert plain == plain.strip(" .") or plain == "_"
    assert not set(plain) & set('"*/:<>?\\|\0\r\n\t\u202e\u200f')
    assert safe(plain) == plain
    plain.encode()


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Café fermé", "Café fermé"),
        ("Cafe\u0301", "Café"),
        ("夜の灯台", "夜の灯台"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("AC/DC: Live?", "AC_DC_ Live_"),
        ("a\u202egpj.exe", "a_gpj.exe"),
        ("...", "_"),
        ("", "_"),
        ("x" * 200, "x" * 120),
    ],
)
def test_names(name: str, plain: str):
    assert safe(name) == plain


@given(st.lists(st.text("aAbB (2)", min_size=1, max_size=4), max_size=12))
def test_no_two_names_are_one_to_a_file_system(names: list[str]):
    told = list(distinct(names))
    assert len({name.casefold() for name in told}) == len(names)
    assert all(one.startswith(name) for one, name in zip(told, names, strict=True))


def test_the_first_of_a_name_keeps_it():
    assert list(distinct(["Tide", "tide", "Tide (2)", "Tide"])) == ["Tide", "tide (2)", "Tide (2) (2)", "Tide (3)"]


def test_an_archive_is_as_long_as_it_says_and_holds_the_files(tmp_path: Path):
    sounds = {"one.MP3": b"\xff\xfb" * 100_000, "two.flac": b"", "three.mp3": b"x"}
    for name, sound in sounds.items():
        (tmp_path / name).write_bytes(sound)
    members = [Member(path=tmp_path / name, folder="Noé / 夜", name="Où vont-ils?") for name in sounds]
    with read(members) as zipped:
        assert zipped.testzip() is None
        assert {info.filename: zipped.read(info) for info in zipped.infolist()} == {
            "Noé _ 夜/Où vont-ils_.mp3": sounds["one.MP3"],
            "Noé _ 夜/Où vont-ils_ (2).flac": b"",
            "Noé _ 夜/Où vont-ils_ (3).mp3": b"x",
        }
        assert {info.compress_type for info in zipped.infolist()} == {zipfile.ZIP_STORED}


@given(st.lists(st.tuples(NAMES, NAMES, st.binary(max_size=300)), max_size=6))
def test_any_files_under_any_names_make_an_archive(tmp_path_factory: pytest.TempPathFactory, files: list):
    folder = tmp_path_factory.mktemp("zip")
    members = []
    for number, (where, name, sound) in enumerate(files):
        path = folder / f"{number}.mp3"
        path.write_bytes(sound)
        members.append(Member(path=path, folder=where, name=name))
    with read(members) as zipped:
        assert [zipped.read(info) for info in zipped.infolist()] == [sound for *_, sound in files]
        assert all(info.filename.count("/") == 1 for info in zipped.infolist())


def test_four_gigabytes_are_counted_without_being_made(tmp_path: Path):
    """Beyond what 32 bits hold, entries get longer records: the length counts them."""
    sparse = tmp_path / "long.flac"
    with sparse.open("wb") as file:
        file.truncate(5 * 2**30)
    zipped = archive([Member(path=sparse, folder="a", name="b")])
    assert 5 * 2**30 < len(zipped) < 5 * 2**30 + 1000
