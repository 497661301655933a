"""A made-up past is as good as a lived one: the books balance, and the dashboard shows it."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from billing import figures, reconciliation, rounds
from billing.figures import RANGES
from billing.models import Refund, Transaction
from core import clock
from paygo.demodata import plan
from paygo.demodata.history import SimulatedChain
from tests import refunding
from tests.factories import NOW
from zcash.addresses import Network
from zcash.history import seals
from zcash.models import AuditSeal, SpendingPermission

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_past_is_lived_through_the_real_code(settings: Settings, tmp_path: Path) -> None:
    with refunding.running(tmp_path / "node", dialect="zcashd", settings=settings):
        output = io.StringIO()
        call_command("seeddemo", permissions=40, days=20, stdout=output, stderr=io.StringIO())

    assert "40 permissions over 20 days" in output.getvalue()
    assert SpendingPermission.objects.count() == 40
    states = set(SpendingPermission.objects.values_list("status", flat=True))
    assert {"expired", "active", "suspended"} <= states
    assert {"failed", "confirmed"} <= set(Refund.objects.values_list("status", flat=True))
    found = figures.read(RANGES[2], now=clock.now())
    ended = [each.amount_zat or 0 for each in Transaction.objects.exclude(status="open")]
    assert found.totals["revenue", "ZEC"] == sum(ended) > 0
    assert found.totals["created", ""] == 40
    assert found.vendors
    books = reconciliation.latest()
    assert books is not None
    assert books.findings == []
    # The late deposits are held and not credited yet.
    assert books.holdings_zat is not None
    assert books.holdings_zat > books.owed_zat


def test_a_made_up_past_is_sealed_and_right_and_not_added_to(settings: Settings, tmp_path: Path) -> None:
    with refunding.running(tmp_path / "node", dialect="zcashd", settings=settings):
        _seed(permissions=12, days=5)
        for proof in ("audit", "reconcile", "verify_audit_log"):
            call_command(proof, stdout=io.StringIO(), stderr=io.StringIO())

        with pytest.raises(CommandError, match=r"sealed up to .* a past is made up once"):
            _seed(permissions=12, days=5)

    assert SpendingPermission.objects.count() == 12


def test_no_worker_seals_a_past_while_it_is_made(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay, sealed = SimulatedChain.pay, []

    def pay_while_a_worker_seals(chain: SimulatedChain, address: str, amount_zat: int) -> str:
        with ThreadPoolExecutor(1) as worker:
            sealed.extend(worker.submit(_seal_elsewhere).result())
        return pay(chain, address, amount_zat)

    monkeypatch.setattr(SimulatedChain, "pay", pay_while_a_worker_seals)
    with refunding.running(tmp_path / "node", dialect="zcashd", settings=settings):
        _seed(permissions=3, days=3)

    assert sealed == []
    call_command("verify_audit_log", stdout=io.StringIO())


def test_a_worker_beside_it_spoils_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay, paid = SimulatedChain.pay, iter(range(1, 1000))

    def pay_when_a_worker_has_looked(chain: SimulatedChain, address: str, amount_zat: int) -> str:
        if next(paid) % 3 == 0:
            rounds.deposit_round(insist=True)
            rounds.expiry_round()
        return pay(chain, address, amount_zat)

    monkeypatch.setattr(SimulatedChain, "pay", pay_when_a_worker_has_looked)
    with refunding.running(tmp_path / "node", dialect="zcashd", settings=settings):
        call_command("seeddemo", permissions=20, days=20, stdout=io.StringIO(), stderr=io.StringIO())

    states = list(SpendingPermission.objects.values_list("status", flat=True))
    assert len(states) == 20
    assert "lapsed" in states


def test_a_past_is_made_up_on_no_real_network(settings: Settings) -> None:
    settings.ZCASH_NETWORK = "main"

    with pytest.raises(CommandError, match="test networks only"):
        call_command("seeddemo", permissions=1, days=1)


def test_without_a_simulated_node_nothing_is_made(settings: Settings) -> None:
    settings.ZCASH_RPC_URL = "http://127.0.0.1:1"

    with pytest.raises(CommandError, match="cannot be asked"):
        call_command("seeddemo", permissions=1, days=1)

    assert not SpendingPermission.objects.exists()


def _seed(*, permissions: int, days: int) -> None:
    call_command("seeddemo", permissions=permissions, days=days, stdout=io.StringIO(), stderr=io.StringIO())


def _seal_elsewhere() -> list[AuditSeal]:
    try:
        return seals.seal_closed(now=clock.now())
    finally:
        connection.close()


def test_the_same_seed_draws_the_same_people() -> None:
    def drawn(seed: str) -> list[plan.Life]:
        return list(plan.draw(permissions=50, days=30, now=NOW, seed=seed, network=Network.REGTEST))

    assert drawn("1") == drawn("1") != drawn("2")
    assert all(NOW - timedelta(days=31) < each.asked_at < NOW for each in drawn("1"))
    assert all(each.starts_at < NOW for life in drawn("1") for each in life.streams)
