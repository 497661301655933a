"""`manage.py drawstates`: writes docs/states.md from the transition dicts, so that it is never wrong."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from billing.ethereum.rules import (
    AUTHORIZATION_TRANSITIONS,
    CHAIN_SEND_TRANSITIONS,
    COLLECTION_TRANSITIONS,
)
from billing.rules import REFUND_TRANSITIONS, SEND_TRANSITIONS, TRANSACTION_TRANSITIONS
from sessions_app.rules import SESSION_TRANSITIONS
from zcash.rules import DEPOSIT_TRANSITIONS, PERMISSION_TRANSITIONS

_MACHINES: dict[str, Mapping[Any, AbstractSet[Any]]] = {
    "Spending permission": PERMISSION_TRANSITIONS,
    "Deposit": DEPOSIT_TRANSITIONS,
    "Session": SESSION_TRANSITIONS,
    "Transaction": TRANSACTION_TRANSITIONS,
    "Refund": REFUND_TRANSITIONS,
    "Outgoing transaction of the wallet": SEND_TRANSITIONS,
    "Ethereum authorisation": AUTHORIZATION_TRANSITIONS,
    "Collection": COLLECTION_TRANSITIONS,
    "Outgoing transaction on Ethereum": CHAIN_SEND_TRANSITIONS,
}


class Command(BaseCommand):
    help = "Draw the state machines into docs/states.md."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        (settings.BASE_DIR / "docs" / "states.md").write_text(draw())


def draw() -> str:
    """Return the page: one diagram for each machine."""
    parts = ["# States\n\nDrawn by `manage.py drawstates` from the transition dicts in each `rules.py`.\n"]
    for name, transitions in _MACHINES.items():
        parts.append(f"\n## {name}\n\n```mermaid\nstateDiagram-v2\n{_arrows(transitions)}```\n")
    return "".join(parts)


def _arrows(transitions: Mapping[StrEnum, AbstractSet[StrEnum]]) -> str:
    lines = [f"    [*] --> {next(iter(transitions))}\n"]
    for old, allowed in transitions.items():
        lines += [f"    {old} --> {new}\n" for new in sorted(allowed)] or [f"    {old} --> [*]\n"]
    return "".join(lines)
