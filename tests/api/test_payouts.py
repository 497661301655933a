"""The calls about what vendors have earned and are paid."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing import engine
from billing.ledger_models import Transfer
from billing.payout_models import Payout
from core import clock
from paygo.api.payout_bodies import EarningsState, PayoutState, PayoutTermsState
from sessions_app.models import Vendor
from tests.api.world import BOB, CAROL_U, MAINNET, SPROUT, Api, create_active, hours_pass, make_api, start
from tests.factories import ALICE_ETHEREUM, make_authorization, stream
from zcash.models import SpendingPermission
from zcash.node.rpc import RpcClient

VENDOR = "/api/v1/vendors/vendor123"
EARNINGS, PAYOUTS, TERMS = f"{VENDOR}/earnings", f"{VENDOR}/payouts", f"{VENDOR}/payout_terms"


def terms(**changes: Any) -> dict[str, Any]:
    return {"payout_address": BOB, "payout_schedule": "weekly", **changes}


@pytest.fixture
def earned(vera: Api, node: RpcClient) -> Api:
    """Vera's vendor has earned 2.5 ZEC, of which the platform keeps a tenth, and a day has passed."""
    Vendor.objects.update(fee_bps=1_000)
    create_active(vera, node)
    code = start(vera)["session_code"]
    hours_pass(1)
    vera.post("/api/v1/sessions/end", {"session_code": code})
    hours_pass(24)
    return vera


def test_answers_what_was_earned(earned: Api) -> None:
    body = earned.get(EARNINGS).body

    assert body.keys() == EarningsState().fields.keys()
    assert body["earned"] >= 2.5
    assert body["available"] == pytest.approx(body["earned"] - body["fees"], abs=1e-9)
    assert (body["pending"], body["under_way"], body["paid"], body["fee_bps"]) == (0.0, 0.0, 0.0, 1000)


def test_answers_what_was_earned_in_tokens(vera: Api) -> None:
    assert vera.user is not None
    now = clock.now()
    make_authorization(vera.user, now=now)
    code = stream(vera.user, wallet=ALICE_ETHEREUM, now=now)
    engine.end(code, client_id=vera.client_id, now=now + timedelta(hours=2))

    tokens = vera.get(EARNINGS).body["tokens"]

    assert tokens == [
        {
            "asset": "USDT",
            "earned_units": "2000000",
            "fees_units": "0",
            "pending_units": "2000000",
            "paid_units": "0",
            "owed_units": "0",
        }
    ]
    statement = vera.get(f"{VENDOR}/statement").body
    assert (statement["lines"], statement["tokens"]) == ([], tokens)
    page = vera.get(f"{VENDOR}/statement?format=html")
    assert "USDT" in str(page.body)


def test_sets_where_earnings_go_to_and_pays_them_there(earned: Api) -> None:
    available = earned.get(EARNINGS).body["available"]
    set_to = earned.post(TERMS, terms(payout_minimum=1.5))
    early = earned.post(PAYOUTS, {}, Idempotency_Key="early")
    hours_pass(24)

    made = earned.post(PAYOUTS, {}, Idempotency_Key="one")

    assert (set_to.status, set_to.body.keys()) == (200, PayoutTermsState().fields.keys())
    assert (early.status, early.code) == (409, "payout_not_possible")
    assert (set_to.body["payout_address"], set_to.body["payout_minimum"]) == (BOB, 1.5)
    assert (made.status, made.body.keys()) == (201, PayoutState().fields.keys())
    assert (made.body["status"], made.body["number"], made.body["address"]) == ("queued", 1, BOB)
    assert made.body["amount"] + made.body["fee"] == pytest.approx(available, abs=1e-9)
    assert earned.get(EARNINGS).body["under_way"] == available
    assert earned.get(PAYOUTS).body == {"payouts": [made.body], "next_after": None}
    assert earned.post(PAYOUTS, {}, Idempotency_Key="one").body == made.body
    assert (Payout.objects.count(), Transfer.objects.filter(kind="payout").count()) == (1, 1)


def test_pays_nothing_where_nothing_can_be_paid(earned: Api) -> None:
    assert (earned.post(PAYOUTS).status, earned.post(PAYOUTS).code) == (409, "payout_not_possible")

    earned.post(TERMS, terms())
    hours_pass(24)
    earned.post(PAYOUTS)

    assert earned.post(PAYOUTS).code in ("payout_under_way", "payout_not_possible")
    assert Payout.objects.count() == 1


