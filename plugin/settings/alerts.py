"""`[alerts]`: who is told at once when the gateway notices something that a person must look at."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field

from plugin.settings.values import AskedUrl, HostPort, Location, Section


class HttpsReceiverSettings(Section):
    """A web server that is sent each alert as JSON, and answers 2xx when it has it."""

    kind: Literal["https"]
    url: AskedUrl
    token_file: Location | None = None
    """Sent as a bearer token."""


class SyslogReceiverSettings(Section):
    """A syslog collector (RFC 5424). It acknowledges nothing."""

    kind: Literal["syslog"]
    address: HostPort
    transport: Literal["tls", "tcp", "udp"] = "tls"


ReceiverSettings = Annotated[HttpsReceiverSettings | SyslogReceiverSettings, Discriminator("kind")]


class AlertSettings(Section):
    receivers: tuple[ReceiverSettings, ...] = Field(default=(), max_length=8)
    """Told of each alert. Without one an alert is a line of the process log, a metric, and where it concerns the log
    itself a record."""
