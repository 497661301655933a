"""Calls of the sandbox: its clock, payments by nobody in particular, blocks, reorgs and faults of the node.

There is one clock and one chain for all clients of a sandbox.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import dues, sandbox
from core import clock, idempotency
from core.idempotency import Receipt
from paygo.api.fields import (
    ChoiceField,
    PatternField,
    StrictSerializer,
    UuidTextField,
    WholeField,
    ZecField,
)
from paygo.api.render import instant, zec_number
from paygo.api.schema import documented
from paygo.api.views import ApiView, NoFields, body, client_id, receipt
from zcash import queries
from zcash.node import connect, simulation

SANDBOX = "sandbox"
_YEAR_SECONDS = 366 * 24 * 3600
_REFUSALS = (400, 403, 409, 503)


class TxidField(PatternField):
    """The id of a transaction."""

    pattern = r"[0-9a-f]{64}"
    description = "64 hexadecimal digits in small letters"
    openapi = MappingProxyType({"type": "string", "pattern": f"^{pattern}$"})


class MethodNameField(PatternField):
    """The name of a call of the node."""

    pattern = r"[a-z][a-z0-9_]{0,63}"
    description = "the name of a call of the node"
    openapi = MappingProxyType({"type": "string", "pattern": f"^{pattern}$"})


class ClockRequest(StrictSerializer):
    """How far time goes on."""

    advance_seconds = WholeField(low=1, high=_YEAR_SECONDS)


class PaymentRequest(StrictSerializer):
    """Which permission a viewer pays."""

    permission_id = UuidTextField()
    amount = ZecField(required=False, help_text="ZEC; what is still missing without one.")
    blocks = WholeField(low=0, high=100, default=0, help_text="So many blocks are mined on top.")


class BlocksRequest(StrictSerializer):
    """How many blocks are mined."""

    count = WholeField(low=1, high=1000, default=1)


class ReorgRequest(StrictSerializer):
    """Which blocks lose their place to others, which are empty."""

    depth = WholeField(low=1, high=200, help_text="The last so many; one more takes their place.")
    without_txid = TxidField(
        required=False, help_text="A transaction in them that is never mined again: it was spent elsewhere."
    )


class FaultRequest(StrictSerializer):
    """How the node misbehaves from now on; one fault at a time."""

    kind = ChoiceField(simulation.FAULT_KINDS)
    method = MethodNameField(required=False, help_text="Only this call of the node; every one without it.")
    times = WholeField(
        low=1, high=1_000_000, required=False, help_text="So many calls; until it is ended without it."
    )
    after = WholeField(low=0, high=1_000_000, default=0, help_text="So many calls go well before.")
    seconds = WholeField(low=0, high=60, default=1, help_text="For how long a slow or hanging one takes.")


class SandboxTime(serializers.Serializer[Any]):
    """What time it is in the sandbox from now on."""

    now = serializers.DateTimeField()


class SimulatedPayment(serializers.Serializer[Any]):
    """A payment; `verify`, or the watcher within DEPOSIT_SCAN_SECONDS, finds it."""

    txid = serializers.CharField()
    payment_address = serializers.CharField()
    amount = serializers.FloatField(help_text="ZEC")


class SimulatedTip(serializers.Serializer[Any]):
    """The last block of the chain."""

    tip_hash = serializers.CharField()


class NoFault(serializers.Serializer[Any]):
    """The fault that is on; null: none."""

    kind = ChoiceField(simulation.FAULT_KINDS, allow_null=True)


class SandboxView(ApiView):
    """A call of the sandbox, refused where any chain of the service is worth something."""

    def check_permissions(self, request: Request) -> None:
        """Ask what the key may do, and what the chains are."""
        super().check_permissions(request)
        sandbox.require_test_chains()


class SandboxClock(SandboxView):
    """The clock."""

    scopes = MappingProxyType({"POST": SANDBOX})

    @documented(
        "Advance the clock",
        request=ClockRequest,
        answers={200: SandboxTime},
        problems=(*_REFUSALS, 422),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Move the time of the whole service forward; what is due by then happens before the answer."""
        values = body(request, ClockRequest)
        advanced = sandbox.advance(
            timedelta(seconds=values["advance_seconds"]),
            wallet=connect(),
            now=clock.now(),
            receipt=receipt(request, values),
        )
        return Response({"now": instant(advanced)})


