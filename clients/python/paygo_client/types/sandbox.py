"""What the calls of sandbox answer. Written by clients/generate.py: do not edit."""

from decimal import Decimal
from typing import Literal, TypedDict


class SimulatedTip(TypedDict):
    """The last block of the chain."""

    tip_hash: str


class SandboxTime(TypedDict):
    """What time it is in the sandbox from now on."""

    now: str


class NoFault(TypedDict):
    """The fault that is on; null: none."""

    kind: (
        Literal[
            "slow",
            "hang",
            "half",
            "not_json",
            "huge",
            "redirect",
            "wrong_chain",
            "syncing",
            "reset_before",
            "reset_after",
            "server_error",
            "warming_up",
        ]
        | None
    )


class SimulatedPayment(TypedDict):
    """A payment; `verify`, or the watcher within DEPOSIT_SCAN_SECONDS, finds it."""

    amount: Decimal
    payment_address: str
    txid: str
