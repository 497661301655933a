"""Fixtures of the pages' tests without a browser: the API's."""

from tests.api.conftest import mallory, node, simnode, vera

__all__ = ["mallory", "node", "simnode", "vera"]
