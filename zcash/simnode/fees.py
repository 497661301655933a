"""The conventional fee (ZIP-317)."""

from collections import Counter
from collections.abc import Iterable

from zcash.addresses import ORCHARD, P2PKH, P2SH, SAPLING

_MARGINAL_FEE_ZAT = 5000
_GRACE_ACTIONS = 2
_OUTPUT_BYTES = {P2PKH: 34, P2SH: 32}
_STANDARD_OUTPUT_BYTES = 34
# Shielded bundles are padded, so that one payment looks like a payment with change.
_FEWEST_IN_A_BUNDLE = 2


def conventional_fee_zat(*, inputs: Iterable[int], outputs: Iterable[int]) -> int:
    """Return the fee of a transaction whose inputs and outputs are of these typecodes (ZIP-317)."""
    spent, paid = Counter(inputs), Counter(outputs)
    paid_bytes = sum(count * _OUTPUT_BYTES.get(typecode, 0) for typecode, count in paid.items())
    actions = max(spent[P2PKH], -(-paid_bytes // _STANDARD_OUTPUT_BYTES))
    if spent[SAPLING] or paid[SAPLING]:
        actions += max(spent[SAPLING], paid[SAPLING], _FEWEST_IN_A_BUNDLE)
    if spent[ORCHARD] or paid[ORCHARD]:
        actions += max(spent[ORCHARD], paid[ORCHARD], _FEWEST_IN_A_BUNDLE)
    return _MARGINAL_FEE_ZAT * max(_GRACE_ACTIONS, actions)
