"""The bounded JSON parser, and the check of what Django would choke on."""

import io
import time
from decimal import Decimal
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError

from paygo.api.edge import guarded
from paygo.api.errors import BodyTooLarge
from paygo.api.jsontext import MAX_DEPTH, JSONError, UnstorableTextError, decode_object
from paygo.api.parsers import BoundedJSONParser

LIMIT = 64 * 1024


def short(value: object) -> str:
    """Return a name for a case that may be very long."""
    return repr(value)[:20]


def parse(body: bytes, *, media_type: str = "application/json", **headers: Any) -> dict[str, Any]:
    request = RequestFactory().generic("POST", "/", body, content_type=media_type, **headers)
    return BoundedJSONParser().parse(io.BytesIO(body), media_type, {"request": request})


def test_keeps_every_digit_of_a_number() -> None:
    assert decode_object(b'{"a": 0.10, "b": 7, "c": 1e-8}') == {
        "a": Decimal("0.10"),
        "b": 7,
        "c": Decimal("1e-8"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "1e400",
        "1e1000000",
        "-1e1000000",
        "1e99999999999999999999999",
        "NaN",
        "Infinity",
        "-Infinity",
        "9" * 5000,
    ],
    ids=short,
)
def test_leaves_absurd_numbers_to_the_field_that_they_are_for(text: str) -> None:
    started = time.process_time()

    (value,) = decode_object(f'{{"a": {text}}}'.encode()).values()

    assert isinstance(value, Decimal)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 01}',
        b'{"a": +1}',
        b'{"a": .5}',
        b'{"a": 1} {}',
        b'{"a": "\n"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"\\u0000": 1}',
        b'{"\\ud800": 1}',
    ],
)
def test_refuses_what_is_no_json_object(body: bytes) -> None:
    with pytest.raises(JSONError):
        decode_object(body)


@pytest.mark.parametrize("value", [r'"\u0000"', r'"\ud800x"', r'["\udfff"]', r'{"b": {"\u0000": 1}}'])
def test_names_the_field_with_a_character_that_cannot_be_stored(value: str) -> None:
    with pytest.raises(UnstorableTextError) as caught:
        decode_object(f'{{"a": 1, "b": {value}}}'.encode())

    assert caught.value.field == "b"


def test_takes_a_whole_surrogate_pair() -> None:
    assert decode_object(rb'{"a": "\ud83d\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 2_000, 30_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_refuses_deep_nesting_before_parsing(opening: str, closing: str, depth: int) -> None:
    with pytest.raises(JSONError, match="nested"):
        decode_object(f'{{"a": {opening * depth}1{closing * depth}}}'.encode())


def test_counts_no_brackets_inside_of_texts() -> None:
    assert decode_object(b'{"a": "[[[[[[[[[[[[\\"[[[["}') == {"a": '[[[[[[[[[[[["[[[['}


def test_takes_nesting_up_to_the_limit() -> None:
    levels = MAX_DEPTH - 1

    decode_object(f'{{"a": {"[" * levels}{"]" * levels}}}'.encode())


@pytest.mark.parametrize(
    ("start", "repeated"),
    [(b'"', b'\\"'), (b'{"a": "', b"\\\\"), (b"", b'""'), (b"", b"[[")],
    ids=short,
)
def test_takes_linear_time_for_hostile_text(start: bytes, repeated: bytes) -> None:
    little, much = (cpu_seconds_of(start + repeated * times) for times in (2_000, 32_000))

    # Sixteen times as long; quadratic time would be 256 times as much.
    assert much < 64 * little


def cpu_seconds_of(body: bytes) -> float:
    """Return how long a body is refused for, at the best of several tries."""
    taken = []
    for _ in range(7):
        started = time.process_time()
        with pytest.raises(JSONError):
            decode_object(body)
        taken.append(time.process_time() - started)
    return min(taken)


def test_reads_a_body_of_exactly_the_limit() -> None:
    body = b'{"a": "' + b"x" * (LIMIT - 9) + b'"}'

    assert len(body) == LIMIT
    assert parse(body)["a"].startswith("x")


def test_refuses_a_body_over_the_limit_without_reading_it() -> None:
    class Unread(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("it was read")

    request = RequestFactory().generic("POST", "/", b"{}")
    request.META["CONTENT_LENGTH"] = str(LIMIT + 1)

    with pytest.raises(BodyTooLarge):
        BoundedJSONParser().parse(Unread(), "application/json", {"request": request})


def test_reads_no_more_than_the_limit_of_a_body_without_length() -> None:
    request = RequestFactory().generic("POST", "/", b"{}")
    del request.META["CONTENT_LENGTH"]
    stream = io.BytesIO(b" " * (LIMIT * 2))

    with pytest.raises(BodyTooLarge):
        BoundedJSONParser().parse(stream, "application/json", {"request": request})

    assert stream.tell() == LIMIT + 1


def test_refuses_a_body_that_broke_off() -> None:
    request = RequestFactory().generic("POST", "/", b"{}")
    request.META["CONTENT_LENGTH"] = "10"

    with pytest.raises(ParseError):
        BoundedJSONParser().parse(io.BytesIO(b"{}"), "application/json", {"request": request})


def test_names_the_field_of_unstorable_text() -> None:
    with pytest.raises(ValidationError) as caught:
        parse(rb'{"a": "\u0000"}')

    assert isinstance(caught.value.detail, dict)
    assert list(caught.value.detail) == ["a"]


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
def test_takes_utf_8_under_its_names(charset: str) -> None:
    assert parse(b"{}", media_type=f"application/json; charset={charset}") == {}


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "utf-7"])
def test_refuses_another_charset(charset: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        parse(b"{}", media_type=f"application/json; charset={charset}")


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x"])
def test_refuses_a_compressed_body(coding: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        parse(b"{}", HTTP_CONTENT_ENCODING=coding)


def through_the_edge(**environ: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def application(given: dict[str, Any], _: Any) -> list[bytes]:
        seen.update(given, body=given["wsgi.input"].read(int(given.get("CONTENT_LENGTH") or 0)))
        return []

    guarded(application)({"wsgi.input": io.BytesIO(b""), **environ}, lambda *_: None)
    return seen


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "application/x-www-form-urlencoded",
        'multipart/form-data; boundary="a b?c"',
    ],
)
def test_passes_on_an_ordinary_content_type(content_type: str) -> None:
    assert through_the_edge(CONTENT_TYPE=content_type)["CONTENT_TYPE"] == content_type


@pytest.mark.parametrize(
    "content_type",
    [
        "a/b; x*=bogus''v",
        "a/b; charset=hex",
        "a/b; charset=undefined",
        'a/b; charset="rot13"',
        "a/b; charset=\0",
        "a/b; CHARSET=base64",
        "nonsense",
        "a/b;" * 100,
        "a/" + "b" * 300,
        "a/b; x=" + '"' * 50,
    ],
    ids=short,
)
def test_keeps_a_hostile_content_type_from_django(content_type: str) -> None:
    assert through_the_edge(CONTENT_TYPE=content_type)["CONTENT_TYPE"] == "application/octet-stream"


def test_gives_django_no_nul_in_a_query() -> None:
    assert through_the_edge(QUERY_STRING="a=%00b")["QUERY_STRING"] == "a=%EF%BF%BDb"
