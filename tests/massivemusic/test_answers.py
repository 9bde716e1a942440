"""Bytes become one plain shape, or an error that says why not."""

from __future__ import annotations

import copy
import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivemusic import errors
from massivemusic.answers import Answer, understand
from massivemusic.errors import ItemFailure, PlatformError
from massivemusic.shapes import listed, parse, whole

DTD = "a document type or an entity"
BAD = "malformed XML"
OTHER = "XML of another kind"
NEITHER = "neither XML nor JSON"
DEEP = "deeper than 64 levels"


def response(content: str, before: str = "") -> str:
    return f'{before}<response status="ok">{content}</response>'


def entities(*lines: str, use: str) -> str:
    return response(use, f"<!DOCTYPE response [{''.join(lines)}]>")


LAUGHS = [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)]
BILLION = entities('<!ENTITY l0 "lol">', *LAUGHS, use="<a>&l9;</a>")
SMALL = entities('<!ENTITY l0 "lol">', *LAUGHS[:5], use="<a>&l5;</a>")
QUADRATIC = entities(f'<!ENTITY a "{"a" * 50_000}">', use=f"<a>{'&a;' * 5000}</a>")
HOSTILE = {
    "laughs, a billion": (BILLION, DTD),
    "laughs, three megabytes": (SMALL, DTD),
    "quadratic": (QUADRATIC, DTD),
    "parameter entity": (entities("<!ENTITY % p \"<!ENTITY e 'x'>\">", "%p;", use="&e;"), DTD),
    "external file": (entities('<!ENTITY e SYSTEM "file:///etc/passwd">', use="<a>&e;</a>"), DTD),
    "external address": (entities('<!ENTITY e SYSTEM "http://127.0.0.1/x">', use="<a>&e;</a>"), DTD),
    "external DTD": (response("", '<!DOCTYPE response SYSTEM "http://127.0.0.1/x.dtd">'), DTD),
    "xinclude": (
        response('<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'),
        {"status": "ok", "include": {"href": "file:///etc/passwd", "parse": "text"}},
    ),
    "deep by one": (response("<a>" * 64 + "</a>" * 64), DEEP),
    "deep without end": ("<response>" + "<a>" * 200_000, DEEP),
    "wide": (response("<a/>" * 50_000), {"status": "ok", "a": [None] * 50_000}),
    "wide in attributes": (
        response("", "").replace(">", " " + " ".join(f'a{n}="{n}"' for n in range(9000)) + ">", 1),
        {"status": "ok", **{f"a{n}": str(n) for n in range(9000)}},
    ),
    "cut": (response("<a>1</a>")[:-4], BAD),
    "nul": (response("<a>\0</a>"), BAD),
    "utf-7": (response("+ADw-a+AD4-", "<?xml version='1.0' encoding='utf-7'?>"), "multi-byte encodings"),
    "utf-16": (response("<a>1</a>").encode("utf-16"), NEITHER),
    "utf-32": (response("<a>1</a>").encode("utf-32"), NEITHER),
    "wrong prolog": (response("<a>1</a>", "<?xml version='1.0' encoding='utf-16'?>"), BAD),
    "namespaces": (
        response("".join(f'<n{n}:a xmlns:n{n}="urn:{n}"/>' for n in range(2000))),
        {"status": "ok", "a": [None] * 2000},
    ),
    "comment and instruction": (
        response("<a>1<!-- 2 --><?php 3 ?></a>", '<?xml-stylesheet href="http://127.0.0.1/"?>'),
        {"status": "ok", "a": "1"},
    ),
    "end of cdata": (response("<a>]]></a>"), BAD),
    "html": ("<!DOCTYPE html><html><body>Hello</body></html>", DTD),
    "xhtml": ("<html><body>Hello</body></html>", OTHER),
    "unknown encoding": (response("", "<?xml version='1.0' encoding='klingon'?>"), BAD),
}


def test_the_hostile_are_24() -> None:
    assert len(HOSTILE) == 24


