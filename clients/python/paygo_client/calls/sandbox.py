"""A method for every call of sandbox. Written by clients/generate.py: do not edit."""

from decimal import Decimal
from typing import Literal

from paygo_client import types as _types
from paygo_client.http import Transport


class SandboxCalls(Transport):
    """The calls of sandbox; amounts are in ZEC."""

    def mine_blocks(
        self,
        *,
        count: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.SimulatedTip:
        """Mine blocks at once, with what waits to be mined in the first.

        Scope: `sandbox`.
        """
        answer: _types.SimulatedTip = self._json(
            "POST",
            "/api/v1/sandbox/blocks",
            body=self._given({}, count=count),
            idempotency_key=idempotency_key,
        )
        return answer

    def advance_clock(
        self,
        *,
        advance_seconds: int,
        idempotency_key: str | None = None,
    ) -> _types.SandboxTime:
        """Move the time of the whole service forward; what is due by then happens before the answer.

        Scope: `sandbox`.
        """
        answer: _types.SandboxTime = self._json(
            "POST",
            "/api/v1/sandbox/clock",
            body={"advance_seconds": advance_seconds},
            idempotency_key=idempotency_key,
        )
        return answer

    def start_node_fault(
        self,
        *,
        kind: Literal[
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
        ],
        after: int | None = None,
        method: str | None = None,
        seconds: int | None = None,
        times: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.NoFault:
        """Let the node be slow, silent, wrong or away, to see what happens then.

        Scope: `sandbox`.
        """
        answer: _types.NoFault = self._json(
            "POST",
            "/api/v1/sandbox/faults",
            body=self._given({"kind": kind}, after=after, method=method, seconds=seconds, times=times),
            idempotency_key=idempotency_key,
        )
        return answer

    def end_node_fault(
        self,
    ) -> _types.NoFault:
        """Let the node behave again.

        Scope: `sandbox`.
        """
        answer: _types.NoFault = self._json("POST", "/api/v1/sandbox/faults/end")
        return answer

    def simulate_payment(
        self,
        *,
        permission_id: str,
        amount: Decimal | float | None = None,
        blocks: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.SimulatedPayment:
        """Pay what a permission asks for, or any amount, as a viewer's wallet would.

        Scope: `sandbox`.
        """
        answer: _types.SimulatedPayment = self._json(
            "POST",
            "/api/v1/sandbox/payments",
            body=self._given({"permission_id": permission_id}, amount=amount, blocks=blocks),
            idempotency_key=idempotency_key,
        )
        return answer

    def reorganise_chain(
        self,
        *,
        depth: int,
        without_txid: str | None = None,
        idempotency_key: str | None = None,
    ) -> _types.SimulatedTip:
        """Put other blocks in the place of the last ones; their payments wait to be mined again.

        Scope: `sandbox`.
        """
        answer: _types.SimulatedTip = self._json(
            "POST",
            "/api/v1/sandbox/reorgs",
            body=self._given({"depth": depth}, without_txid=without_txid),
            idempotency_key=idempotency_key,
        )
        return answer
