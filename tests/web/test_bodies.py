"""Bodies are believed only after they have been measured, inflated and parsed strictly."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.bodies import BadEncoding, BodyTooLarge, NotJSON, cap_for, inflate, parse_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\u00e9", max_size=3), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_reads_what_json_writes(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


HOSTILE = [
    b"", b" ", b"{", b"[1,]", b"{'a': 1}", b"// comment\n1", b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b"01",
    b"+1", b'"\\u0000"', b'"a\x00b"', b'"\\ud800"', b'{"\\udfff": 1}', b'["ok", {"a": ["\\u0000"]}]', b"\xff", b"\xc3(",
    "[1]".encode("utf-16"), b'{"a": 1, "a": 2}', b'[{"a": {"b": 1, "b": 1}}]', b"[" * 65 + b"]" * 65,
    b'{"a":' * 65 + b"1" + b"}" * 65, b"[" * 100_000, b"9" * 10_000, b"[1] [2]",
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:20]))
def test_refuses_what_is_not_strict_json(body: bytes) -> None:
    with pytest.raises(NotJSON) as no:
        parse_json(body)
    assert len(str(no.value)) < 200


@pytest.mark.parametrize(
    "body", [b"[" * 64 + b"]" * 64, b'"[[[["', b'"\\\\u0000"', b'"\\ud83d\\ude00"', "\ufeff1".encode()[3:], b"1"]
)
def test_takes_what_only_looks_hostile(body: bytes) -> None:
    assert parse_json(body) == json.loads(body)


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_inflates_up_to_the_cap(size: int) -> None:
    assert inflate(gzip.compress(b"x" * size), cap=1000) == b"x" * size


@pytest.mark.parametrize("size", [1001, 10_000_000])
def test_stops_inflating_at_the_cap(size: int) -> None:
    with pytest.raises(BodyTooLarge):
        inflate(gzip.compress(b"x" * size), cap=1000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain",
        gzip.compress(b"x", mtime=0)[:-1],
        gzip.compress(b"x", mtime=0) + b"y",
        gzip.compress(b"x", mtime=0) * 2,
    ],
)
def test_refuses_what_is_no_gzip_body(data: bytes) -> None:
    with pytest.raises(BadEncoding):
        inflate(data, cap=1000)


def test_the_longest_prefix_sets_the_cap() -> None:
    assert cap_for("/webhooks/catalogue/standard") == 10 * 1024 * 1024
    assert cap_for("/api/v1/plays") == 1024 * 1024
    assert cap_for("/api/v1/streams") == 64 * 1024
    assert cap_for("/anything") == 64 * 1024