class SandboxPayments(SandboxView):
    """Payments."""

    scopes = MappingProxyType({"POST": SANDBOX})

    @documented(
        "Simulate a payment",
        request=PaymentRequest,
        answers={201: SimulatedPayment},
        problems=(*_REFUSALS, 404, 410, 422),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Pay what a permission asks for, or any amount, as a viewer's wallet would."""
        values = body(request, PaymentRequest)

        def order() -> dict[str, Any]:
            # What is missing is another amount once the node has taken the payment.
            address, amount_zat = _due(
                client_id(request), public_id=values["permission_id"], amount_zat=values.get("amount")
            )
            return {"address": address, "amount_zat": amount_zat}

        def pay_and_mine(order: Mapping[str, Any]) -> dict[str, Any]:
            payment = _pay(order)
            if values["blocks"]:
                simulation.mine(values["blocks"], reference=f"{order['reference']} blocks")
            return payment

        return Response(_ordered(receipt(request, values), pay_and_mine, order=order), status=201)


class SandboxBlocks(SandboxView):
    """Blocks."""

    scopes = MappingProxyType({"POST": SANDBOX})

    @documented(
        "Mine blocks",
        request=BlocksRequest,
        answers={201: SimulatedTip},
        problems=(*_REFUSALS, 422),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Mine blocks at once, with what waits to be mined in the first."""
        values = body(request, BlocksRequest)
        mined = _ordered(
            receipt(request, values),
            lambda order: {"tip_hash": simulation.mine(values["count"], reference=order["reference"])},
        )
        return Response(mined, status=201)


class SandboxReorgs(SandboxView):
    """Reorgs."""

    scopes = MappingProxyType({"POST": SANDBOX})

    @documented(
        "Reorganise the chain",
        request=ReorgRequest,
        answers={201: SimulatedTip},
        problems=(*_REFUSALS, 422),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Put other blocks in the place of the last ones; their payments wait to be mined again."""
        values = body(request, ReorgRequest)

        def reorganise(order: Mapping[str, Any]) -> dict[str, Any]:
            tip = simulation.reorganise(
                values["depth"], without=values.get("without_txid"), reference=order["reference"]
            )
            return {"tip_hash": tip}

        return Response(_ordered(receipt(request, values), reorganise), status=201)


class SandboxFaults(SandboxView):
    """Faults of the node."""

    scopes = MappingProxyType({"POST": SANDBOX})

    @documented(
        "Start a node fault",
        request=FaultRequest,
        answers={200: NoFault},
        problems=(*_REFUSALS, 422),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Let the node be slow, silent, wrong or away, to see what happens then."""
        values = body(request, FaultRequest)
        return Response(_once(receipt(request, values), lambda: _start_fault(values)))


class SandboxFaultEnd(SandboxView):
    """The end of a fault."""

    scopes = MappingProxyType({"POST": SANDBOX})

    @documented("End the node fault", request=NoFields, answers={200: NoFault}, problems=_REFUSALS)
    def post(self, request: Request) -> Response:
        """Let the node behave again."""
        body(request, NoFields)
        simulation.fault(None)
        return Response({"kind": None})


def _once(asked: Receipt | None, effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Let the node do something once for each Idempotency-Key, and return what it answered."""
    simulation.require_sandbox()
    return idempotency.once(asked, effect, now=clock.now())


def _ordered(
    asked: Receipt | None,
    effect: Callable[[Mapping[str, Any]], dict[str, Any]],
    *,
    order: Callable[[], dict[str, Any]] = dict,
) -> dict[str, Any]:
    """Let the node carry out an order once for each Idempotency-Key, also where its answer was lost.

    The order, and its reference, are kept first: a repetition gives the same one, which the node knows.
    """
    kept = replace(asked, endpoint=f"{asked.endpoint} order") if asked else None
    return _once(asked, lambda: effect(_once(kept, lambda: {**order(), "reference": str(uuid4())})))


def _pay(order: Mapping[str, Any]) -> dict[str, Any]:
    address, amount_zat = order["address"], order["amount_zat"]
    txid = simulation.pay(address, amount_zat=amount_zat, reference=order["reference"])
    return {"txid": txid, "payment_address": address, "amount": zec_number(amount_zat)}


def _start_fault(values: Mapping[str, Any]) -> dict[str, Any]:
    simulation.fault(values)
    return {"kind": values["kind"]}


def _due(client: int, *, public_id: UUID, amount_zat: int | None) -> tuple[str, int]:
    """Return the address of a client's permission and what to pay to it: what is missing, unless told."""
    permission = queries.of_client(client_id=client, public_id=public_id)
    if amount_zat is None:
        amount_zat = dues.of_client(client_id=client, public_id=public_id, now=clock.now()).amount_zat
    return permission.payment_address, amount_zat
