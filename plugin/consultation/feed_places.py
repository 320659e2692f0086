"""Where a thing is at a feed: what lies under its base, and which entries say that they live there."""

import re
from collections.abc import Mapping
from typing import Any

from fhir_adapters.interface import Entry

_RELATIVE = re.compile(r"([A-Z][A-Za-z]{0,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_ORIGIN = re.compile(r"(https?)://([a-z0-9.\-:\[\]]+)(?=/)", re.IGNORECASE | re.ASCII)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def relative(base: str, text: str) -> str:
    """`text` without `base` where it lies under it; anything else as it is. `base` may be "".

    Letters' case in scheme and host, and a default port, make no other place (RFC 3986, 6.2.2.1 and 6.2.3).
    """
    if not base or "://" not in text:
        return text
    own = f"{base}/"
    if text.startswith(own):  # written as the base is, like nearly all
        return text.removeprefix(own)
    prefix, plain = _plain(own), _plain(text)
    return plain.removeprefix(prefix) if plain.startswith(prefix) else text


def _plain(url: str) -> str:
    origin = _ORIGIN.match(url)
    if origin is None:
        return url
    scheme, host = origin[1].lower(), origin[2].lower()
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}{url[origin.end() :]}"


def place(base: str, text: str) -> str | None:
    """`Type/id` of a reference that is relative, or absolute under `base`; a version is left out."""
    found = _RELATIVE.fullmatch(relative(base, text))
    return f"{found[1]}/{found[2]}" if found else None


def own_place(resource: Mapping[str, Any]) -> str:
    """`Type/id` of a resource of a feed's answer."""
    return f"{resource['resourceType']}/{resource['id']}"


def is_alias(base: str, url: str) -> bool:
    """True for a fullUrl that is no place at the feed: what it means, only the entry that bears it says."""
    return url.startswith("urn:") or (not base and "://" in url)


def is_at_home(base: str, entry: Entry) -> bool:
    """False for a resource whose fullUrl places it elsewhere: its id and references would mean other patients."""
    url = entry.full_url
    return not url or is_alias(base, url) or place(base, url) == own_place(entry.resource)
