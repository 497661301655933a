"""What the wallet says of its own view of the chain."""

from dataclasses import dataclass


@dataclass(slots=True)
class Condition:
    """How the wallet stands; all False and 0 is a wallet that has seen every block.

    `behind` counts blocks. A `blank` wallet is rescanning: it lists nothing and knows no transaction.
    """

    locked: bool = False
    behind: int = 0
    recovering: bool = False
    blank: bool = False
