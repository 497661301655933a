"""Failures as zcashd numbers them (src/rpc/protocol.h)."""

from enum import IntEnum


class Code(IntEnum):
    """JSON-RPC error codes."""

    MISC = -1
    SAFE_MODE = -2
    TYPE = -3
    WALLET = -4
    ADDRESS = -5
    INSUFFICIENT_FUNDS = -6
    PARAMETER = -8
    INITIAL_DOWNLOAD = -10
    DATABASE = -20
    WARMING_UP = -28
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL = -32603
    PARSE = -32700


class RpcError(Exception):
    """A call that is answered with an error object."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DataDirError(Exception):
    """The data directory cannot be used; `str()` says why."""
