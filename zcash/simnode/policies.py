"""Privacy policies: what a transaction may reveal, as both wallets name it."""

from enum import StrEnum

from .chain import Chain
from .errors import Code, RpcError
from .transactions import Transaction


class Policy(StrEnum):
    """The policies of `z_sendmany`."""

    FULL = "FullPrivacy"
    AMOUNTS = "AllowRevealedAmounts"
    RECIPIENTS = "AllowRevealedRecipients"
    SENDERS = "AllowRevealedSenders"
    TRANSPARENT = "AllowFullyTransparent"
    LINKING = "AllowLinkingAccountAddresses"
    NONE = "NoPrivacy"


_REVEAL_NOTHING = frozenset({Policy.FULL})
_REVEAL_RECIPIENTS = frozenset({Policy.RECIPIENTS, Policy.TRANSPARENT, Policy.NONE})


def policy_named(name: str | None) -> Policy:
    """Return a policy, the strictest where none is named.

    Raises:
        RpcError: -8: no such policy.
    """
    if name is None:
        return Policy.FULL
    if name not in list(Policy):
        raise RpcError(Code.PARAMETER, f"Unknown privacy policy name '{name[:32]}'")
    return Policy(name)


def check_policy(transaction: Transaction, *, chain: Chain, policy: Policy) -> None:
    """Refuse a transaction out of shielded notes that reveals more than a policy allows.

    Raises:
        RpcError: -8, naming the policy that would do.
    """
    spent = {chain.output(point).pool for point in transaction.inputs}
    paid = {output.pool for output in transaction.outputs}
    if "transparent" in paid and policy not in _REVEAL_RECIPIENTS:
        raise RpcError(
            Code.PARAMETER,
            "The privacy policy forbids transparent recipients: anybody could read them and the amounts."
            f" `{Policy.RECIPIENTS}` or a weaker privacyPolicy allows them.",
        )
    if len(spent | paid - {"transparent"}) > 1 and policy in _REVEAL_NOTHING:
        raise RpcError(
            Code.PARAMETER,
            "The privacy policy forbids crossing shielded pools: anybody could read the amount."
            f" `{Policy.AMOUNTS}` or a weaker privacyPolicy allows it.",
        )
