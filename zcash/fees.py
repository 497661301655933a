"""The conventional fee of what the wallet sends (ZIP-317): 5,000 zatoshis for each logical action."""

from zcash.addresses import SAPLING, Address, Kind

MARGINAL_ZAT = 5_000
# A shielded bundle is padded to two actions; the payment and the change fit in them.
_SHIELDED_ACTIONS = 2
# From one shielded pool into another: a bundle in each.
_CROSSING_ACTIONS = 2 * _SHIELDED_ACTIONS
# One transparent output comes on top.
_TRANSPARENT_ACTIONS = 3
# A TEX address is paid by a second, transparent transaction behind the first one (ZIP-320).
_TEX_ACTIONS = _TRANSPARENT_ACTIONS + 2


def fee_zat(recipient: Address, *, source: Address) -> int:
    """Return the fee in zatoshis of paying one recipient from what a shielded address received.

    What the wallet pays can differ, for notes that it joins or other money that it takes.
    """
    if recipient.kind is Kind.TEX:
        return MARGINAL_ZAT * _TEX_ACTIONS
    if recipient.is_transparent:
        return MARGINAL_ZAT * _TRANSPARENT_ACTIONS
    return MARGINAL_ZAT * (_SHIELDED_ACTIONS if share_a_pool(recipient, source) else _CROSSING_ACTIONS)


def unknown_fee_zat(*, outputs: int) -> int:
    """Return what somebody's transaction with so many outputs to others has cost, as far as can be told."""
    return MARGINAL_ZAT * (_SHIELDED_ACTIONS + outputs)


def share_a_pool(one: Address, other: Address) -> bool:
    """Whether shielded money of one address can go to the other without leaving its pool."""
    return bool(_shielded_typecodes(one) & _shielded_typecodes(other))


def _shielded_typecodes(address: Address) -> set[int]:
    return {each.typecode for each in address.receivers if each.typecode >= SAPLING}
