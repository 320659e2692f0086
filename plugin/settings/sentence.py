"""One sentence for what is wrong with a configuration, naming the key. Values are told only where they are ours."""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from plugin.settings.errors import WrongBelow

_TABLE = "must be a table"
_TEXT = "must be text"
_SAID = {
    "extra_forbidden": "is not a key that is known here",
    "missing": "is required",
    "less_than_equal": "may not be more than {le}: a built-in limit can be tightened, never widened",
    "greater_than_equal": "may not be less than {ge}",
    "string_pattern_mismatch": "is made of a-z, 0-9 and -, at most 64 of them",
    "string_type": _TEXT,
    "path_type": _TEXT,
    "string_too_short": "may not be empty",
    "string_too_long": "may not be longer than {max_length} characters",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "too_short": "may not be an empty list",
    "too_long": "may not be a list of more than {max_length}",
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "literal_error": "is none of {expected}",
    "union_tag_invalid": "is none of {expected_tags}",
    "union_tag_not_found": "is required",
}
"""In the words of TOML, which is what the reader of the sentence wrote."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def sentence(error: ValidationError, document: Any) -> str:
    """The first thing that is wrong with `document`, as it was parsed."""
    first = error.errors(include_url=False)[0]
    context: dict[str, Any] = first.get("ctx", {})
    kind, loc = first["type"], first["loc"]
    lacking = loc[-1:] if kind == "missing" else ()
    place, value = _place(loc[: len(loc) - len(lacking)], document)
    keys = [_written(str(part)) for part in (*place, *lacking)]
    if "discriminator" in context and isinstance(value, dict):
        keys.append(str(context["discriminator"]).strip("'"))
    elif kind == "union_tag_not_found":
        kind = "dict_type"
    cause = context.get("error")
    if isinstance(cause, WrongBelow):
        keys.append(cause.key)
    what = _SAID[kind].format(**context) if kind in _SAID else str(cause or first["msg"])
    return f"{'.'.join(keys)}: {what}" if keys else what


def _place(loc: Sequence[int | str], document: Any) -> tuple[list[int | str], Any]:
    """Where in the file `loc` is, and what stands there.

    What the file does not have there nobody wrote: pydantic names the members of a union in a place, too. A key that
    may stand beside the table that it belongs to is found where it was written.
    """
    place: list[int | str] = []
    above: Any = None
    here = document
    for part in loc:
        if _has(here, part):
            place.append(part)
            above, here = here, here[part]
        elif part == loc[-1] and _has(above, part):
            return [*place[:-1], part], above[part]
    return place, here


def _has(here: Any, part: int | str) -> bool:
    if isinstance(here, dict):
        return part in here
    return isinstance(here, list) and isinstance(part, int) and part < len(here)


def _written(part: str) -> str:
    """A part of a dotted key, in quotes where TOML wants them."""
    return part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=not part.isprintable())
