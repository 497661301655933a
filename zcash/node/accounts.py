"""Which account ZCASH_ACCOUNT names, in the terms of either wallet."""

import re
from typing import NoReturn

from .answers import MAX_HEIGHT, Record, records
from .port import NodeUnavailable
from .rpc import RpcClient

_METHOD = "z_listaccounts"
_WITHOUT_ADDRESSES = False
_NUMBER = re.compile(r"[0-9]{1,10}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# ZIP-32: account numbers have 31 bits.
_MAX_NUMBER = 2**31 - 1


def account_number(text: str) -> int | None:
    """Return the number that a setting is, None where it is none that an account can have (ZIP-32)."""
    if not _NUMBER.fullmatch(text) or int(text) > _MAX_NUMBER:
        return None
    return int(text)


def account_uuid(text: str) -> str | None:
    """Return the UUID that a setting is, in lower case, None where it is none."""
    lowered = text.lower()
    return lowered if _UUID.fullmatch(lowered) else None


def zcashd_account(text: str) -> int:
    """Return the number of the account in zcashd's wallet.

    Raises:
        NodeUnavailable: the setting is no number.
    """
    number = account_number(text)
    if number is None:
        _refuse(f"must be the number of an account of zcashd's wallet, from 0 to {_MAX_NUMBER}")
    return number


def zallet_account(text: str, *, rpc: RpcClient) -> str:
    """Return the UUID of an account of zallet's wallet, given that or its number.

    Raises:
        NodeUnavailable: the setting is neither, or the wallet has no such account, or several.
    """
    number, uuid = account_number(text), account_uuid(text)
    if number is None and uuid is None:
        _refuse("must be the UUID of an account of zallet's wallet, or its number")
    found = [
        account.text("account_uuid")
        for account in records(rpc.call(_METHOD, _WITHOUT_ADDRESSES), what=_METHOD)
        if account.text("account_uuid") == uuid or (number is not None and _number(account) == number)
    ]
    if not found:
        _refuse("names an account that the wallet does not have")
    if len(found) > 1:
        _refuse("names an account of each of the wallet's seeds: give the UUID instead")
    return found[0]


def _number(account: Record) -> int | None:
    # An account of an imported key has none.
    for name in ("zip32_account_index", "account"):
        if name in account:
            return account.integer(name, high=MAX_HEIGHT)
    return None


def _refuse(problem: str) -> NoReturn:
    raise NodeUnavailable(f"ZCASH_ACCOUNT {problem}")
