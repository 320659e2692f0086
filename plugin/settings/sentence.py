"""One sentence for what is wrong with a configuration, naming the key. Values are told only where they are ours."""

import re
from typing import Any

from pydantic import ValidationError

# Tags that pydantic adds to a place for the members of a union: no keys that anybody wrote.
_TAGS = frozenset(
    [
        "fhir-rest",
        "bundle-folder",
        "third-party",
        "identifier",
        "same-id",
        "claim",
        "none",
        "basic",
        "bearer",
        "client_credentials",
        "private_key_jwt",
        "public",
        "client_secret",
        "mtls",
        "file",
        "https",
        "syslog",
        "witness",
        "claim-map",
        "claim-table",
    ]
)
_SAID = {
    "extra_forbidden": "is not a key that is known here",
    "missing": "is required",
    "less_than_equal": "may not be more than {le}: a built-in limit can be tightened, never widened",
    "greater_than_equal": "may not be less than {ge}",
    "string_pattern_mismatch": "is made of a-z, 0-9 and -, at most 64 of them",
    "union_tag_invalid": "is none of {expected_tags}",
    "union_tag_not_found": "is required",
}


def sentence(error: ValidationError) -> str:
    """The first thing that is wrong."""
    first = error.errors(include_url=False)[0]
    context: dict[str, Any] = first.get("ctx", {})
    place = [str(part) for part in first["loc"] if part not in _TAGS]
    if discriminator := str(context.get("discriminator", "")).strip("'"):
        place.append(discriminator)
    key = ".".join(part if part.isprintable() else ascii(part) for part in place)
    ours = _SAID.get(first["type"])
    what = ours.format(**context) if ours else re.sub(r"^Value error, ", "", first["msg"])
    return f"{key}: {what}" if key else what
