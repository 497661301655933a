"""A method for every call of health. Written by clients/generate.py: do not edit."""

from typing import Literal

from paygo_client import types as _types
from paygo_client.http import Transport


class HealthCalls(Transport):
    """The calls of health; amounts are in ZEC."""

    def show_service_health(
        self,
        *,
        strict: Literal["0", "1"] | None = None,
    ) -> _types.HealthState:
        """Answer each part; 503 when the database is unusable, with `?strict=1` for any failing part."""
        answer: _types.HealthState = self._json("GET", "/api/v1/health", query={"strict": strict})
        return answer
