"""Step 3: in which of the site's network zones a caller's address lies."""

import ipaddress
from collections.abc import Mapping, Sequence

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NetworkZones:
    """Networks by the name of their zone. Immutable; contacts nobody."""

    def __init__(self, zones: Mapping[str, Sequence[str]]) -> None:
        """`zones`: networks in CIDR form, each in one zone only. The smallest that holds an address names its zone."""
        named = [(ipaddress.ip_network(text), zone) for zone, networks in zones.items() for text in networks]
        self._networks: list[tuple[_Network, str]] = sorted(named, key=lambda each: -each[0].prefixlen)

    def of(self, address: str) -> str | None:
        """The zone of an address as `Origin` has it; None for one outside all zones, and for what is no address."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return None
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        # Of another family is never within.
        return next((zone for network, zone in self._networks if found in network), None)
