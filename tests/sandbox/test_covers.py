"""Cover images on the CDN's paths."""

from __future__ import annotations

import io

import pytest
import requests
from PIL import Image

from sandbox.lettering import possible
from tests.sandbox.platform import Platform

SIZES = (33, 50, 100, 180, 182, 200, 350, 500, 800)


def path_of(release_id: int, size: int | str) -> str:
    number = f"{release_id:010}"
    return f"/static/img/sleeveart/{number[:2]}/{number[2:5]}/{number[5:8]}/{number}_{size}.jpg"


def get(platform: Platform, path: str, **headers: str) -> requests.Response:
    return requests.get(platform.url + path, headers=headers, timeout=10)


@pytest.mark.parametrize("size", SIZES)
def test_comes_in_every_listed_size(platform: Platform, size: int):
    answer = get(platform, path_of(platform.release()["id"], size))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (size, size))


def test_can_be_cached(platform: Platform):
    path = path_of(platform.release()["id"], 200)
    first = get(platform, path)
    assert first.headers["Cache-Control"] == "public, max-age=86400"
    again = get(platform, path, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    head = requests.head(platform.url + path, timeout=5)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(first.content)))


def test_is_another_one_for_every_release(platform: Platform):
    pictures = {get(platform, path_of(release["id"], 100)).content for release in platform.releases()[:12]}
    assert len(pictures) == 12


def test_knows_no_other_paths(platform: Platform):
    number = platform.release()["id"]
    good = path_of(number, 50)
    for path in (
        path_of(number, 51),
        path_of(number, "x"),
        path_of(1, 50),
        path_of(9_999_999_999, 50),
        path_of(number + 2**31, 50),
        good.replace("/00/", "/01/"),
        good.replace("_50", ""),
    ):
        assert get(platform, path).status_code == 404, path
    assert get(platform, good).status_code == 200


@pytest.mark.parametrize(
    ("text", "can"), [("Bóithrín", True), ("Straße & Co., çà!", True), ("夜の灯台", False), ("Ђ", False)]
)
def test_knows_what_its_font_can_set(text: str, can: bool):
    assert possible(text) == can
