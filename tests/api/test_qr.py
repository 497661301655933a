"""The QR code of a permission's payment: what it says, in which form, and when there is none."""

import re
import struct
import zlib
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import segno

from tests.api.world import PERMISSIONS, UNKNOWN_ID, Answer, Api, browser, create, hours_pass, make_api, pay
from zcash.node.rpc import RpcClient
from zcash.zip321 import parse_uri, payment_uri

pytestmark = pytest.mark.usefixtures("node")

Modules = set[tuple[int, int]]
_QUIET = 4
_PIXELS = 8


def of(created: dict[str, Any], query: str = "") -> str:
    return f"{PERMISSIONS}/{created['permission_id']}/qr{query}"


def modules_of(uri: str) -> Modules:
    """Return the dark modules of a text's QR code: version by need, level M, bytes."""
    code = segno.make_qr(uri, error="m", mode="byte", boost_error=False)
    return {(x, y) for y, row in enumerate(code.matrix) for x, dark in enumerate(row) if dark & 1}


def modules_of_svg(svg: str) -> Modules:
    path = next(each for each in ET.fromstring(svg).iter() if "stroke" in each.attrib)
    dark: Modules = set()
    x, y = 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([-0-9. ]+)", path.attrib["d"]):
        first, *second = (float(each) for each in numbers.split())
        if command == "h":
            dark |= {(int(x) + step - _QUIET, int(y) - _QUIET) for step in range(int(first))}
            x += first
        else:
            x, y = (first, second[0]) if command == "M" else (x + first, y + second[0])
    return dark


