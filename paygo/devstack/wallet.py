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
    account = _name_of(accounts[0]) if accounts else _new_account(node)
    address: str = node.call("z_getaddressforaccount", account)["address"]
    return address


def _new_account(node: "_Node") -> int | str:
    # zallet wants a name for it, which zcashd would refuse.
    parameters = ["PayGo"] if node.has("getwalletstatus") else []
    return _name_of(node.call("z_getnewaccount", *parameters))


def _name_of(account: dict[str, Any]) -> int | str:
    """What the wallet calls an account: zallet gives it a UUID, zcashd only a number."""
    name: int | str = account["account_uuid"] if "account_uuid" in account else account["account"]
    return name


class _Node:
    def __init__(self, url: str, *, user: str, password: str) -> None:
        self._url = url
        self._auth = (user, password)

    def has(self, method: str) -> bool:
        return bool(self._ask(method).get("error") is None)

    def call(self, method: str, *params: Any) -> Any:
        document = self._ask(method, *params)
        if document.get("error") is not None:
            raise StackError(f"The node refuses {method}: {document['error']}")
        return document["result"]

    def _ask(self, method: str, *params: Any) -> dict[str, Any]:
        body = {"jsonrpc": "1.0", "id": "make-run", "method": method, "params": list(params)}
        try:
            answer = requests.post(self._url, json=body, auth=self._auth, timeout=10)
            document = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise StackError(f"The node does not answer {method}: {error}") from error
        if not isinstance(document, dict):
            raise StackError(f"The node refuses {method}: HTTP {answer.status_code} {document}")
        return document
