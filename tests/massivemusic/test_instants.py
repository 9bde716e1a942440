"""Instants keep their second on the way there and back."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from massivemusic import instants


@given(st.datetimes(min_value=datetime(1000, 1, 2), max_value=datetime(9000, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_instants_are_read_as_they_were_written(instant: datetime) -> None:
    text = instants.written(instant)
    assert text.endswith("Z")
    assert "." not in text
    assert instants.read(text) == instant.astimezone(UTC).replace(microsecond=0)
