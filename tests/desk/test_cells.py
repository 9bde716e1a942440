"""What stands in the cells of the admin's tables."""

from __future__ import annotations

from datetime import timedelta

import pytest

from desk.cells import ago, label, minutes


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59, "0:59"), (204, "3:24"), (3661, "61:01")])
def test_a_duration_reads_as_on_a_sleeve(seconds: int, text: str) -> None:
    assert minutes(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (119.4, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 days")],
)
def test_an_age_has_a_unit_that_fits(seconds: float, text: str) -> None:
    assert ago(timedelta(seconds=seconds)) == text


def test_a_label_is_text_and_no_more() -> None:
    assert "&lt;b&gt;" in label("<b>", "danger")
