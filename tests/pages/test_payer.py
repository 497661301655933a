"""The payer's link, cookie and page over HTTP: who gets in, for how long, and what they may do."""

import html

import pytest

from billing import privacy
from core import clock
from core.amounts import zec_text
from core.models import User
from paygo.api import keys
from paygo.api.models import ApiKey
from paygo.pages import payer_links
from paygo.pages.models import PayerLink
from tests.api.world import (
    ALICE,
    BOB,
    PERMISSIONS,
    UNKNOWN_ID,
    Api,
    create,
    create_active,
    hours_pass,
    start,
)
from tests.factories import make_authorization
from tests.pages.visiting import Visitor
from zcash.models import PermissionAudit
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")


def make(api: Api, created: dict[str, object], **body: int) -> dict[str, object]:
    answer = api.post(f"{PERMISSIONS}/{created['permission_id']}/payer_links", body)
    assert answer.status == 201, answer.body
    return dict(answer.body)


def enter(api: Api, created: dict[str, object], **body: int) -> Visitor:
    """Return who has opened a new link."""
    visitor = Visitor()
    url = str(make(api, created, **body)["payer_url"])
    visitor.get(url)
    assert visitor.post(url).status_code == 302
    assert visitor.get("/payer/").status_code == 200
    return visitor


@pytest.mark.parametrize("offered", [True, False])
def test_tells_what_becomes_public_where_a_token_pays_next(vera: Api, node: RpcClient, offered: bool):
    created = create_active(vera, node)
    if offered:
        make_authorization(vera.user, linked=ALICE, now=clock.now())

    payer = enter(vera, created).get("/payer/").content.decode()
    checkout = html.unescape(Visitor().get(str(created["checkout_url"])).content.decode())

    assert ("Payments on that chain are public" in payer) == offered
    assert (privacy.NOTE in checkout) == offered
    assert ("goes on from USDT" in checkout) == offered


def test_a_look_at_a_link_opens_nothing(vera: Api):
    url = str(make(vera, create(vera))["payer_url"])
    visitor = Visitor()

    answers = [visitor.get(url) for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 200]
    assert "paygo_payer" not in visitor.cookies
    assert visitor.get("/payer/").status_code == 403


