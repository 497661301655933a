"""Webhooks go to public hosts: a corpus of addresses that are something else, in every way to write them."""

from ipaddress import ip_address

import pytest

from core.webhooks.addresses import is_public, may_be_dialled

INSIDE = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254
168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192
192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255
240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::127.0.0.1 ::10.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:a9fe:a9fe
::ffff:168.63.129.16 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8 64:ff9b::127.0.0.1 64:ff9b::a00:1 64:ff9b::8.8.8.8
64:ff9b:1::a00:1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1
2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe:: 2002:808:808:: 3ffe::1 3fff::1 4000::1 5f00::1 8000::1 fc00::1
fd00:ec2::254 fd12:3456:789a::1 fe80::1 fe80::5efe:7f00:1 fe80::1%1 fec0::1 feff::1 ff02::1 ff0e::1
"""
OUTSIDE = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 168.63.129.15
168.63.129.17 169.253.255.255 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
223.255.255.255 ::ffff:8.8.8.8 2001:4860:4860::8888 2400:cb00::1 2606:4700:4700::1111 2a00:1450::1
"""


@pytest.mark.parametrize("text", INSIDE.split())
def test_sends_nothing_inside(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", OUTSIDE.split())
def test_sends_to_public_hosts(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "::ffff:127.0.0.1"])
def test_sends_to_this_machine_only_in_development(host: str) -> None:
    assert may_be_dialled(host, allow_loopback=True)
    assert not may_be_dialled(host, allow_loopback=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "169.254.169.254", "fec0::1"])
def test_development_opens_this_machine_and_nothing_more(host: str) -> None:
    assert not may_be_dialled(host, allow_loopback=True)
