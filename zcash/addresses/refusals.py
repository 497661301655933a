"""What a text that is no acceptable address is by its prefix, so that the refusal can name it."""

from .errors import AddressError

_SUFFIXES = ("", "test", "regtest")


def _on_every_network(*names: str) -> frozenset[str]:
    return frozenset(name + suffix for name in names for suffix in _SUFFIXES)


_REVISION_1 = _on_every_network("ur")
_REVISION_2 = _on_every_network("zu", "tu")
_VIEWING_KEYS = _on_every_network("uview", "uivk", "urview", "urivk", "uvf", "uvi") | {
    "zxviews",
    "zxviewtestsapling",
    "zxviewregtestsapling",
    "zivks",
    "zivktestsapling",
    "zivkregtestsapling",
}
_SPENDING_KEYS = frozenset(
    {"secret-extended-key-main", "secret-extended-key-test", "secret-extended-key-regtest"}
)
_SPROUT_ADDRESSES = frozenset({b"\x16\x9a", b"\x16\xb6"})
_SPROUT_VIEWING_KEYS = frozenset({b"\xa8\xab\xd3", b"\xa8\xac\x0c"})
_SPROUT_SPENDING_KEYS = frozenset({b"\xab\x36", b"\xac\x08"})
_PRIVATE_KEYS = frozenset({b"\x80", b"\xef"})


def refusal_of_prefix(hrp: str) -> AddressError | None:
    """Return why a bech32 text with a known but unacceptable human-readable part is refused."""
    if hrp in _REVISION_1 | _REVISION_2:
        revision = 1 if hrp in _REVISION_1 else 2
        phrase = f"a unified address of revision {revision}; only revision 0 is accepted"
        return AddressError(phrase, reason="unified_revision")
    if hrp in _VIEWING_KEYS:
        return _viewing_key()
    if hrp in _SPENDING_KEYS:
        return _secret_key()
    return None


def refusal_of_payload(payload: bytes) -> AddressError:
    """Return why a base58 payload with a valid checksum, but not of a transparent address, is refused."""
    if payload[:2] in _SPROUT_ADDRESSES and len(payload) == 66:
        return AddressError("a Sprout address; Sprout is not accepted", reason="sprout")
    if payload[:3] in _SPROUT_VIEWING_KEYS and len(payload) == 67:
        return _viewing_key()
    if payload[:2] in _SPROUT_SPENDING_KEYS and len(payload) == 34:
        return _secret_key()
    if payload[:1] in _PRIVATE_KEYS and len(payload) in (33, 34):
        return _secret_key()
    return AddressError("not a Zcash address", reason="not_an_address")


def _viewing_key() -> AddressError:
    return AddressError("a viewing key, not an address; do not share it", reason="viewing_key")


def _secret_key() -> AddressError:
    phrase = "a secret key, not an address; whoever has seen it can spend its money"
    return AddressError(phrase, reason="secret_key")
