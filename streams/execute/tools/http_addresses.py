"""Which addresses a tool may connect to: the public internet, nothing that only this place reaches. Pure.

The ranges follow IANA's special-purpose registries (RFC 6890 and its updates). Python's own `is_global` is
not used: it differs between versions and calls multicast, 6to4 and translated addresses global.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_REFUSED_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; also a cloud's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's service for its machines, in a public range
        "169.254.0.0/16",  # link-local; the usual metadata service
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; also a cloud's metadata service
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
_PUBLIC_V6: Final = IPv6Network("2000::/3")
"""All that is given out; what lies outside is local, mapped, translated, multicast or reserved."""
_REFUSED_V6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: hides an IPv4 address
        "3fff::/20",  # documentation
    )
)


def is_public(address: Address) -> bool:
    """Tell whether `address` is one that anybody on the internet could connect to."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None or address not in _PUBLIC_V6:
        return False
    return not any(address in network for network in _REFUSED_V6)


def parsed(text: str) -> Address | None:
    """Return the address that `text` is in its canonical spelling; None when it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None
