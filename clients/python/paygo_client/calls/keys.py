"""A method for every call of keys. Written by clients/generate.py: do not edit."""

from paygo_client import types as _types
from paygo_client.http import Transport


class KeysCalls(Transport):
    """The calls of keys; amounts are in ZEC."""

    def list_api_keys(
        self,
    ) -> _types.KeyList:
        """Answer which keys there are, what they may do, and when each was used last.

        Scope: `keys:read`.
        """
        answer: _types.KeyList = self._json("GET", "/api/v1/keys")
        return answer

    def rotate_api_key(
        self,
        *,
        overlap_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.RotatedKey:
        """Make a key with the same scopes and life; the one that calls expires after the overlap.

        Where the answer was lost call again: with the same Idempotency-Key it is the same, without one
        what the first call has made is revoked if nobody has used it.

        Scope: `keys:write`.
        """
        answer: _types.RotatedKey = self._json(
            "POST",
            "/api/v1/keys/rotate",
            body=self._given({}, overlap_seconds=overlap_seconds),
            idempotency_key=idempotency_key,
        )
        return answer
