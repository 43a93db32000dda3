"""Which addresses a request of ours may go to: those of the public internet, and what the settings open on purpose."""

import ipaddress
from collections.abc import Iterable
from typing import Final

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: a public IPv4 address behind a translator
_CLOSED: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/3",
        "168.63.129.16/32",  # Azure's platform, reachable from every machine there
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20", "5f00::/16",
        "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
"""Beside what `ipaddress` knows as private (IANA's special-purpose registries): tunnels and what only our own network
could mean."""


class Networks:
    """The rule. `opened` are networks (CIDR) that are allowed although they are not public. Raises ValueError."""

    def __init__(self, opened: Iterable[str] = ()) -> None:
        self._opened = tuple(ipaddress.ip_network(text) for text in opened)

    def may_reach(self, address: str) -> bool:
        """Whether to connect to an address as the resolver gave it. What is embedded in an IPv6 address counts."""
        try:
            ip: Ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address):
            if ip.ipv4_mapped is not None:
                ip = ip.ipv4_mapped
            elif ip in _NAT64:
                ip = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if any(ip in network for network in self._opened):
            return True
        return ip.is_global and not ip.is_multicast and not any(ip in network for network in _CLOSED)
