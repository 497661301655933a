"""What the calls of health answer. Written by clients/generate.py: do not edit."""

from typing import Literal, NotRequired, TypedDict


class Part(TypedDict):
    """One thing that PayGo needs; more members say how it is."""

    detail: NotRequired[str]
    ok: bool


class HealthState(TypedDict):
    """Every part, checked within the last 2 s."""

    billing: Part
    books: Part
    broker: Part
    cache: Part
    clock: Part
    database: Part
    deposits: Part
    events: Part
    failing: list[
        Literal[
            "database",
            "cache",
            "broker",
            "node",
            "wallet",
            "billing",
            "deposits",
            "refunds",
            "events",
            "books",
            "clock",
        ]
    ]
    node: Part
    refunds: Part
    status: Literal["ok", "degraded"]
    wallet: Part
