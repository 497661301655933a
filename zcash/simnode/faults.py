"""Faults on demand: what a node, its host or the network between can do to a caller."""

import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from .jsontext import Json

# Control methods are never faulted: whoever switched a fault on must be able to switch it off.
CONTROL_PREFIX = "sim_"
OTHER_CHAIN = "main"
BLOCKS_TO_SYNC = 50


class Kind(StrEnum):
    """What goes wrong."""

    SLOW = "slow"
    HANG = "hang"
    HALF = "half"
    NOT_JSON = "not_json"
    HUGE = "huge"
    REDIRECT = "redirect"
    WRONG_CHAIN = "wrong_chain"
    SYNCING = "syncing"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    SERVER_ERROR = "server_error"
    WARMING_UP = "warming_up"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one method, or of all (None): of `times` calls, or all, once `after` calls have passed."""

    kind: Kind
    method: str | None = None
    times: int | None = None
    after: int = 0
    seconds: float = 1.0

    def concerns(self, methods: Iterable[str]) -> bool:
        """Return whether a request with calls of these methods meets it."""
        return any(not name.startswith(CONTROL_PREFIX) and self.method in (None, name) for name in methods)


class Faults:
    """The fault that is switched on, if any; safe to use from several threads."""

    def __init__(self) -> None:
        self._fault: Fault | None = None
        self._lock = threading.Lock()

    @property
    def is_armed(self) -> bool:
        """Whether any request could meet a fault."""
        return self._fault is not None

    def switch(self, fault: Fault | None) -> None:
        """Replace the fault, or end it."""
        with self._lock:
            self._fault = fault

    def take(self, methods: Iterable[str]) -> Fault | None:
        """Return the fault that a request with calls of these methods meets, and count it."""
        with self._lock:
            fault = self._fault
            if fault is None or not fault.concerns(methods):
                return None
            if fault.after:
                self._fault = replace(fault, after=fault.after - 1)
                return None
            if fault.times is not None:
                self._fault = replace(fault, times=fault.times - 1) if fault.times > 1 else None
            return fault


def distorted(result: Json, *, method: str, fault: Fault | None) -> Json:
    """Return the result of a method as a node on another chain, or one that is behind, gives it."""
    if fault is None:
        return result
    distort = _DISTORTIONS.get(fault.kind, {}).get(method)
    return result if distort is None else distort(result)


def _other_hash(result: Json) -> Json:
    return hashlib.sha256(f"another chain's {result}".encode()).hexdigest()


def _other_info(result: Json) -> Json:
    assert isinstance(result, dict)
    return result | {"chain": OTHER_CHAIN, "bestblockhash": _other_hash(result["bestblockhash"])}


def _other_best(result: Json) -> Json:
    assert isinstance(result, dict)
    return result | {"hash": _other_hash(result["hash"])}


def _other_tips(result: Json) -> Json:
    assert isinstance(result, dict)
    return result | {name: _other_tip(result[name]) for name in ("node_tip", "wallet_tip")}


def _other_tip(tip: Json) -> Json:
    assert isinstance(tip, dict)
    return tip | {"blockhash": _other_hash(tip["blockhash"])}


def _behind_info(result: Json) -> Json:
    assert isinstance(result, dict)
    blocks = result["blocks"]
    assert isinstance(blocks, int)
    ahead = blocks + BLOCKS_TO_SYNC
    answer = result | {"headers": ahead, "estimatedheight": ahead, "verificationprogress": 0}
    # zcashd's own field.
    return answer | {name: False for name in ("initial_block_download_complete",) if name in result}


def _behind_wallet(result: Json) -> Json:
    assert isinstance(result, dict)
    tip = result["node_tip"]
    assert isinstance(tip, dict)
    height = tip["height"]
    assert isinstance(height, int)
    node_tip = {"blockhash": _other_hash(tip["blockhash"]), "height": height + BLOCKS_TO_SYNC}
    return result | {"node_tip": node_tip}


_DISTORTIONS: dict[Kind, dict[str, Callable[[Json], Json]]] = {
    Kind.WRONG_CHAIN: {
        "getblockchaininfo": _other_info,
        "getblockhash": _other_hash,
        "getbestblockhash": _other_hash,
        "getbestblockheightandhash": _other_best,
        "getwalletstatus": _other_tips,
    },
    Kind.SYNCING: {"getblockchaininfo": _behind_info, "getwalletstatus": _behind_wallet},
}
