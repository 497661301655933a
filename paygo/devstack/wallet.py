"""The service wallet of a development stack, made by asking the node's wallet over its RPC."""

from typing import Any

import requests

from paygo.devstack.errors import StackError


def service_wallet(url: str, *, user: str, password: str, known: str) -> str:
    """The unified address of the wallet's first account: `known` if it is one of them, else a new one.

    Raises StackError when the node cannot be asked.
    """
    node = _Node(url, user=user, password=password)
    accounts = node.call("z_listaccounts")
    addresses = {entry.get("ua") for account in accounts for entry in account.get("addresses", [])}
    if known and known in addresses:
        return known
    account = accounts[0]["account"] if accounts else node.call("z_getnewaccount")["account"]
    address: str = node.call("z_getaddressforaccount", account)["address"]
    return address


class _Node:
    def __init__(self, url: str, *, user: str, password: str) -> None:
        self._url = url
        self._auth = (user, password)

    def call(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "1.0", "id": "make-run", "method": method, "params": list(params)}
        try:
            answer = requests.post(self._url, json=body, auth=self._auth, timeout=10)
            document = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise StackError(f"The node does not answer {method}: {error}") from error
        if not isinstance(document, dict) or document.get("error") is not None:
            raise StackError(f"The node refuses {method}: HTTP {answer.status_code} {document}")
        return document["result"]
