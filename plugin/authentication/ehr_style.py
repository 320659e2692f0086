"""The colours of an EHR (SMART's `smart_style_url`), read once at the launch. What a page takes of them is its affair.

Fetched by us, since a browser that looks at a view asks no other host; and never waited for: without them pages look as
they always do.
"""

import re
from collections.abc import Mapping

import structlog

from fhir_adapters.interface import FeedError
from plugin.authentication.issuers import Fetch
from plugin.authentication.unambiguous import parsed

MAX_COLOURS = 32
"""SMART names nine; what more there is nobody reads."""

_NAME = re.compile(r"color_[a-z]{1,32}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_log = structlog.get_logger()


def colours(fetch: Fetch, address: str) -> Mapping[str, str]:
    """`color_…` -> `#rrggbb`, those that are written so. Raises nothing: a style that cannot be had is none."""
    try:
        value = parsed(fetch(address))
    except (FeedError, ValueError) as error:
        _log.info("the EHR's style is not used", reason=type(error).__name__)
        return {}
    members = value.items() if isinstance(value, dict) else ()
    found = {
        name: text
        for name, text in members
        if _NAME.fullmatch(name) and isinstance(text, str) and _COLOUR.fullmatch(text)
    }
    return dict(list(found.items())[:MAX_COLOURS])