@pytest.mark.parametrize(("text", "result"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_xml_is_harmless(text: str | bytes, result: str | dict) -> None:
    body = text.encode() if isinstance(text, str) else text
    started = time.perf_counter()
    tracemalloc.start()
    try:
        if isinstance(result, dict):
            assert understand(status=200, body=body) == Answer(status=200, body=result)
        else:
            with pytest.raises(errors.Unreadable) as caught:
                understand(status=200, body=body)
            assert caught.value.detail.startswith(f"HTTP 200: {result}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20
    assert time.perf_counter() - started < 10


UNREADABLE_JSON = {
    "cut": ('{"a":', "malformed JSON"),
    "nan": ('{"a":NaN}', "malformed JSON"),
    "infinity": ('{"a":-Infinity}', "malformed JSON"),
    "beyond a float": ('{"a":1e999}', "malformed JSON"),
    "half a pair": ('{"a":"\\ud800"}', "malformed JSON"),
    "not utf-8": (b'{"a":"\xff"}', "malformed JSON"),
    "two documents": ("{} {}", "malformed JSON"),
    "comment": ("{} // hello", "malformed JSON"),
    "deep by one": ('{"a":' + "[" * 64 + "]" * 64 + "}", DEEP),
    "deep without end": ('{"a":' + "[" * 500_000, DEEP),
    "list": ("[]", NEITHER),
    "number": ("1", NEITHER),
    "over a megabyte": ('{"a":"' + "x" * 2**20 + '"}', "more than 1 MiB"),
}


@pytest.mark.parametrize(("text", "flaw"), UNREADABLE_JSON.values(), ids=UNREADABLE_JSON)
def test_unreadable_json_is_named(text: str | bytes, flaw: str) -> None:
    with pytest.raises(ValueError, match=f"^{flaw}$"):
        parse(text.encode() if isinstance(text, str) else text)


def test_64_levels_are_read() -> None:
    assert parse(('{"a":' + "[" * 63 + "]" * 63 + "}").encode())["a"]
    assert parse(response("<a>" * 63 + "</a>" * 63).encode())["a"]


def test_the_last_of_equal_keys_wins() -> None:
    assert parse(b'{"a":1,"a":2}') == {"a": 2}


def test_xml_and_json_have_one_shape() -> None:
    xml = """<?xml version="1.0" encoding="utf-8"?>
    <response status="ok" version="1.2">
      <locker page="1"><lockerRelease><release id="7"><title>Déjà &amp; vu</title></release></lockerRelease>
        <lockerRelease><release id="8"><title><![CDATA[<b>]]></title></release></lockerRelease></locker>
      <format id="17">MP3</format><empty/>
    </response>"""
    as_json = {
        "status": "ok",
        "version": "1.2",
        "locker": {
            "page": "1",
            "lockerRelease": [{"release": {"id": "7", "title": "Déjà & vu"}}, {"release": {"id": "8", "title": "<b>"}}],
        },
        "format": {"id": "17", "#text": "MP3"},
        "empty": None,
    }
    assert parse(xml.encode()) == parse(json.dumps(as_json).encode()) == as_json


def test_a_child_outranks_an_attribute() -> None:
    assert parse(b'<response a="1"><a>2</a><a>3</a></response>') == {"a": ["2", "3"]}


def test_other_encodings_are_read() -> None:
    assert parse("<?xml version='1.0' encoding='iso-8859-1'?><response><a>é</a></response>".encode("latin-1")) == {
        "a": "é"
    }


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"\xef\xbb\xbf", b"<response/>", b"{}"])
def test_nothing_is_an_empty_answer(body: bytes) -> None:
    assert understand(status=200, body=body) == Answer(status=200, body={})


def test_answers_are_asked_by_path() -> None:
    said = Answer(status=200, body={"a": {"b": {"c": 1}}, "d": [1]})
    assert (said.at("a", "b", "c"), said.at("a", "x", "c"), said.at("d", "b"), said.at("a", "b", "c", "d")) == (
        1,
        None,
        None,
        None,
    )


def test_what_repeats_is_a_list() -> None:
    assert [listed(value) for value in (None, {"a": 1}, [1, 2], "x")] == [[], [{"a": 1}], [1, 2], ["x"]]


NUMBERS = {5: 5, "5": 5, "0005": 5, -5: -5}
NO_NUMBERS = [True, 5.5, "-5", "5.0", "٥", "²", "", None, [5], "9" * 5000]


def test_whole_numbers_are_told_from_the_rest() -> None:
    assert {value: whole(value) for value in NUMBERS} == NUMBERS
    assert [value for value in NO_NUMBERS if whole(value) is not None] == []


CODES = {
    1001: errors.ParameterMissing, 1002: errors.ParameterInvalid, 1003: errors.OutOfRange,
    1006: errors.ChoiceUnknown, 1008: errors.BatchFailed, 2001: errors.NotFound, 2002: errors.NotAvailable,
    2003: errors.AlreadyExists, 3001: errors.CardExpired, 3002: errors.CardMissing, 3003: errors.PaymentFailed,
    3004: errors.PriceMismatch, 3005: errors.CardCountryRefused, 3012: errors.VoucherRefused,
    3017: errors.AlreadyRefunded, 3100: errors.PaymentProviderUnreachable, 3101: errors.PaymentRejected,
    3102: errors.PaymentDeclined, 3103: errors.CardNotAdded, 3104: errors.CardDeclined,
    3105: errors.RefundNotAllowed, 3106: errors.RefundDeclined, 3201: errors.PlayingElsewhere,
    7001: errors.ActionImpossible, 7002: errors.PlatformMisconfigured, 7003: errors.PlatformTimedOut,
    7102: errors.RefundFailed, 9001: errors.UnexpectedFailure,
    1999: errors.InputRefused, 3999: errors.AccountRefused, 9999: errors.PlatformTrouble, 42: errors.UnknownVerdict,
}  # fmt: skip
SPELLINGS = [
    '<response status="error"><error code="{}"><errorMessage>why</errorMessage></error></response>',
    '{{"status":"error","error":{{"code":{},"message":"why"}}}}',
    '{{"status":"error","error":{{"code":"{}","errorMessage":"why"}}}}',
    '{{"error":[{{"code":{},"message":"why"}}]}}',
    '{{"status":"error","code":{},"message":"why"}}',
]


@pytest.mark.parametrize("status", [200, 400, 404, 500])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("code", "kind"), CODES.items())
def test_a_number_is_a_verdict_whatever_the_status(code: int, kind: type, spelling: str, status: int) -> None:
    with pytest.raises(PlatformError) as caught:
        understand(status=status, body=spelling.format(code).encode())
    error = caught.value
    assert (type(error), error.code, error.status, error.detail) == (kind, code, status, "why")
    assert error.permanent == (code // 1000 in (1, 2, 3))
    assert error.in_doubt == (code == 7003)
    assert str(error) == f"{code}: why"


def test_a_verdict_without_a_reason_has_a_text() -> None:
    with pytest.raises(errors.NotFound, match=r"^2001: no reason given$"):
        understand(status=404, body=b'{"error":{"code":2001}}')


_NAMED = '[{"index":0,"code":1002,"message":"old"},{"index":"3","code":"2001","errorMessage":"gone"}]'
_NAMED_XML = (
    '<error index="0" code="1002"><errorMessage>old</errorMessage></error>'
    '<error index="3" code="2001"><errorMessage>gone</errorMessage></error>'
)
BATCHES = [
    f'{{"status":"error","error":{{"code":1008}},"errors":{_NAMED}}}',
    f'{{"error":{{"code":1008,"errors":{_NAMED}}}}}',
    f'{{"status":"error","code":1008,"errors":{_NAMED}}}',
    f'<response status="error"><error code="1008"/><errors>{_NAMED_XML}</errors></response>',
]


@pytest.mark.parametrize("body", BATCHES)
def test_a_batch_names_its_failures(body: str) -> None:
    with pytest.raises(errors.BatchFailed) as caught:
        understand(status=400, body=body.encode())
    assert caught.value.failures == (
        ItemFailure(index=0, code=1002, detail="old"),
        ItemFailure(index=3, code=2001, detail="gone"),
    )


@pytest.mark.parametrize("second", ['{"code":1002}', '{"index":-1}', '{"index":"x"}', "7", '{"index":true}'])
def test_a_batch_names_all_or_none(second: str) -> None:
    with pytest.raises(errors.BatchFailed) as caught:
        understand(status=400, body=f'{{"error":{{"code":1008}},"errors":[{{"index":0}},{second}]}}'.encode())
    assert caught.value.failures == ()


_words = st.sampled_from(["status", "error", "errors", "code", "message", "index", "user"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("error"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=4),
    max_leaves=8,
)
bodies = st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | _values.map(lambda v: json.dumps(v).encode())


@given(st.integers(100, 999), bodies, st.none() | st.integers(-5, 10**9))
def test_whatever_comes_is_an_answer_or_a_platform_error(status: int, body: bytes, wait: int | None) -> None:
    said: Answer | PlatformError
    try:
        said = understand(status=status, body=body, retry_after=wait)
    except PlatformError as refused:
        said = refused
    if isinstance(said, Answer):
        assert 200 <= said.status < 300
        assert not said.body.get("error")
    else:
        assert not (said.permanent and said.in_doubt)
        assert said.retry_after is None or 0 <= said.retry_after <= 3600


def test_errors_can_be_copied() -> None:
    with pytest.raises(PlatformError) as caught:
        understand(status=400, body=b'{"error":{"code":2001,"message":"gone"}}', retry_after=9)
    twin = copy.copy(caught.value)
    assert (type(twin), twin.code, twin.status, twin.retry_after, str(twin)) == (
        errors.NotFound, 2001, 400, 9, "2001: gone",
    )  # fmt: skip
