"""The demo over HTTP: where there is one, and whose permissions it plays with."""

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.api.world import Api, create, create_active, rows
from tests.pages.visiting import Visitor
from zcash.models import SpendingPermission
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


@pytest.fixture(autouse=True)
def _demo(vera: Api, settings: Any) -> None:
    settings.PAYGO_DEMO_CLIENT = "vera-tv"


def begin(visitor: Visitor) -> str:
    """Begin a demo and return where its player is."""
    visitor.get("/demo/")
    return str(visitor.post("/demo/begin").headers["Location"])


@pytest.mark.parametrize(
    "changes",
    [{"PAYGO_DEMO_CLIENT": ""}, {"PAYGO_DEMO_CLIENT": "nobody"}, {"ZCASH_NETWORK": "main"}],
)
def test_there_is_none_where_it_is_not_wanted(visitor: Visitor, settings: Any, changes: dict[str, str]):
    player = begin(visitor)
    for name, value in changes.items():
        setattr(settings, name, value)
    before = rows()

    asked = [visitor.get("/demo/"), visitor.get(player), visitor.get(f"{player}/state")]
    sent = [visitor.post(f"{player}/{verb}") for verb in ("pay", "mine", "play", "beat", "revoke")]

    assert {each.status_code for each in [*asked, *sent, visitor.post("/demo/begin")]} == {404}
    assert rows() == before


def test_there_is_none_with_real_software(visitor: Visitor, settings: Any, httpserver: HTTPServer):
    refusal = {"result": None, "error": {"code": -32601, "message": "Method not found"}, "id": "1"}
    httpserver.expect_request("/").respond_with_json(refusal)
    visitor.get("/demo/")
    settings.ZCASH_RPC_URL = httpserver.url_for("/")

    assert visitor.get("/demo/").status_code == 404
    assert visitor.post("/demo/begin").status_code == 404
    assert SpendingPermission.objects.count() == 0


def test_shows_and_plays_nothing_that_was_begun_before_the_software_was_real(
    visitor: Visitor, settings: Any, httpserver: HTTPServer
):
    player = begin(visitor)
    refusal = {"result": None, "error": {"code": -32601, "message": "Method not found"}, "id": "1"}
    httpserver.expect_request("/").respond_with_json(refusal)
    settings.ZCASH_RPC_URL = httpserver.url_for("/")

    answers = [visitor.get(player), visitor.get(f"{player}/state")]
    answers += [visitor.post(f"{player}/{verb}") for verb in ("beat", "pay", "play", "payer")]

    assert {each.status_code for each in answers} == {404}


def test_says_so_where_the_node_is_away(visitor: Visitor, settings: Any):
    visitor.get("/demo/")
    settings.ZCASH_RPC_URL = "http://127.0.0.1:1"

    assert visitor.get("/demo/").status_code == 503
    assert visitor.post("/demo/begin").status_code == 503


def test_plays_with_no_permission_of_another_client(mallory: Api, visitor: Visitor):
    url = create(mallory)["checkout_url"]
    token = url.rpartition("/")[2]
    begin(visitor)

    assert visitor.get(f"/demo/{token}").status_code == 404
    for verb in ("pay", "mine", "play", "pause", "stop", "revoke", "payer", "beat"):
        assert visitor.post(f"/demo/{token}/{verb}").status_code == 404, verb
    assert SpendingPermission.objects.get(client_id=mallory.client_id).status == "pending"


def test_plays_with_no_permission_that_its_own_client_has_made(vera: Api, visitor: Visitor):
    token = create(vera)["checkout_url"].rpartition("/")[2]
    begin(visitor)

    assert visitor.get(f"/demo/{token}").status_code == 404
    assert visitor.post(f"/demo/{token}/revoke").status_code == 404


def test_takes_no_forged_form_and_no_unknown_verb(visitor: Visitor):
    player = begin(visitor)

    assert visitor.post(f"{player}/pay", "forged").status_code == 403
    assert visitor.post("/demo/begin", "forged").status_code == 403
    assert visitor.post(f"{player}/steal").status_code == 404
    assert visitor.get(f"{player}/pay").status_code == 405


def test_every_button_twice_is_once(visitor: Visitor, vera: Api, node: RpcClient):
    player = begin(visitor)

    for verb in ("stop", "pause", "pay", "pay", "mine", "mine", "mine", "play", "play", "pause", "pause"):
        assert visitor.post(f"{player}/{verb}").status_code == 302, verb
    for verb in ("play", "stop", "stop", "revoke", "revoke", "pay"):
        assert visitor.post(f"{player}/{verb}").status_code == 302, verb

    permission = SpendingPermission.objects.get()
    assert (permission.status, permission.credited_zat) == ("revoked", 10**8)
    assert len(vera.get("/api/v1/sessions").body["sessions"]) == 1


def test_what_nothing_pays_for_is_a_page_that_says_so(visitor: Visitor):
    player = begin(visitor)

    answer = visitor.post(f"{player}/play")

    assert answer.status_code == 402
    assert "not paid" in answer.content.decode()


def test_pays_at_the_vendors_price(visitor: Visitor, vera: Api, node: RpcClient):
    assert vera.post("/api/v1/vendors/vendor123/prices", {"rate_per_hour": 7}).status == 201
    create_active(vera, node)

    begin(visitor)

    permission = SpendingPermission.objects.latest("id")
    assert (permission.rate_zat_per_hour, permission.requested_zat) == (7 * 10**8, 35 * 10**7)
