"""Where each part of the demonstration listens. Everything is on 127.0.0.1; one number moves all of it."""

import errno
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

HOST = "127.0.0.1"
DEFAULT_PORT_BASE = 8080
OPS_OFFSET = 1010
"""The gateway's health port stands where operators look for it: 9090 beside 8080."""
LOWEST_PORT_BASE, HIGHEST_PORT_BASE = 1024, 65535 - OPS_OFFSET


class PortError(Exception):
    """A port that the demonstration needs is in use."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The port of each part, and the URLs that follow from it, without a trailing slash."""

    port_base: int = DEFAULT_PORT_BASE

    @classmethod
    def free(cls, bases: Iterable[int]) -> Self:
        """Those from the first of `bases` whose ports are all free now. Raises PortError if there is none."""
        for base in bases:
            addresses = cls(base)
            with suppress(PortError):
                addresses.require_free()
                return addresses
        raise PortError("no free ports")

    @property
    def ports(self) -> dict[str, int]:
        """Who listens where: name for people -> port."""
        return {
            "the gateway": self.port_base,
            "the gateway's health port": self.port_base + OPS_OFFSET,
            "the pretend EHR": self.port_base + 1,
            "its authorization server": self.port_base + 2,
            "the feed city-lab": self.port_base + 3,
            "the feed imaging": self.port_base + 4,
            "the feed insurer": self.port_base + 5,
        }

    @property
    def gateway(self) -> str:
        return self._url("the gateway")

    @property
    def ops(self) -> str:
        return self._url("the gateway's health port")

    @property
    def ehr(self) -> str:
        return self._url("the pretend EHR")

    @property
    def ehr_fhir(self) -> str:
        return self.ehr + "/fhir"

    @property
    def authorization_server(self) -> str:
        """Its issuer identifier, too."""
        return self._url("its authorization server")

    def feed(self, feed_id: str) -> str:
        """The FHIR base of a sample feed."""
        return self._url(f"the feed {feed_id}") + "/fhir"

    def require_free(self) -> None:
        """Raises PortError with a sentence for the first port that something else holds."""
        for name, port in self.ports.items():
            with socket.socket() as probe:
                # Connections of an earlier run may linger in TIME_WAIT; they hinder nobody.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                        raise
                    raise PortError(
                        f"port {port} on {HOST} cannot be had, and {name} needs it: stop what uses it, "
                        f"or move the whole demonstration with --port-base"
                    ) from error

    def _url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"
