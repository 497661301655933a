"""The service's key: from a file or the environment, loaded by the collector alone, never stored."""

import os
import stat
from pathlib import Path
from typing import Any

from billing.ethereum.errors import ConfigurationUnfit
from billing.ethereum.libraries import loading

_FILE, _TEXT = "ETHEREUM_KEY_FILE", "ETHEREUM_KEY"


class Key:
    """A private key that signs; its text never shows."""

    def __init__(self, secret: str) -> None:
        with loading():
            from eth_account import Account

        try:
            self._account = Account.from_key(secret)
        except Exception:  # noqa: BLE001
            # Whatever is wrong with it: the cause would carry the text of the key into a log.
            raise ConfigurationUnfit("the Ethereum key must be 32 bytes in hexadecimal") from None
        self.address = str(self._account.address)

    def __repr__(self) -> str:
        return f"Key({self.address})"

    def sign(self, transaction: dict[str, Any]) -> tuple[bytes, str]:
        """Return a transaction, signed, and its hash."""
        signed = self._account.sign_transaction(transaction)
        return bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex()


def load() -> Key:
    """Return the key.

    Raises:
        ConfigurationUnfit: there is none, or others than its owner may read its file.
    """
    if name := os.environ.get(_FILE):
        return Key(_of_file(Path(name)))
    if text := os.environ.get(_TEXT):
        return Key(text)
    raise ConfigurationUnfit(f"neither {_FILE} nor {_TEXT} is set")


def _of_file(path: Path) -> str:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationUnfit(f"others may read {_FILE}: chmod 600")
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationUnfit(f"{_FILE} cannot be read: {type(error).__name__}") from error
