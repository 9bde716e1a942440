"""The platform's door: what it brings is kept before it is answered, up to a size and in two encodings."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from catalogue.models import CatalogueEvent
from tests.catalogue.conftest import Door
from tests.helpers import expect_problem, release_event, zipped
from tests.massivemusic.behaviours import bomb

pytestmark = pytest.mark.django_db
MIB = 1024 * 1024


@pytest.mark.parametrize("compressed", [True, False])
def test_keeps_what_the_platform_brings(door: Door, compressed: bool) -> None:
    event = [release_event(), {"id": 2, "version": 1, "takedown": True}]

    kept = door.keep(zipped(event), Content_Encoding="gzip") if compressed else door.keep(event)

    assert json.loads(gzip.decompress(kept.body)) == event
    assert (kept.kind, kept.members, kept.release_ids, kept.state) == ("standard", 2, [2, 7001001], "WAITING")


def sized(size: int) -> bytes:
    """An event of exactly so many bytes."""
    frame = json.dumps([release_event(cLine="")]).encode()
    return frame.replace(b'"cLine": ""', b'"cLine": "' + b"x" * (size - len(frame)) + b'"')


@pytest.mark.parametrize(
    ("size", "status"), [(MIB, 202), (5 * MIB // 2, 202), (5 * MIB, 202), (10 * MIB, 202), (10 * MIB + 1, 413)]
)
@pytest.mark.parametrize("compressed", [True, False])
def test_takes_ten_mebibytes_and_not_a_byte_more(door: Door, size: int, status: int, compressed: bool) -> None:
    body = sized(size)
    assert len(body) == size

    response = door.post(zipped(body), Content_Encoding="gzip") if compressed else door.post(body)

    assert response.status_code == status
    assert CatalogueEvent.objects.count() == (status == 202)


PLAIN = json.dumps([release_event()]).encode()
WRAPPED = {
    "a bomb": ("gzip", bomb(200), 413, "body_too_large"),
    "a bomb in a bomb": ("gzip", zipped(bomb(200)), 400, "invalid_json"),
    "gzip in gzip": ("gzip", zipped(zipped(PLAIN)), 400, "invalid_json"),
    "gzip named twice": ("gzip, gzip", zipped(zipped(PLAIN)), 415, "unsupported_content_encoding"),
    "gzip named not at all": ("identity", zipped(PLAIN), 400, "invalid_json"),
    "plain named gzip": ("gzip", PLAIN, 400, "bad_content_encoding"),
    "deflate named gzip": ("gzip", zlib.compress(PLAIN), 400, "bad_content_encoding"),
    "deflate": ("deflate", zlib.compress(PLAIN), 415, "unsupported_content_encoding"),
    "brotli": ("br", PLAIN, 415, "unsupported_content_encoding"),
    "an encoding of nobody's": ("x" * 4000, PLAIN, 415, "unsupported_content_encoding"),
    "gzip cut off": ("gzip", zipped(PLAIN)[:-1], 400, "bad_content_encoding"),
    "gzip with a tail": ("gzip", zipped(PLAIN) + b"x", 400, "bad_content_encoding"),
    "gzip of a wrong checksum": ("gzip", zipped(PLAIN)[:-8] + bytes(8), 400, "bad_content_encoding"),
    "an empty body named gzip": ("gzip", b"", 400, "bad_content_encoding"),
    "gzip of nothing": ("gzip", zipped(b""), 400, "invalid_json"),
}


@pytest.mark.parametrize(("encoding", "body", "status", "code"), WRAPPED.values(), ids=WRAPPED)
def test_is_not_fooled_by_wrapping(door: Door, encoding: str, body: bytes, status: int, code: str) -> None:
    expect_problem(door.post(body, Content_Encoding=encoding), status, code)
    assert not CatalogueEvent.objects.exists()


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " gzip ", "x-gzip"])
def test_takes_gzip_by_any_of_its_names(door: Door, encoding: str) -> None:
    assert gzip.decompress(door.keep(zipped(PLAIN), Content_Encoding=encoding).body) == PLAIN
