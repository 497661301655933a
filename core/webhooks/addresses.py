"""Which addresses webhooks may be sent to: those of public hosts, and nothing else (RFC 6890, RFC 4291)."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

# What is not public though the registry, or Python's copy of it, calls it global.
_V4_INSIDE = (
    ip_network("100.64.0.0/10"),  # carriers' and clouds' own networks
    ip_network("168.63.129.16/32"),  # a cloud's agent for the machine itself
    ip_network("192.0.0.0/24"),  # protocol assignments, a cloud's metadata among them
    ip_network("192.88.99.0/24"),  # relays of 6to4
)
# Hosts have addresses of 2000::/3 alone: neither those of a site, nor any that only wrap an IPv4 address.
_V6_UNICAST = ip_network("2000::/3")
_V6_INSIDE = (
    ip_network("2001::/23"),  # protocol assignments: Teredo, ORCHID, benchmarks
    ip_network("2001:db8::/32"),  # documentation
    ip_network("2002::/16"),  # 6to4, which wraps an IPv4 address
    ip_network("3ffe::/16"),  # a test network that is no more
    ip_network("3fff::/20"),  # documentation
)


def is_public(address: Address) -> bool:
    """Whether an address is a public host's; an IPv4 address that is mapped into IPv6 is what it maps."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        return (
            address in _V6_UNICAST and not any(address in each for each in _V6_INSIDE) and address.is_global
        )
    inside = address.is_multicast or any(address in each for each in _V4_INSIDE)
    return address.is_global and not inside


def may_be_dialled(host: str, *, allow_loopback: bool) -> bool:
    """Whether something is sent to an address in text, brackets or not. Raises ValueError for a name."""
    address = ip_address(host.strip("[]"))
    return is_public(address) or (allow_loopback and _is_loopback(address))


def _is_loopback(address: Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
