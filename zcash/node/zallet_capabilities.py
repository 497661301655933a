"""Whether a zallet can do what PayGo asks of it: its RPC is young and still changes.

`rpc.discover` describes the methods (OpenRPC). Parameters are passed by position, so each must have its name
at its place.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

from .answers import Record
from .port import NodeRefused, NodeUnavailable
from .rpc import RpcClient

_METHOD = "rpc.discover"
_METHOD_NOT_FOUND = -32601

EXPECTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "getwalletstatus": (),
        "z_getaddressforaccount": ("account", "receiver_types", "diversifier_index"),
        "z_listaccounts": ("include_addresses",),
        "z_listtransactions": ("account_uuid", "start_height", "end_height", "offset", "limit"),
        "z_viewtransaction": ("txid",),
        "z_sendmany": ("fromaddress", "amounts", "minconf", "fee", "privacy_policy"),
        "z_getoperationstatus": ("operationid",),
        "z_listoperationids": ("status",),
    }
)


def check(rpc: RpcClient) -> None:
    """Check that the wallet has every method, with the parameters that PayGo gives it.

    A wallet that does not describe itself is taken as it is.

    Raises:
        NodeUnavailable: a method is missing or takes other parameters; the message names it.
    """
    try:
        answer = Record(rpc.call(_METHOD), what=_METHOD)
    except NodeRefused as refusal:
        if refusal.rpc_code == _METHOD_NOT_FOUND:
            return
        raise
    offered = {method.text("name"): method for method in answer.records("methods")}
    for name, expected in EXPECTED.items():
        if name not in offered:
            _refuse(f"has no method {name}")
        names = _parameters(offered[name])
        if names[: len(expected)] != expected:
            _refuse(f"takes ({', '.join(names)}) for {name} and not ({', '.join(expected)})")


def _parameters(method: Record) -> tuple[str, ...]:
    return tuple(each.text("name") for each in method.records("params"))


def _refuse(problem: str) -> NoReturn:
    raise NodeUnavailable(
        f"the wallet at ZCASH_RPC_URL {problem}: run a zallet that PayGo supports (0.1.0-beta.2 or later)"
    )
