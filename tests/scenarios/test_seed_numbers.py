"""The numbers of the product's first README, lived through over HTTP under a moved clock."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core import clock
from sessions_app.models import StreamingSession
from tests.api.world import END, PERMISSIONS, SESSIONS, make_api, pay, permission_body, session_body
from zcash.models import PermissionAudit
from zcash.node import disconnect
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def node(tmp_path: Path, settings: Any) -> Iterator[RpcClient]:
    settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = "paygo", "only-for-tests"
    settings.ZCASH_MIN_CONFIRMATIONS = 3
    settings.PAYGO_SANDBOX = True
    with SimNode(datadir=tmp_path, user="paygo", password="only-for-tests") as running:
        settings.ZCASH_RPC_URL = running.url
        with closing(RpcClient(running.url, user="paygo", password="only-for-tests")) as client:
            yield client
        disconnect()


def stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let time pass only when told to, so that an hour is an hour to the millisecond."""
    now = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: now[0])

    def advance(hours: float) -> None:
        before = clock.to_ms(now[0])
        clock.advance(round(hours * 3_600_000))
        now[0] = clock.from_ms(before + round(hours * 3_600_000))

    return advance


def test_bills_one_hour_of_four_exactly(node: RpcClient, monkeypatch: pytest.MonkeyPatch) -> None:
    vera = make_api()
    advance = stop_the_clock(monkeypatch)

    created = vera.post(PERMISSIONS, permission_body(duration_days=30)).body
    assert (created["max_streaming_hours"], created["amount_to_pay"]) == (4.0, 10.0)
    pay(node, created)
    permission = f"{PERMISSIONS}/{created['permission_id']}"
    verified = vera.post(f"{permission}/verify").body
    assert (verified["status"], verified["remaining_amount"], verified["remaining_hours"]) == (
        "active",
        10.0,
        4.0,
    )

    session = vera.post(SESSIONS, session_body()).body
    advance(1)

    shown = vera.get(permission).body
    assert (shown["remaining_amount"], shown["remaining_hours"], shown["used_hours"]) == (7.5, 3.0, 1.0)
    ended = vera.post(END, {"session_code": session["session_code"]}).body
    assert {name: ended[name] for name in ("amount", "duration_minutes", "status")} == {
        "amount": 2.5,
        "duration_minutes": 60,
        "status": "confirmed",
    }
    of_wallet = vera.get(f"{PERMISSIONS}/wallet/{permission_body()['user_wallet_address']}").body
    assert (of_wallet["approved_amount"], of_wallet["remaining_amount"]) == (10.0, 7.5)
    assert (of_wallet["max_streaming_hours"], of_wallet["used_streaming_hours"]) == (4.0, 1.0)


def test_rolls_over_to_the_queued_permission_and_bills_both(
    node: RpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vera = make_api()
    advance = stop_the_clock(monkeypatch)
    created = [vera.post(PERMISSIONS, permission_body()).body for _ in range(2)]
    for each in created:
        pay(node, each)
        vera.post(f"{PERMISSIONS}/{each['permission_id']}/verify")
    code = vera.post(SESSIONS, session_body()).body["session_code"]
    started_ms = clock.to_ms(clock.now())

    advance(5)
    ended = vera.post(END, {"session_code": code}).body

    assert [each["amount"] for each in ended["transactions"]] == [10.0, 2.5]
    assert [each["duration_seconds"] for each in ended["transactions"]] == [4 * 3600, 3600]
    assert ended["transactions"][0]["ended_at"] == ended["transactions"][1]["started_at"]
    assert (ended["amount"], ended["duration_minutes"]) == (12.5, 300)
    states = [vera.get(f"{PERMISSIONS}/{each['permission_id']}").body["status"] for each in created]
    assert states == ["exhausted", "active"]
    session = StreamingSession.objects.get()
    assert session.ended_at is not None
    assert clock.to_ms(session.ended_at) == started_ms + 5 * 3_600_000
    exhausted = PermissionAudit.objects.get(action="exhausted")
    assert clock.to_ms(exhausted.effective_at) == started_ms + 4 * 3_600_000
