"""Covers have addresses that follow from the release."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivemusic.images import SIZES, cover_template


def test_covers_follow_from_the_release() -> None:
    assert cover_template("https://artwork-cdn.7static.com", 569720) == (
        "https://artwork-cdn.7static.com/static/img/sleeveart/00/005/697/0000569720_{size}.jpg"
    )
    assert 350 in SIZES


@pytest.mark.parametrize("number", [0, -5, 10**10])
def test_covers_need_a_real_id(number: int) -> None:
    with pytest.raises(ValueError, match="release_id"):
        cover_template("https://h.example", number)


@given(st.integers(1, 10**10 - 1))
def test_covers_hold_the_id_twice(number: int) -> None:
    first, second, third, file = cover_template("", number).split("/")[-4:]
    assert file == f"{number:010}_{{size}}.jpg"
    assert file.startswith(first + second + third)
