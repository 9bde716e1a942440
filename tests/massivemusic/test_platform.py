"""The settings of the platform are refused by name, and never quoted."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import massivemusic
from massivemusic.client import Platform
from tests.massivemusic.conftest import a_platform

URLS = ["api_url", "stream_url", "media_url", "previews_url", "image_url"]
REFUSED = [
    "", "api.7digital.com", "ftp://h.example", "//h.example", "https://", "https:///1.2", "https:h.example",
    "https://me:canary@h.example", "https://me@h.example", "https://h.example?canary=1", "https://h.example?",
    "https://h.example#canary", "https://h.example#", "https://h.example/1.2?x", " https://h.example",
    "https://h.example\n", "https://h.exa mple", "https://h.example\\@canary", "https://h.example//canary",
    "https://h.example:canary", "https://h.example:99999", "https://h.example:", "https://[::1", "https://hé.example",
    "javascript:canary", "file:///etc/passwd", "https://h.example/a b", "https://h.example/%0d%0a\r\n",
]  # fmt: skip


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("url", REFUSED)
def test_odd_urls_are_refused(name: str, url: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} ") as caught:
        a_platform("https://h.example", **{name: url})
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", URLS)
def test_http_must_be_allowed(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be https$"):
        a_platform("https://h.example", allow_http=False, **{name: "http://h.example"})
    assert getattr(a_platform("https://h.example", **{name: "http://h.example/p"}), name) == "http://h.example/p"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.7digital.com", "https://api.7digital.com/1.2"),
        ("https://api.7digital.com/", "https://api.7digital.com/1.2"),
        ("HTTPS://API.7digital.com:443/1.3/", "https://api.7digital.com/1.3"),
        ("http://127.0.0.1:8001/1.2", "http://127.0.0.1:8001/1.2"),
        ("http://[::1]:80/a/B", "http://[::1]/a/B"),
    ],
)
def test_urls_are_kept_in_one_form(given: str, kept: str) -> None:
    assert a_platform("https://h.example", api_url=given).api_url == kept


def test_only_the_api_has_a_version() -> None:
    platform = a_platform("https://h.example/")
    assert [getattr(platform, name) for name in URLS] == ["https://h.example/1.2", *["https://h.example"] * 4]


@pytest.mark.parametrize("name", ["consumer_key", "consumer_secret"])
def test_a_key_has_two_halves(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} is empty$"):
        a_platform("https://h.example", **{name: ""})


@pytest.mark.parametrize("name", ["connect_seconds", "total_seconds", "idle_seconds", "max_bytes"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_limits_are_limits(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be more than zero$"):
        a_platform("https://h.example", **{name: value})


def test_the_limits_of_production() -> None:
    platform = Platform(**dict.fromkeys([*URLS, "consumer_key", "consumer_secret"], "https://h.example"))  # type: ignore[arg-type]
    assert (platform.allow_http, platform.connect_seconds, platform.total_seconds) == (False, 2.0, 8.0)
    assert (platform.idle_seconds, platform.max_bytes) == (4.0, 1024 * 1024)


def test_a_platform_does_not_change() -> None:
    platform = a_platform("https://h.example")
    with pytest.raises(dataclasses.FrozenInstanceError):
        platform.api_url = "https://other.example"  # type: ignore[misc]


@given(st.text(max_size=30))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        kept = a_platform("https://h.example", stream_url=text).stream_url
    except ValueError as refused:
        kept = str(refused)
    assert kept.startswith(("https://", "http://", "stream_url "))


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((Path(massivemusic.__file__).parents[1] / "pyproject.toml").read_text())
    assert massivemusic.__version__ == project["project"]["version"]
