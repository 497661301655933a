"""What happens on EVM chains, on a real node."""

from billing.ethereum.libraries import loading

with loading():
    import eth_account  # noqa: F401
