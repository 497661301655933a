"""Places in a process for what may take long: so many in all, and so many of them for each name."""

import threading
from collections import Counter
from collections.abc import Hashable


class Places:
    """So many places at once, no more than a share of them for one name."""

    def __init__(self, number: int, *, each: int) -> None:
        self._number, self._each = number, each
        self._taken: Counter[Hashable] = Counter()
        self._changed = threading.Condition()

    def take(self, name: Hashable, *, wait_seconds: float = 0) -> bool:
        """Take a place for a name, which `leave` gives back; False: there was none in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_one_for(name), wait_seconds):
                return False
            self._taken[name] += 1
            return True

    def leave(self, name: Hashable) -> None:
        """Give a place back."""
        with self._changed:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]
            self._changed.notify_all()

    def _has_one_for(self, name: Hashable) -> bool:
        return self._taken[name] < self._each and self._taken.total() < self._number
