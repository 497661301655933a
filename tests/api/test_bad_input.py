"""Bad input of every field: a problem that names the field, nothing written, never a 500."""

import json
from typing import Any

import pytest

from tests.api.world import (
    ALICE,
    END,
    MAINNET,
    PERMISSIONS,
    SESSIONS,
    SPROUT,
    UNKNOWN_ID,
    Api,
    permission_body,
    rows,
    session_body,
)

pytestmark = pytest.mark.usefixtures("node")

NO_TYPE = ["true", "null", "[]", "{}", "[[1]]"]
NO_NUMBER = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "1e1000000",
    "9" * 5000,
    '"1e1"',
    '"1_000"',
    '""',
]
NO_AMOUNT = [
    *NO_TYPE,
    *NO_NUMBER,
    "0",
    "0.0",
    "-1",
    "1.000000001",
    "21000000.00000001",
    "1e9",
    '"\u0663"',
    '" 1"',
]
NO_WHOLE = [*NO_TYPE, *NO_NUMBER, "0", "-1", "1.5", "30.0", '"30"', "99999999999999999999"]
NO_TEXT = [*NO_TYPE, "1", "1.5", json.dumps("x" * 5000), r'"\u0000"', r'"\ud800"']
NO_ADDRESS = [
    *NO_TEXT,
    '""',
    '"nonsense"',
    f'" {ALICE}"',
    f'"{ALICE[:-1]}"',
    json.dumps(ALICE[:-1] + ("q" if ALICE[-1] != "q" else "p")),
    json.dumps(MAINNET),
    json.dumps(SPROUT),
    json.dumps("0x" + "ab" * 20),
    json.dumps(ALICE.swapcase()[:5] + ALICE[5:]),
    '"\U0001f600"',
]
NO_VENDOR = [*NO_TEXT, '""', '"../admin"', '"a b"', '"v\\n"', '"\'; DROP TABLE core_user; --"']
NO_CODE = [*NO_TEXT, '""', '"abc123xyz789"', '"ABC123XYZ78"', '"ABC123XYZ78\u0661"']
NO_REF = [*NO_TYPE, "1", json.dumps("x" * 201), r'"\u0000"', r'"\udfff"']

CASES = [
    (path, field, value)
    for path, fields in {
        PERMISSIONS: {
            "user_wallet_address": NO_ADDRESS,
            "requested_amount": NO_AMOUNT,
            "rate_per_hour": NO_AMOUNT,
            "duration_days": [*NO_WHOLE, "367"],
            "max_sessions": [*NO_WHOLE, "5"],
        },
        SESSIONS: {
            "user_wallet_address": NO_ADDRESS,
            "vendor_id": NO_VENDOR,
            "client_ref": NO_REF,
            "heartbeat_seconds": [*NO_WHOLE, "4", "3601"],
        },
        END: {"session_code": NO_CODE},
    }.items()
    for field, values in fields.items()
    for value in values
]
BODIES: dict[str, dict[str, Any]] = {
    PERMISSIONS: permission_body(),
    SESSIONS: session_body(),
    END: {"session_code": "ABC123XYZ789"},
}
REQUIRED = [
    *((PERMISSIONS, name) for name in ("user_wallet_address", "requested_amount", "rate_per_hour")),
    *((SESSIONS, name) for name in ("user_wallet_address", "vendor_id")),
    (END, "session_code"),
]


def with_value(path: str, field: str, value: str) -> str:
    """Return the body of a good call with one field in the words of a bad one."""
    others = {name: given for name, given in BODIES[path].items() if name != field}
    return json.dumps({**others, field: "@"}).replace('"@"', value)


