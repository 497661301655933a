"""Loading the libraries of Ethereum, late and without what they do to the process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import inside of it whatever imports eth_account.

    py_ecc, which lies below it, lets the whole process recurse 100,000 deep: from then on deep JSON from
    anybody would end it by a segmentation fault instead of a RecursionError.
    """
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
