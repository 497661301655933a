"""A simulated Zcash node and wallet for development, demos and the sandbox.

It answers JSON-RPC as zcashd, or as zallet and zebrad do, over a chain of its own, on regtest. Addresses are
real encodings, but their receivers are digests and no points of a curve; blocks and transactions are digests
too, and nothing is proven or signed.
"""

from .server import SimNode

__all__ = ["SimNode"]