def test_a_link_is_exchanged_once_for_a_cookie_that_no_script_reads(vera: Api):
    created = create(vera)
    url = str(make(vera, created)["payer_url"])
    first, second = Visitor(), Visitor()
    for each in (first, second):
        each.get(url)

    answers = [each.post(url).status_code for each in (first, second)]

    assert answers == [302, 403]
    cookie = first.cookies["paygo_payer"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/payer/")
    assert len(cookie.value) == 32
    assert cookie.value not in url
    assert first.get("/payer/").status_code == 200
    assert second.get("/payer/").status_code == 403


def test_of_two_exchanges_at_the_same_moment_one_wins(vera: Api, monkeypatch: pytest.MonkeyPatch):
    made = make(vera, create(vera))
    token = str(made["payer_url"]).rpartition("/")[2]
    seen = payer_links.unopened(token, now=clock.now())
    payer_links.exchange(token, now=clock.now())
    # The second one has read the link before the first one wrote.
    monkeypatch.setattr(payer_links, "unopened", lambda *_args, **_kwargs: seen)

    with pytest.raises(payer_links.Http404):
        payer_links.exchange(token, now=clock.now())


def test_a_link_that_is_not_opened_in_time_is_over(vera: Api):
    url = str(make(vera, create(vera), valid_minutes=1)["payer_url"])
    visitor = Visitor()
    visitor.get(url)
    hours_pass(1 / 60)

    assert visitor.get(url).status_code == 403
    assert visitor.post(url).status_code == 403


def test_the_page_closes_by_itself(vera: Api):
    visitor = enter(vera, create(vera), lasts_minutes=30)

    hours_pass(0.5)

    assert visitor.get("/payer/").status_code == 403
    assert visitor.get("/payer/state").status_code == 403
    assert visitor.post("/payer/revoke", sure="yes").status_code == 403


def test_the_client_closes_every_page_of_a_permission(vera: Api, mallory: Api):
    created, other = create(vera), create(vera)
    visitors = [enter(vera, created), enter(vera, created), enter(vera, other)]
    path = f"{PERMISSIONS}/{created['permission_id']}/payer_links/revoke"

    assert mallory.post(path).status == 404
    assert vera.post(path).body == {"revoked": 2}
    assert vera.post(path).body == {"revoked": 0}

    assert [each.get("/payer/").status_code for each in visitors] == [403, 403, 200]


def test_a_link_ends_with_the_key_that_made_it(vera: Api):
    assert vera.user is not None
    created = create(vera)
    leaked = Api(vera.user, keys.create(vera.user, name="leaked", now=clock.now()))
    opened, unopened = enter(leaked, created), str(make(leaked, created)["payer_url"])
    other = enter(vera, created)

    keys.revoke([ApiKey.objects.get(name="leaked").pk], now=clock.now())

    assert opened.get("/payer/").status_code == 403
    assert opened.post("/payer/revoke", sure="yes").status_code == 403
    assert Visitor().get(unopened).status_code == 403
    assert other.get("/payer/").status_code == 200


def test_a_link_ends_with_its_client(vera: Api):
    visitor = enter(vera, create(vera))

    User.objects.filter(pk=vera.client_id).update(is_active=False)

    assert visitor.get("/payer/").status_code == 403


def test_a_link_ends_when_rotation_ends_the_key_that_made_it(vera: Api):
    visitor = enter(vera, create(vera))

    vera.post("/api/v1/keys/rotate", {"overlap_seconds": 60})

    assert visitor.get("/payer/").status_code == 200
    hours_pass(1 / 60)
    assert visitor.get("/payer/").status_code == 403


def test_the_payer_closes_the_page(vera: Api):
    visitor = enter(vera, create(vera))
    stolen = visitor.cookies["paygo_payer"].value

    visitor.post("/payer/leave")

    thief = Visitor()
    thief.cookies["paygo_payer"] = stolen
    assert thief.get("/payer/").status_code == 403


def test_a_link_is_made_for_nobody_elses_permission(vera: Api, mallory: Api):
    created = create(vera)

    for api, permission_id in ((mallory, created["permission_id"]), (vera, UNKNOWN_ID)):
        assert api.post(f"{PERMISSIONS}/{permission_id}/payer_links").status == 404
    assert vera.post(f"{PERMISSIONS}/nonsense/payer_links").status == 400


@pytest.mark.parametrize(
    "body",
    [{"valid_minutes": 0}, {"valid_minutes": 61}, {"lasts_minutes": 1441}, {"valid_minutes": True}, {"x": 1}],
)
def test_refuses_a_link_without_bounds(vera: Api, body: dict[str, int]):
    answer = vera.post(f"{PERMISSIONS}/{create(vera)['permission_id']}/payer_links", body)

    assert answer.status == 400
    assert PayerLink.objects.count() == 0


def test_keeps_no_link_and_no_cookie_that_could_be_read(vera: Api):
    created = create(vera)
    visitor = enter(vera, created)

    row = PayerLink.objects.get()

    assert bytes(row.digest) != bytes(row.cookie_digest)
    assert visitor.cookies["paygo_payer"].value.encode() not in bytes(row.digest) + bytes(row.cookie_digest)


def test_forgets_links_that_are_over(vera: Api):
    created = create(vera)
    make(vera, created)
    hours_pass(2)

    make(vera, created)

    assert PayerLink.objects.count() == 1


def test_a_form_from_elsewhere_ends_nothing(vera: Api, node: RpcClient):
    created = create_active(vera, node)
    code = start(vera)["session_code"]
    visitor = enter(vera, created)

    for path, fields in {
        "stop": {"session_code": code},
        "revoke": {"sure": "yes"},
        "refund-address": {"refund_address": BOB},
        "leave": {},
    }.items():
        assert visitor.post(f"/payer/{path}", "forged", **fields).status_code == 403, path

    assert vera.get(f"/api/v1/sessions/{code}").body["status"] == "active"
    assert visitor.get("/payer/").status_code == 200


def test_stops_the_payers_sessions_and_no_others(vera: Api, node: RpcClient):
    created, of_bob = create_active(vera, node), create_active(vera, node, user_wallet_address=BOB)
    code, bobs = start(vera)["session_code"], start(vera, user_wallet_address=BOB)["session_code"]
    visitor = enter(vera, created)

    for wrong in (bobs, "A" * 12, "", "\0", "x" * 5000):
        assert visitor.post("/payer/stop", session_code=wrong).status_code == 404, wrong
    assert visitor.post("/payer/stop", session_code=code).status_code == 302
    assert visitor.post("/payer/stop", session_code=code).status_code == 302

    assert vera.get(f"/api/v1/sessions/{code}").body["end_reason"] == "ended_by_client"
    assert vera.get(f"/api/v1/sessions/{bobs}").body["status"] == "active"
    assert bobs not in visitor.get("/payer/").content.decode()
    assert vera.post(f"{PERMISSIONS}/{of_bob['permission_id']}/revoke").status == 200


def test_shows_and_stops_no_session_that_another_permission_of_the_wallet_pays(vera: Api, node: RpcClient):
    first, second = create_active(vera, node, requested_amount=2.5), create_active(vera, node)
    code = start(vera)["session_code"]
    first_payer, second_payer = (enter(vera, each, lasts_minutes=600) for each in (first, second))

    assert code in first_payer.get("/payer/").content.decode()
    assert code not in second_payer.get("/payer/").content.decode()
    assert second_payer.post("/payer/stop", session_code=code).status_code == 404

    # The first permission is used up, and the session goes on from the second one.
    hours_pass(2)
    assert code not in first_payer.get("/payer/").content.decode()
    assert first_payer.post("/payer/stop", session_code=code).status_code == 404
    assert code in second_payer.get("/payer/").content.decode()
    assert vera.post("/api/v1/sessions/pause", {"session_code": code}).status == 200
    assert code in second_payer.get("/payer/").content.decode()
    assert second_payer.post("/payer/stop", session_code=code).status_code == 302
    assert vera.get(f"/api/v1/sessions/{code}").body["status"] == "ended"


def test_ends_the_permission_only_when_asked_for_sure(vera: Api, node: RpcClient):
    created = create_active(vera, node)
    visitor = enter(vera, created)

    assert visitor.post("/payer/revoke").status_code == 400
    assert vera.get(f"{PERMISSIONS}/{created['permission_id']}").body["status"] == "active"
    assert visitor.post("/payer/revoke", sure="yes").status_code == 302
    assert visitor.post("/payer/revoke", sure="yes").status_code == 302

    assert vera.get(f"{PERMISSIONS}/{created['permission_id']}").body["status"] == "revoked"
    assert PermissionAudit.objects.get(action="revoked").actor == "payer"


def test_names_another_refund_address_only_where_the_key_might(vera: Api, node: RpcClient):
    created = create_active(vera, node)
    assert vera.user is not None
    weak = Api(vera.user, keys.create(vera.user, name="weak", now=clock.now(), scopes=keys.DEFAULT_SCOPES))
    assert make(weak, created)["may_change_refund_address"] is False
    weak_payer, payer = enter(weak, created), enter(vera, created)

    assert weak_payer.post("/payer/refund-address", refund_address=BOB).status_code == 404
    assert vera.get(f"{PERMISSIONS}/{created['permission_id']}").body["refund_address"] == ALICE
    assert payer.post("/payer/refund-address", refund_address="nonsense").status_code == 400
    assert payer.post("/payer/refund-address", refund_address=BOB).status_code == 302

    assert vera.get(f"{PERMISSIONS}/{created['permission_id']}").body["refund_address"] == BOB
    assert PermissionAudit.objects.get(action="refund_address_changed").actor == "payer"


@pytest.mark.parametrize("hours", ["0", "3", "-1", "1e9", "x" * 3000, "<b>", "\u0661"])
def test_asks_for_no_other_hours_than_it_offers(vera: Api, node: RpcClient, hours: str):
    visitor = enter(vera, create_active(vera, node))

    answer = visitor.get(f"/payer/?hours={hours}")

    assert answer.status_code == 200
    assert "?amount=" not in answer.content.decode()


def test_the_statement_adds_up(vera: Api, node: RpcClient):
    created = create_active(vera, node)
    code = start(vera)["session_code"]
    hours_pass(1)
    vera.post("/api/v1/sessions/end", {"session_code": code})
    visitor = enter(vera, created)

    state = visitor.get("/payer/").context["state"]

    paid = sum(each.amount_zat for each in state.deposits)
    assert paid == sum(each.record.amount for each in state.stretches) + state.remaining_zat
    assert state.streamed_zat == paid - state.remaining_zat


def test_the_whole_statement_can_be_printed_and_taken_along(vera: Api, node: RpcClient):
    created = create_active(vera, node)
    code = start(vera)["session_code"]
    hours_pass(1)
    vera.post("/api/v1/sessions/end", {"session_code": code})
    visitor = enter(vera, created)
    left = visitor.get("/payer/").context["state"].remaining_zat

    printed = visitor.get("/payer/statement")
    table = b"".join(visitor.get("/payer/statement.csv")).decode()

    assert code in printed.content.decode()
    assert printed.headers["Cache-Control"] == "no-store"
    assert table.splitlines()[-1].split(",")[4] == zec_text(left)
    for after in ("x", "-1", "9" * 30, "\u0661"):
        assert visitor.get(f"/payer/statement?after={after}").status_code == 200
    visitor.post("/payer/leave")
    assert visitor.get("/payer/statement.csv").status_code == 403


def test_is_told_before_it_happens_that_a_public_chain_pays_next(vera: Api, node: RpcClient):
    visitor = enter(vera, create_active(vera, node))
    without = visitor.get("/payer/").content.decode()
    make_authorization(vera.user, linked=ALICE, now=clock.now())

    told = visitor.get("/payer/").content.decode()

    assert "anybody can see the wallet" not in without
    assert "streams go on from the USDT" in told
    assert "anybody can see the wallet" in told


def test_shows_nothing_as_nothing(vera: Api, node: RpcClient):
    page = enter(vera, create_active(vera, node)).get("/payer/").content.decode()

    assert "\N{MINUS SIGN}0<" not in page
