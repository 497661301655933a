"""HTTP Basic credentials: a user and password, or a cookie file."""

import base64
import binascii
import hmac
import secrets
from pathlib import Path

COOKIE_USER = "__cookie__"

_COOKIE_BYTES = 32


class Credentials:
    """The one user who may call; without a `user`, whoever has the password, whatever the name."""

    def __init__(self, user: str | None, password: str) -> None:
        self.user = user
        self._expected = (password if user is None else f"{user}:{password}").encode()

    def admits(self, authorization: str) -> bool:
        """Return whether an Authorization header carries these credentials, in a time that tells nothing."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        if self.user is None:
            given = given.partition(b":")[2]
        return scheme == "Basic" and hmac.compare_digest(given, self._expected)


class CookieFile:
    """A cookie file, readable by its owner alone, with a new secret at every start."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self) -> str:
        """Write a new secret and return it; like zebrad's it can contain a slash."""
        password = base64.b64encode(secrets.token_bytes(_COOKIE_BYTES)).decode()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.path.with_name(f"{self.path.name}.tmp")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600, exist_ok=False)
        fresh.write_text(f"{COOKIE_USER}:{password}")
        fresh.replace(self.path)
        return password

    def remove(self) -> None:
        """Remove the file, as a server does that stops."""
        self.path.unlink(missing_ok=True)
