"""Whose address a request comes from: what the connection says, or what a trusted proxy has added.

X-Forwarded-For is a list that anybody may begin; only what the operator's own proxies (TRUSTED_PROXIES) have
appended at its end is true.
"""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_FORWARDED = "HTTP_X_FORWARDED_FOR"
# A chain of proxies is short; the rest of a longer list is made up.
_MAX_HOPS = 16
# What one customer of a provider gets at least: within it addresses cost nothing.
_IPV6_CUSTOMER = 64
# Who calls by a local socket.
NOBODY = "local"


def address_of(request: HttpRequest) -> Address | None:
    """Return the address nearest to the caller that is known for certain; None for a local socket."""
    return _address_in(request.META)


def customer_of(request: HttpRequest) -> str:
    """Return what limits count by: an IPv4 address, or the /64 that an IPv6 address is one of."""
    return customer_in(request.META)


def customer_in(environ: Mapping[str, Any]) -> str:
    """Return the same of a call that Django has not seen yet."""
    address = _address_in(environ)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_CUSTOMER), strict=False))
    return str(address or NOBODY)


def _address_in(environ: Mapping[str, Any]) -> Address | None:
    nearest = _parsed(environ.get("REMOTE_ADDR", ""))
    hops = environ.get(_FORWARDED, "")[-2000:].split(",")[-_MAX_HOPS:]
    while hops and _is_proxy(nearest):
        before = _parsed(hops.pop())
        if before is None:
            break
        nearest = before
    return nearest


@lru_cache(maxsize=8)
def parse_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Return networks (`10.0.0.0/8`, or one address). Raises ValueError for a text that is none."""
    return tuple(ip_network(text.strip()) for text in texts)


def _is_proxy(address: Address | None) -> bool:
    trusted = parse_networks(tuple(settings.TRUSTED_PROXIES))
    if address is None:
        return bool(trusted)
    return any(address in network for network in trusted)


def _parsed(text: str) -> Address | None:
    """Return an address without its port; an IPv4 address in IPv6's clothes as what it is."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
