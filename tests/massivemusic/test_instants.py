"""Instants keep their second on the way there and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivemusic import instants


@given(st.datetimes(min_value=datetime(1000, 1, 2), max_value=datetime(9000, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_instants_are_read_as_they_were_written(instant: datetime) -> None:
    text = instants.written(instant)
    assert text.endswith("Z")
    assert "." not in text
    assert instants.read(text) == instant.astimezone(UTC).replace(microsecond=0)


@pytest.mark.parametrize(
    "told",
    ["", "soon", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", 0, None, ["2026"]],
)
def test_what_is_no_instant_is_refused(told: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        instants.read(told)
