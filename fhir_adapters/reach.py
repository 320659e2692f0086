"""The allow-list: which addresses may be contacted.

An address is judged by its parsed parts and sent as they were judged. Only the narrow grammar below is understood.
Whatever two readers of a URL could read differently (user info, a backslash, an encoded dot or slash, a directory
step, a control character) is refused rather than repaired.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from fhir_adapters.interface import FeedLinkRefused

MAX_ADDRESS_LENGTH = 8_192
"""Characters. The longest next links seen (all parameters of a search repeated) are below 2,000."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*)?"
    r"(?:\?(?P<query>[A-Za-z0-9\-._~!$&'()*+,;=:@%/?|\[\]{}^`\"<>]*))?"
)
_AUTHORITY = re.compile(r"(https?)://[^/?#]*", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_HIDDEN = re.compile(r"%(?![0-9A-Fa-f]{2})|%(?:2[ef5]|5c|[01][0-9a-f]|7f)", re.IGNORECASE)
"""A broken escape; or an encoded dot, slash, percent sign, backslash or control character."""


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. `path` starts with a slash; `query` is as it is sent, without its question mark."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    def __str__(self) -> str:
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}{port}{self.path}{query}"


@dataclass(frozen=True, slots=True)
class Reach:
    """Everything at or below one address: same scheme, host and port, and a path equal to it or under it."""

    scheme: str
    host: str
    port: int
    path: str
    """Without a trailing slash; "" is the whole host."""

    @classmethod
    def of(cls, base: str) -> "Reach":
        """The reach of a configured base. Raises ValueError if `base` is no plain http(s) address, or has a query."""
        address = _parse(base)
        if address is None or address.query:
            raise ValueError("not an http or https address of scheme, host, optional port and path")
        return cls(address.scheme, address.host, address.port, address.path.rstrip("/"))

    @property
    def base(self) -> str:
        """The address itself, without a trailing slash."""
        return str(Address(self.scheme, self.host, self.port, self.path))

    def below(self, *segments: str, parameters: tuple[tuple[str, str], ...] = ()) -> Address:
        """The address of `segments` under the base, with `parameters` encoded as its query.

        Raises FeedLinkRefused if a segment is empty or would step out of the base, or a text is not Unicode.
        """
        if any(segment in ("", ".", "..") for segment in segments):
            raise FeedLinkRefused("an address would lead outside its base")
        try:
            path = "/".join([self.path, *(quote(segment, safe="") for segment in segments)])
            query = urlencode(parameters, quote_via=quote)
        except UnicodeEncodeError:
            raise FeedLinkRefused("an address holds half a surrogate pair") from None
        return Address(self.scheme, self.host, self.port, path or "/", query)

    def judge(self, text: str) -> Address:
        """The address that an absolute `text` names. Raises FeedLinkRefused unless it lies within."""
        address = _parse(text)
        if address is None or not self.holds(address):
            raise FeedLinkRefused("an address leads outside what is allowed")
        return address

    def resolve(self, link: str) -> Address:
        """The address of a link found in an answer: absolute, or relative to the base (R4 2.1.0.5).

        Raises FeedLinkRefused unless it lies within.
        """
        if _SCHEME.match(link):
            return self.judge(link)
        if link.startswith("//"):
            return self.judge(f"{self.scheme}:{link}")
        if link.startswith("/"):
            authority = _AUTHORITY.match(self.base)
            return self.judge(f"{authority.group() if authority else ''}{link}")
        return self.judge(f"{self.base}{'' if link.startswith('?') else '/'}{link}")

    def relative(self, address: Address) -> str:
        """What `address` adds to the base: `?page=2`, `/Observation?page=2`. `resolve_relative` reads it back."""
        tail = address.path[len(self.path) :]
        return f"{tail}?{address.query}" if address.query else tail

    def resolve_relative(self, tail: str) -> Address:
        """The address of what `relative` returned. Raises FeedLinkRefused unless it lies within."""
        return self.judge(f"{self.base}{tail}")

    def holds(self, address: Address) -> bool:
        """True if `address` lies within and is written in the grammar above, wherever its parts came from."""
        return (
            (address.scheme, address.host, address.port) == (self.scheme, self.host, self.port)
            and f"{address.path}/".startswith(f"{self.path}/")
            and _parse(str(address)) == address
        )


def _parse(text: str) -> Address | None:
    if len(text) > MAX_ADDRESS_LENGTH:
        return None
    authority = _AUTHORITY.match(text)
    if authority is None:
        return None
    found = _ADDRESS.fullmatch(authority.group().lower() + text[authority.end() :])
    if found is None:
        return None
    scheme, path = found["scheme"], found["path"] or "/"
    port = int(found["port"] or _DEFAULT_PORTS[scheme])
    # Servers that strip `;parameters` from a segment read `..;` as a step up.
    steps = any(segment.partition(";")[0] in (".", "..") for segment in path.split("/"))
    if steps or _HIDDEN.search(path) or not 0 < port < 65_536:
        return None
    return Address(scheme, found["host"], port, path, found["query"] or "")
