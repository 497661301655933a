"""What an account of the wallet holds, whatever pool it is in and however young it is."""

from core.amounts import MAX_ZAT

from .answers import Record, unexpected
from .rpc import RpcClient

# What zallet tells of an account's total apart: together they are all of it.
_PARTS = ("spendable", "locked", "pending", "dust")


def of_number(rpc: RpcClient, *, account: int) -> int:
    """Return the zatoshis of an account of zcashd, unmined change included."""
    method = "z_getbalanceforaccount"
    answer = Record(rpc.call(method, account, 0), what=method)
    pools = answer.record("pools")
    return sum(_zat(pools.record(pool)) for pool in pools.names())


def of_uuid(rpc: RpcClient, *, account_uuid: str) -> int:
    """Return the zatoshis of an account of zallet, unmined change and dust included."""
    method = "z_getbalances"
    answer = Record(rpc.call(method), what=method)
    ours = [each for each in answer.records("accounts") if each.text("account_uuid") == account_uuid]
    if len(ours) != 1:
        unexpected(method, "does not list the account once")
    total = ours[0].record("total")
    return sum(_zat(total.record(part)) for part in _PARTS if part in total)


def _zat(balance: Record) -> int:
    return balance.integer("valueZat", high=MAX_ZAT)
