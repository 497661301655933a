"""What the calls of keys answer. Written by clients/generate.py: do not edit."""

from typing import TypedDict


class KeyState(TypedDict):
    """A key, without what makes it one."""

    created_at: str
    expires_at: str | None
    is_caller: bool
    last_used_at: str | None
    name: str
    prefix: str
    revoked_at: str | None
    scopes: list[str]


class KeyList(TypedDict):
    """A client's keys, newest first, at most 200."""

    keys: list[KeyState]


class RotatedKey(TypedDict):
    """A new key in the place of the one that called."""

    expires_at: str | None
    key: str
    old_key_expires_at: str
    prefix: str
    scopes: list[str]
