"""Every kind of event that the code can write is one that clients can read about."""

import re
from pathlib import Path

from billing.ethereum.rules import AUTHORIZATION_TRANSITIONS, CollectionStatus
from billing.rules import RefundStatus
from paygo.api.event_kinds import KINDS
from zcash.rules import ENTERED, AuditAction

ROOT = Path(__file__).parents[2]
_LITERAL = re.compile(
    r"""["']((?:permission|deposit|session|refund|payout|vendor|authorisation|webhook)\.[a-z_]+)["']"""
)


def written() -> set[str]:
    sources = [
        path for app in ("core", "zcash", "sessions_app", "billing") for path in (ROOT / app).rglob("*.py")
    ]
    literal = {kind for path in sources for kind in _LITERAL.findall(path.read_text())}
    noted = [AuditAction.CREATED, AuditAction.EXTENDED, AuditAction.REFUND_ADDRESS_CHANGED, *ENTERED.values()]
    reached = {each for states in AUTHORIZATION_TRANSITIONS.values() for each in states}
    ethereum = {f"authorization.{each}" for each in reached}
    ethereum |= {f"collection.{each}" for each in CollectionStatus}
    return (
        ethereum
        | literal
        | {f"permission.{each}" for each in noted}
        | {f"{noun}.{each}" for noun in ("refund", "payout") for each in RefundStatus}
    )


def test_describes_every_kind_that_is_written_and_no_other() -> None:
    assert written() == KINDS.keys()
