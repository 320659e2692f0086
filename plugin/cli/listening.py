"""Where `vitrine serve` listens, as the servers want it: by address, never by name."""

import socket

from plugin.cli.failure import cannot_listen
from plugin.settings.values import pair


def address_of(key: str, listen: str) -> tuple[str, int]:
    """The address and port that `listen`, a HostPort, means; of several that a name has, one of IPv4.

    Raises Failure if this machine does not know the name. Whether it may be listened at is not asked.
    """
    try:
        found = socket.getaddrinfo(*pair(listen), type=socket.SOCK_STREAM)
    except OSError as error:
        raise cannot_listen(key, listen, error) from error
    address = min(found, key=lambda each: each[0] != socket.AF_INET)[4]
    return str(address[0]), int(address[1])