# Copies of a payout have no events of their own.
@pytest.mark.unbalanced
def test_lists_any_number_of_payouts_by_as_many_queries(
    earned: Api, django_assert_max_num_queries: Any
) -> None:
    earned.post(TERMS, terms())
    hours_pass(24)
    earned.post(PAYOUTS)
    only = Payout.objects.get()
    for number in range(2, 12):
        only.pk, only.number, only.public_id, only.status = None, number, uuid4(), "cancelled"
        only.save(force_insert=True)

    with django_assert_max_num_queries(12):
        assert len(earned.get(PAYOUTS).body["payouts"]) == 11


def test_pages_go_back_in_time(earned: Api) -> None:
    earned.post(TERMS, terms())
    hours_pass(24)
    earned.post(PAYOUTS)
    Payout.objects.update(number=7)

    assert earned.get(f"{PAYOUTS}?after=7").body == {"payouts": [], "next_after": None}
    assert [each["number"] for each in earned.get(f"{PAYOUTS}?after=8&limit=1").body["payouts"]] == [7]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"payout_address": "t1nonsense"}, "payout_address"),
        ({"payout_address": MAINNET}, "payout_address"),
        ({"payout_address": SPROUT}, "payout_address"),
        ({"payout_address": 7}, "payout_address"),
        ({"payout_schedule": "hourly"}, "payout_schedule"),
        ({"payout_minimum": 0}, "payout_minimum"),
        ({"payout_minimum": "1e400"}, "payout_minimum"),
        ({"fee_bps": 0}, "fee_bps"),
    ],
)
def test_refuses_terms_that_it_cannot_read(vera: Api, changes: dict[str, Any], field: str) -> None:
    answer = vera.post(TERMS, terms(**changes))

    assert (answer.status, list(answer.fields)) == (400, [field])
    assert Vendor.objects.get(client_id=vera.client_id).payout_address is None


def test_refuses_to_pay_the_service_itself(earned: Api) -> None:
    address = SpendingPermission.objects.get().payment_address

    assert earned.post(TERMS, terms(payout_address=address)).fields == {"payout_address": "address_invalid"}


def test_takes_the_canonical_form_of_an_address(vera: Api) -> None:
    assert vera.post(TERMS, terms(payout_address=CAROL_U.upper())).body["payout_address"] == CAROL_U


def test_needs_its_own_scope(vera: Api, mallory: Api, nobody: Api) -> None:
    unscoped = make_api("scoped", scopes=("vendors:read", "vendors:write"))

    assert nobody.get(EARNINGS).status == 401
    assert unscoped.post(TERMS, terms()).code == "insufficient_scope"
    assert unscoped.post(PAYOUTS).code == "insufficient_scope"
    assert mallory.get("/api/v1/vendors/nobodys/earnings").code == "vendor_not_found"
    assert vera.post("/api/v1/vendors/nobodys/payouts").code == "vendor_not_found"


def test_tells_what_a_payout_is_made_of(earned: Api) -> None:
    earned.post(TERMS, terms())
    hours_pass(24)
    made = earned.post(PAYOUTS).body
    statement = f"{VENDOR}/statement?payout={made['payout_id']}"

    told = earned.get(statement).body

    assert [line["kind"] for line in told["lines"]] == ["stream", "fee"]
    assert told["closing"] == pytest.approx(made["amount"] + made["fee"], abs=1e-9)
    table = earned.get(f"{statement}&format=csv")
    assert 'filename="statement-vendor123-payout-1.csv"' in table.headers["content-disposition"]
    assert "vendor123-payout-1" in str(earned.get(f"{statement}&format=html").body)


NOBODYS = "payout=0d9f2a5e-9d3c-4d7e-8a54-3f4c1a2b9e77"


@pytest.mark.parametrize("asked", ["payout=1", NOBODYS, f"{NOBODYS}&since=2026-01-01T00:00:00Z"])
def test_tells_nothing_of_what_is_no_payout(vera: Api, asked: str) -> None:
    answer = vera.get(f"{VENDOR}/statement?{asked}")

    assert (answer.status, list(answer.fields)) == (400, ["payout"])
