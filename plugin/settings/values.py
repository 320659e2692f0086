"""What the tables of the configuration file are made of: URLs, paths, addresses, names."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from fhir_adapters.reach import Reach

_WRITABLE = re.compile(r"[\x21-\x7e]*")
"""RFC 3986: what else stands in an address is percent-encoded, or no part of it at all."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
"""With a scheme, as FHIR wants the system of an identifier."""

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:]+\])(?::(?P<port>[0-9]*))?/?"
)
_USUAL_PORTS = {"http": 80, "https": 443}


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values cannot change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _exact_url(value: str) -> str:
    if not _WRITABLE.fullmatch(value):
        raise ValueError("is not a URL: it is written in visible ASCII, the name of a host in its `xn--` form")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None or "#" in value:
        raise ValueError("must be an http or https URL without user or fragment")
    if port == 0:
        raise ValueError("names port 0, which is none")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("is plain http to a host that is not loopback")
    return value


def _without_slash(value: str) -> str:
    return value.rstrip("/")


def _asked(value: str) -> str:
    """What the gateway's one socket would refuse to ask is no setting."""
    try:
        Reach.of(value)
    except ValueError as error:
        raise ValueError("must be scheme, host, port and path, without an encoded dot or slash") from error
    if "?" in value:
        raise ValueError("must have no query")
    return value


def _of_an_asked_host(value: str) -> str:
    parts = urlsplit(value)
    _asked(f"{parts.scheme}://{parts.netloc}")
    return value


_EVERY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 - to know it, not to listen on it


def is_loopback(host: str) -> bool:
    """True for `localhost` and for addresses of the loopback network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _base(value: str) -> str:
    """Kept to the letter, as an issuer that was told of it writes it into `aud`."""
    if urlsplit(value).path or "?" in value:
        raise ValueError("must have no path")
    as_origin(value)
    return value


def _beside(value: Any, info: ValidationInfo) -> Any:
    """Relative paths are relative to the configuration file."""
    if isinstance(value, str) and (not value or "\0" in value):
        raise ValueError("is not a path")
    folder = (info.context or {}).get("folder", Path())
    return folder / value if isinstance(value, str | Path) else value


def as_origin(value: str) -> str:
    """A URL without a path as browsers write the origin of its pages (RFC 6454 6.2), to be compared to the letter.

    Raises ValueError for what is no origin, or could be read as two.
    """
    found = _ORIGIN.fullmatch(value.lower())
    host = _as_usual(found["host"]) if found else ""
    if found is None or not host:
        raise ValueError("must be an origin, such as https://pane.example or http://localhost:3000, without a wildcard")
    usual = _USUAL_PORTS[found["scheme"]]
    port = int(found["port"] or usual)
    return f"{found['scheme']}://{host}" + ("" if port == usual else f":{port}")


def _as_usual(host: str) -> str:
    """Browsers read a last label of digits as an IPv4 address, and write each address in one way; "" for none."""
    if not host.startswith("[") and not host.rpartition(".")[2].isdigit():
        return host
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return ""
    return f"[{address}]" if address.version == 6 else str(address)


def _uri(value: str) -> str:
    """A bare OID is compared to the letter like all else, and so would match nobody, in silence."""
    if not _URI.fullmatch(value):
        raise ValueError("must be a URI, such as urn:oid:1.2.250.1.213.1.4.8 or https://hospital.example/ids")
    return value


def _host_port(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be host:port")
    try:
        host.encode("idna")
    except UnicodeError as error:  # what looks names up would fail by it, and not as for a name that nobody knows
        raise ValueError("names no host: between its dots stand 1 to 63 characters") from error
    return value


def pair(address: str) -> tuple[str, int]:
    """Host, without brackets, and port of a HostPort."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def share_a_socket(one: str, other: str) -> bool:
    """True if two HostPorts cannot both be listened on: one port, of one host or of all."""
    (host, port), (other_host, other_port) = pair(one), pair(other)
    if port != other_port:
        return False
    # `localhost` is one address of the loopback network or two: which, only the machine knows.
    local = "localhost" in (host, other_host) and is_loopback(host) and is_loopback(other_host)
    return host == other_host or local or bool({host, other_host} & _EVERY_HOST)


_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""IPv4 in IPv6 form (RFC 4291 2.5.5.2)."""


def _network(value: str) -> str:
    """Callers' addresses are compared without zones, and in IPv4 form where they have one."""
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError("is not a network, such as 10.1.0.0/16, with nothing set beyond its length") from error
    if isinstance(network, ipaddress.IPv4Network):
        return value
    if network.network_address.scope_id is not None:
        raise ValueError("names a zone of this machine (`%`), which no caller's address is known by")
    if not network.subnet_of(_MAPPED):
        return value
    first = int(network.network_address) - int(_MAPPED.network_address)
    return str(ipaddress.IPv4Network((first, network.prefixlen - _MAPPED.prefixlen)))


_WIDEST = {4: 8, 6: 7}
"""Bits of 10.0.0.0/8 and fc00::/7, the largest private networks: in wider ones there are strangers."""


def _some_network(value: str) -> str:
    network = ipaddress.ip_network(value)
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError("is wider than any private network: strangers in it could say to be anywhere")
    return value


ExactUrl = Annotated[str, AfterValidator(_exact_url)]
"""Kept to the letter: clients compare an issuer character by character."""
Url = Annotated[ExactUrl, AfterValidator(_without_slash)]
AskedUrl = Annotated[ExactUrl, AfterValidator(_asked)]
AskedBase = Annotated[Url, AfterValidator(_asked)]
PublishedUrl = Annotated[ExactUrl, AfterValidator(_of_an_asked_host)]
"""Of an issuer, whose host is asked for its documents."""
Location = Annotated[Path, BeforeValidator(_beside)]
HostPort = Annotated[str, AfterValidator(_host_port)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
Text = Annotated[str, Field(min_length=1, max_length=1024)]
Uri = Annotated[Text, AfterValidator(_uri)]

BaseUrl = Annotated[Url, AfterValidator(_base)]
WebOrigin = Annotated[ExactUrl, AfterValidator(as_origin)]
"""Scheme, host and port of a page, as in the header `Origin`."""
Network = Annotated[str, AfterValidator(_network)]
ProxyNetwork = Annotated[Network, AfterValidator(_some_network)]
Flag = Annotated[bool, Field(strict=True)]
"""`true` or `false`: a text that might mean one is refused, whichever it means."""
Whole = Annotated[int, Field(strict=True)]
"""A number; neither a text nor `true`."""
