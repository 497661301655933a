"""Whose manners a port has: zcashd's, zallet's or zebrad's."""

from enum import StrEnum

from .errors import Code, RpcError
from .jsontext import Json

_ZCASHD_STATUSES = {Code.INVALID_REQUEST: 400, Code.METHOD_NOT_FOUND: 404}
_ZCASHD_ERROR = 500


class Dialect(StrEnum):
    """The software that a port behaves like."""

    ZCASHD = "zcashd"
    ZALLET = "zallet"
    ZEBRA = "zebra"

    def speaks_version_2(self, request: dict[str, Json]) -> bool:
        """Return whether a request is answered by the rules of JSON-RPC 2.0; zcashd ignores the field."""
        return self is not Dialect.ZCASHD and request.get("jsonrpc") == "2.0"

    def status(self, error: RpcError, *, request: dict[str, Json]) -> int:
        """Return the HTTP status that an error is answered with."""
        if self is Dialect.ZEBRA or self.speaks_version_2(request):
            return 200
        return _ZCASHD_STATUSES.get(error.code, _ZCASHD_ERROR)

    def reply(
        self, request: dict[str, Json], *, result: Json = None, error: RpcError | None = None
    ) -> dict[str, Json]:
        """Return the object that answers a request, with a result or an error."""
        failure: Json = None if error is None else {"code": error.code.value, "message": error.message}
        call_id = request.get("id")
        if not self.speaks_version_2(request):
            return {"result": result, "error": failure, "id": call_id}
        body: dict[str, Json] = {"result": result} if error is None else {"error": failure}
        return {"jsonrpc": "2.0", **body, "id": call_id}
