"""Which driver `connect()` gives, and what stops it: settings, and a wallet that cannot do what is needed."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from pytest_httpserver import HTTPServer

from tests.unit.zallet.stack import ACCOUNT, ADDRESS, OTHER_ACCOUNT, Stack, refuse
from zcash import node as node_module
from zcash.node import connect
from zcash.node.port import (
    NodeNotReady,
    NodeRefused,
    NodeUnavailable,
)
from zcash.node.zallet import ZalletWallet
from zcash.node.zallet_capabilities import EXPECTED
from zcash.node.zcashd import ZcashdWallet


def driver() -> type:
    """The driver behind the connection, which the wallet is asked for when any method is looked up."""
    status: Any = connect().status
    return type(status.__self__)


class TestConnect:
    @pytest.fixture(autouse=True)
    def _configured(self, stack: Stack) -> Iterator[None]:
        with override_settings(
            ZCASH_RPC_URL=stack.wallet.url,
            ZCASH_NODE_URL=stack.node.url,
            ZCASH_NETWORK="regtest",
            ZCASH_ACCOUNT=ACCOUNT,
        ):
            yield
        node_module.disconnect()

    def discover(self, stack: Stack, methods: dict[str, tuple[str, ...]]) -> None:
        stack.wallet.answers["rpc.discover"] = {
            "openrpc": "1.3.2",
            "methods": [
                {"name": name, "params": [{"name": each} for each in names]}
                for name, names in methods.items()
            ],
        }

    def test_asks_nothing_before_the_first_call(self, stack: Stack) -> None:
        connect()

        assert stack.wallet.calls == []

    def test_asks_the_wallet_which_software_it_is_once(self, stack: Stack) -> None:
        first, second = connect(), connect()

        assert driver() is driver() is ZalletWallet
        assert first is second
        assert stack.wallet.count("getwalletstatus") == 1

    def test_takes_a_wallet_without_the_method_for_zcashd(self, stack: Stack) -> None:
        del stack.wallet.answers["getwalletstatus"]

        with override_settings(ZCASH_ACCOUNT="0", ZCASH_NODE_URL=""):
            assert driver() is ZcashdWallet

    @pytest.mark.parametrize(("dialect", "expected"), [("zcashd", ZcashdWallet), ("zallet", ZalletWallet)])
    def test_asks_nothing_where_a_setting_says_it(self, stack: Stack, dialect: str, expected: type) -> None:
        with override_settings(ZCASH_WALLET_DIALECT=dialect, ZCASH_ACCOUNT="0"):
            assert driver() is expected

        assert stack.wallet.count("getwalletstatus") == 0

    @pytest.mark.parametrize(
        ("answer", "error"),
        [(refuse(-28), NodeNotReady), (refuse(-1), NodeRefused), (refuse(-32603), NodeRefused)],
    )
    def test_asks_again_when_the_wallet_did_not_tell(
        self, stack: Stack, answer: object, error: type[Exception]
    ) -> None:
        """A zcashd that starts says -28 of every method, also of those that it does not have."""
        stack.wallet.answers["getwalletstatus"] = answer
        with pytest.raises(error):
            driver()

        del stack.wallet.answers["getwalletstatus"]

        with override_settings(ZCASH_ACCOUNT="0"):
            assert driver() is ZcashdWallet

    def test_names_the_setting_of_a_missing_node(self) -> None:
        with override_settings(ZCASH_NODE_URL=""), pytest.raises(NodeUnavailable, match="set ZCASH_NODE_URL"):
            driver()

    @pytest.mark.parametrize(
        ("setting", "value"), [("ZCASH_NODE_URL", "nonsense"), ("ZCASH_NODE_COOKIE_FILE", "/nowhere")]
    )
    def test_names_the_nodes_setting_and_not_the_wallets(self, setting: str, value: str) -> None:
        with override_settings(**{setting: value}), pytest.raises(NodeUnavailable, match=setting):
            connect().block_hash(1)

    def test_names_the_nodes_setting_of_refused_credentials(self, httpserver: HTTPServer) -> None:
        httpserver.expect_request("/refusing").respond_with_data("", status=401)
        url = httpserver.url_for("/refusing").replace("http://", "http://user:s3cret@")

        with override_settings(ZCASH_NODE_URL=url), pytest.raises(NodeUnavailable) as caught:
            connect().block_hash(1)

        assert "ZCASH_NODE_COOKIE_FILE" in str(caught.value)
        assert "ZCASH_RPC" not in str(caught.value)
        assert "s3cret" not in str(caught.value)

    def test_takes_a_wallet_that_describes_all_that_is_needed(self, stack: Stack) -> None:
        self.discover(stack, {"extra": (), **EXPECTED, "z_viewtransaction": ("txid", "later")})

        assert driver() is ZalletWallet

    def test_names_a_method_that_the_wallet_lacks(self, stack: Stack) -> None:
        self.discover(
            stack, {name: names for name, names in EXPECTED.items() if name != "z_listtransactions"}
        )

        with pytest.raises(NodeUnavailable, match="no method z_listtransactions: run a zallet that"):
            driver()

    def test_names_a_method_that_takes_other_parameters(self, stack: Stack) -> None:
        names = ("account_uuid", "from_height", "end_height", "offset", "limit")
        self.discover(stack, {**EXPECTED, "z_listtransactions": names})

        with pytest.raises(NodeUnavailable, match=r"from_height.* for z_listtransactions"):
            driver()

    @pytest.mark.parametrize("answer", [None, {}, {"methods": [5]}, {"methods": [{"name": 5}]}], ids=repr)
    def test_refuses_a_description_that_is_none(self, stack: Stack, answer: object) -> None:
        stack.wallet.answers["rpc.discover"] = answer

        with pytest.raises(NodeUnavailable, match=r"rpc\.discover"):
            driver()

    @pytest.mark.parametrize("account", ["0", ACCOUNT, ACCOUNT.upper()])
    def test_finds_the_account_by_its_number_or_uuid(self, stack: Stack, account: str) -> None:
        stack.wallet.answers["z_getaddressforaccount"] = {"diversifier_index": 7, "address": ADDRESS}

        with override_settings(ZCASH_ACCOUNT=account):
            connect().new_address(7)

        assert stack.wallet.calls[-1] == ("z_getaddressforaccount", ACCOUNT, ["orchard"], 7)

    @pytest.mark.parametrize(
        ("account", "problem"),
        [
            ("", "must be the UUID"),
            ("default", "must be the UUID"),
            ("-1", "must be the UUID"),
            ("2147483648", "must be the UUID"),
            ("1", "does not have"),
            (OTHER_ACCOUNT, "does not have"),
        ],
    )
    def test_names_the_setting_of_an_account_that_is_not_there(self, account: str, problem: str) -> None:
        with (
            override_settings(ZCASH_ACCOUNT=account),
            pytest.raises(NodeUnavailable, match=f"ZCASH_ACCOUNT.*{problem}"),
        ):
            driver()

    def test_does_not_choose_between_accounts_of_the_same_number(self, stack: Stack) -> None:
        accounts = [{"account_uuid": uuid, "zip32_account_index": 0} for uuid in (ACCOUNT, OTHER_ACCOUNT)]
        stack.wallet.answers["z_listaccounts"] = [*accounts, {"account_uuid": "1" * 36}]

        with override_settings(ZCASH_ACCOUNT="0"), pytest.raises(NodeUnavailable, match="give the UUID"):
            driver()

    def test_wants_a_number_of_zcashd(self) -> None:
        with (
            override_settings(ZCASH_WALLET_DIALECT="zcashd"),
            pytest.raises(NodeUnavailable, match="ZCASH_ACCOUNT must be the number"),
        ):
            driver()
