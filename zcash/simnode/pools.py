"""Value pools as zallet and zebrad name them: since NU6.3 an Orchard receiver is paid with Ironwood notes."""

POOLS = ("transparent", "sprout", "sapling", "orchard", "ironwood", "lockbox")

_NAMES = {"orchard": "ironwood"}


def pool_name(pool: str) -> str:
    """Return the name of the pool that the chain counts an output to."""
    return _NAMES.get(pool, pool)
