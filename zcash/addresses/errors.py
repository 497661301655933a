"""The one failure of address parsing."""


class AddressError(ValueError):
    """A text that is not an acceptable address: `str()` is a phrase saying what it is instead.

    The phrase completes "this is ..." for the person who typed the text; `reason` is a stable slug.
    """

    def __init__(self, phrase: str, *, reason: str) -> None:
        super().__init__(phrase)
        self.reason = reason
