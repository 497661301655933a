"""HTTP Basic credentials: a user and password, or zcashd's cookie file."""

import base64
import binascii
import hmac
import secrets
from pathlib import Path

COOKIE_USER = "__cookie__"

_COOKIE_NAME = ".cookie"


class Credentials:
    """The one user who may call."""

    def __init__(self, user: str, password: str) -> None:
        self.user = user
        self._expected = f"{user}:{password}".encode()

    def admits(self, authorization: str) -> bool:
        """Return whether an Authorization header carries these credentials, in a time that tells nothing."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme == "Basic" and hmac.compare_digest(given, self._expected)


def write_cookie(datadir: Path) -> Credentials:
    """Write a new cookie file, readable by its owner alone, and return its credentials."""
    password = secrets.token_hex(32)
    fresh = datadir / f"{_COOKIE_NAME}.tmp"
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600, exist_ok=False)
    fresh.write_text(f"{COOKIE_USER}:{password}")
    fresh.replace(datadir / _COOKIE_NAME)
    return Credentials(COOKIE_USER, password)


def remove_cookie(datadir: Path) -> None:
    """Remove the cookie file of a server that stops."""
    (datadir / _COOKIE_NAME).unlink(missing_ok=True)