@pytest.mark.parametrize(
    ("path", "field", "value"), CASES, ids=[f"{p.rsplit('/')[-1]}-{f}-{v[:20]}" for p, f, v in CASES]
)
def test_names_the_field_and_writes_nothing(vera: Api, path: str, field: str, value: str) -> None:
    before = rows()

    answer = vera.call("POST", path, with_value(path, field, value))

    assert (answer.status, answer.code) == (400, "invalid")
    assert set(answer.fields) == {field}
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert rows() == before


@pytest.mark.parametrize(("path", "field"), REQUIRED)
def test_names_a_field_that_is_missing(vera: Api, path: str, field: str) -> None:
    body = {name: given for name, given in BODIES[path].items() if name != field}

    assert vera.post(path, body).fields == {field: "required"}


@pytest.mark.parametrize("path", BODIES)
def test_names_every_field_at_once_and_an_unknown_one(vera: Api, path: str) -> None:
    answer = vera.post(path, {"colour": "red"})

    expected = {name: "required" for at, name in REQUIRED if at == path}
    assert answer.fields == {**expected, "colour": "unknown_field"}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", "malformed_body"),
        ("[]", "malformed_body"),
        ('"x"', "malformed_body"),
        ("null", "malformed_body"),
        (b"\xff\xfe", "malformed_body"),
        ('{"a": ' + "[" * 20_000 + "]" * 20_000 + "}", "malformed_body"),
        ('{"a": 1, "a": 2}', "malformed_body"),
        ('{"\\ud800": 1}', "malformed_body"),
        ("", "invalid"),
        ("{}", "invalid"),
        ('{"a": "\\u0000"}', "invalid"),
    ],
)
def test_refuses_a_body_that_is_no_json_object(vera: Api, path: str, content: str | bytes, code: str) -> None:
    before = rows()

    answer = vera.call("POST", path, content)

    assert (answer.status, answer.code) == (400, code)
    assert rows() == before


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
     "application/json; charset=latin-1", "nonsense", "application/jsonp"],
)  # fmt: skip
def test_refuses_another_content_type(vera: Api, path: str, content_type: str) -> None:
    before = rows()

    answer = vera.call("POST", path, json.dumps(BODIES[path]), content_type=content_type)

    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert rows() == before


@pytest.mark.parametrize("path", BODIES)
def test_refuses_a_compressed_and_a_huge_body(vera: Api, path: str) -> None:
    compressed = vera.call("POST", path, b"\x1f\x8b", headers={"content-encoding": "gzip"})
    huge = vera.call("POST", path, json.dumps({"a": "x" * 70_000}))

    assert (compressed.status, compressed.code) == (415, "unsupported_media_type")
    assert (huge.status, huge.code) == (413, "body_too_large")


@pytest.mark.parametrize(
    "address", [ALICE[:-1], MAINNET, SPROUT, "0x" + "ab" * 20, "%00", "x" * 3000, "%ff%fe"]
)
@pytest.mark.parametrize("path", [f"{PERMISSIONS}/wallet/", "/api/v1/zcash/balance/"])
def test_names_the_address_of_a_path(vera: Api, path: str, address: str) -> None:
    answer = vera.get(path + address)

    assert answer.status == 400
    assert answer.fields == {"address": "address_invalid"}


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v2/sessions",
        f"{SESSIONS}/",
        f"{PERMISSIONS}/",
        f"{PERMISSIONS}/{UNKNOWN_ID}/nonsense",
        f"{PERMISSIONS}/{UNKNOWN_ID}/verify/",
        f"{PERMISSIONS}/wallet/",
        "/api/v1/zcash/balance",
        "/api/v1/../v1/sessions",
        "/api/%00",
    ],
)
def test_answers_an_unknown_path_with_a_problem(nobody: Api, db: None, path: str) -> None:
    answer = nobody.get(path)

    assert (answer.status, answer.code) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_tells_what_kind_of_address_was_given(vera: Api) -> None:
    answer = vera.post(PERMISSIONS, permission_body(user_wallet_address=SPROUT))

    assert "sprout" in answer.body["errors"][0]["detail"].lower()