def modules_of_png(png: bytes) -> Modules:
    width, height = struct.unpack(">II", png[16:24])
    at, packed = 8, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += 12 + length
    lines = unfiltered(zlib.decompress(packed), stride=(width + 7) // 8)
    assert (png[24], png[25], len(lines)) == (1, 0, height)
    middles = range(_PIXELS // 2, width, _PIXELS)
    return {
        (x // _PIXELS - _QUIET, y // _PIXELS - _QUIET)
        for y in middles
        for x in middles
        if not lines[y][x // 8] >> (7 - x % 8) & 1
    }


def unfiltered(data: bytes, *, stride: int) -> list[bytes]:
    """Return the lines of an image whose lines are as they are (0) or differences to the one above (2)."""
    lines = [bytes(stride)]
    for at in range(0, len(data), stride + 1):
        kind, line = data[at], data[at + 1 : at + 1 + stride]
        assert kind in (0, 2)
        above = lines[-1] if kind == 2 else bytes(stride)
        lines.append(bytes((one + other) % 256 for one, other in zip(line, above, strict=True)))
    return lines[1:]


def get_png(api: Api, created: dict[str, Any]) -> Any:
    return browser().get(of(created, "?format=png"), headers={"authorization": f"Bearer {api.key}"})


def asks_for(answer: Answer, created: dict[str, Any], amount_zat: int) -> bool:
    uri = payment_uri(created["payment_address"], amount_zat=amount_zat)
    return modules_of_svg(answer.body) == modules_of(uri)


def test_shows_the_payment_uri_as_svg(vera: Api) -> None:
    created = create(vera)

    answer = vera.get(of(created))

    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert modules_of_svg(answer.body) == modules_of(created["payment_uri"])
    assert parse_uri(created["payment_uri"])[0].amount_zat == 10 * 10**8


def test_shows_the_payment_uri_as_png(vera: Api) -> None:
    created = create(vera)

    answer = get_png(vera, created)

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert modules_of_png(answer.content) == modules_of(created["payment_uri"])


def test_the_svg_stands_alone_and_can_be_scaled(vera: Api) -> None:
    svg = vera.get(of(create(vera), "?format=svg")).body

    assert "viewBox" in svg
    assert not re.search(r"href|script|style|url\(|<!|@import", svg)
    assert re.findall(r"[a-z]+://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]


def test_leaves_four_modules_of_light_around_the_code(vera: Api) -> None:
    created = create(vera)
    side = (max(x for x, _ in modules_of(created["payment_uri"])) + 1 + 2 * _QUIET) * _PIXELS

    svg = vera.get(of(created)).body
    png = get_png(vera, created).content

    assert f'viewBox="0 0 {side} {side}"' in svg
    assert struct.unpack(">II", png[16:24]) == (side, side)


def test_may_not_be_kept(vera: Api) -> None:
    assert vera.get(of(create(vera))).headers["Cache-Control"] == "no-store"


def test_asks_for_what_is_missing_after_a_part_was_seen(vera: Api, node: RpcClient) -> None:
    created = create(vera)
    pay(node, created, "2.5", blocks=0)
    assert asks_for(vera.get(of(created)), created, 10 * 10**8)

    vera.post(f"{PERMISSIONS}/{created['permission_id']}/verify")

    assert asks_for(vera.get(of(created)), created, 75 * 10**7)


@pytest.mark.parametrize("blocks", [0, 3])
def test_answers_409_when_everything_was_seen(vera: Api, node: RpcClient, blocks: int) -> None:
    created = create(vera)
    pay(node, created, blocks=blocks)
    verified = vera.post(f"{PERMISSIONS}/{created['permission_id']}/verify")

    answer = vera.get(of(created))

    assert (answer.status, answer.code) == (409, "permission_wrong_state")
    assert answer.body["permission_status"] == verified.body["status"]


def test_answers_410_after_revocation(vera: Api) -> None:
    created = create(vera)
    vera.post(f"{PERMISSIONS}/{created['permission_id']}/revoke")

    answer = vera.get(of(created))

    assert (answer.status, answer.code) == (410, "permission_gone")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_answers_410_once_the_permission_itself_has_expired(vera: Api, node: RpcClient) -> None:
    created = create(vera, duration_days=1)
    pay(node, created)
    vera.post(f"{PERMISSIONS}/{created['permission_id']}/verify")
    hours_pass(24)

    answer = vera.get(of(created))

    assert (answer.status, answer.body["permission_status"]) == (410, "expired")


def test_hides_the_permissions_of_others(vera: Api, mallory: Api) -> None:
    created = create(vera)

    hidden = mallory.get(of(created))
    missing = vera.get(of({"permission_id": UNKNOWN_ID}))

    assert (hidden.status, hidden.code) == (missing.status, missing.code) == (404, "permission_not_found")


def test_needs_a_key_with_the_scope_to_read(nobody: Api, vera: Api) -> None:
    created = create(vera)

    assert nobody.get(of(created)).code == "authentication_required"
    assert make_api("writer", scopes=("sessions:write",)).get(of(created)).code == "insufficient_scope"


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?format=gif", {"format": "invalid"}),
        ("?format=SVG", {"format": "invalid"}),
        ("?format=", {"format": "invalid"}),
        ("?format=svg%00", {"format": "invalid"}),
        ("?format=%ff", {"format": "invalid"}),
        ("?format=svg&format=png", {"format": "invalid"}),
        ("?scale=1000000", {"scale": "unknown_field"}),
    ],
)
def test_names_the_parameter_that_is_wrong(vera: Api, query: str, fields: dict[str, str]) -> None:
    answer = vera.get(of(create(vera), query))

    assert (answer.status, answer.fields) == (400, fields)


def test_names_an_id_that_is_none(vera: Api) -> None:
    assert vera.get(of({"permission_id": "not-a-uuid"})).fields == {"permission_id": "invalid"}


def test_refuses_a_method_that_the_path_does_not_have(vera: Api) -> None:
    assert vera.post(of(create(vera))).code == "method_not_allowed"


def test_is_documented_with_both_media_types(nobody: Api, db: None) -> None:
    call = nobody.get("/api/schema/").body["paths"]["/api/v1/zcash/permissions/{permission_id}/qr"]["get"]

    assert call["responses"]["200"]["content"].keys() == {"image/svg+xml", "image/png"}
    assert {"400", "401", "403", "404", "409", "410", "503"} <= call["responses"].keys()
    (image,) = [each for each in call["parameters"] if each["name"] == "format"]
    assert set(image["schema"]["enum"]) == {"svg", "png"}
