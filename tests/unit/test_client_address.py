"""Whose address a request comes from, whatever the caller claims in X-Forwarded-For."""

from typing import Any

import pytest
from django.test import RequestFactory

from paygo.client_address import customer_of

PROXY, INNER_PROXY = "10.0.0.1", "10.0.0.2"


def customer(forwarded: str | None = None, *, remote: str = PROXY) -> str:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return customer_of(RequestFactory().get("/", REMOTE_ADDR=remote, headers=headers))


@pytest.fixture
def proxied(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]


@pytest.mark.parametrize("claimed", ["1.2.3.4", "1.2.3.4, 5.6.7.8", "", "nonsense", "127.0.0.1"])
def test_believes_nobody_where_there_is_no_proxy(settings: Any, claimed: str) -> None:
    settings.TRUSTED_PROXIES = []

    assert customer(claimed, remote="192.0.2.7") == "192.0.2.7"


@pytest.mark.usefixtures("proxied")
class TestBehindProxies:
    def test_takes_what_the_nearest_proxy_has_added(self) -> None:
        assert customer("192.0.2.7") == "192.0.2.7"

    @pytest.mark.parametrize("claimed", ["1.2.3.4", "10.9.9.9, 1.2.3.4", "1.2.3.4," * 500, "x" * 100_000])
    def test_is_not_fooled_by_what_the_caller_has_sent(self, claimed: str) -> None:
        assert customer(f"{claimed}, 192.0.2.7") == "192.0.2.7"

    def test_walks_over_a_chain_of_own_proxies(self) -> None:
        assert customer(f"1.2.3.4, 192.0.2.7, {INNER_PROXY}") == "192.0.2.7"

    def test_takes_the_connections_address_of_who_comes_past_the_proxy(self) -> None:
        assert customer("1.2.3.4", remote="192.0.2.7") == "192.0.2.7"

    @pytest.mark.parametrize("broken", ["", "nonsense", "192.0.2.7, nonsense", ","])
    def test_takes_the_proxys_own_address_where_it_has_added_none(self, broken: str) -> None:
        assert customer(broken) == PROXY

    def test_reads_ports_and_brackets(self) -> None:
        assert customer("192.0.2.7:443") == "192.0.2.7"
        assert customer("[2001:db8::1]:443") == "2001:db8::/64"


@pytest.mark.parametrize("host", ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:a:b:c:d"])
def test_counts_the_addresses_of_one_ipv6_customer_together(host: str) -> None:
    assert customer(remote=host) == "2001:db8::/64"


def test_sees_an_ipv4_address_in_ipv6s_clothes() -> None:
    assert customer(remote="::ffff:192.0.2.7") == "192.0.2.7"


def test_has_a_name_for_a_local_socket() -> None:
    assert customer(remote="") == "local"
