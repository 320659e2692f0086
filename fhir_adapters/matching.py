"""Does a resource match the parameters of a search? R4 3.1.1 for the parameters of `search_table`.

Repeated parameters must all match, values joined by commas need one match. Where the resource's own value cannot be
read (a malformed date), it counts as a match: callers judge what a feed returns too much, and nobody would notice what
it returns too little.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from fhir_adapters.escapes import plain, split
from fhir_adapters.interface import Tree
from fhir_adapters.moments import Sought, Stretch, sought, stretches
from fhir_adapters.search_table import SEARCH_PARAMETERS, Kind, Parameter

Identities = Mapping[str, str]
"""fullUrl -> `Type/id` of every resource in sight, so that `urn:uuid:` and absolute references find their target."""

Test = Callable[[Tree, Identities], bool]

MAX_ALTERNATIVES = 200
"""Values joined by commas in one parameter: a page's worth of ids."""

_REFERENCE = re.compile(
    r"(?:(?P<base>https?://.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})(?:/_history/.+)?"
)


class UnsupportedSearch(ValueError):
    """A type, parameter, modifier or value that cannot be honoured. The message quotes no value."""


def compiled(resource_type: str, parameters: tuple[tuple[str, str], ...]) -> Test:
    """A test for resources of `resource_type` by all `parameters`. Raises UnsupportedSearch."""
    tests = [_test(parameter_of(resource_type, name), value) for name, value in parameters]
    return lambda resource, identities: all(test(resource, identities) for test in tests)


def parameter_of(resource_type: str, name: str) -> Parameter:
    """The definition of a parameter. Raises UnsupportedSearch if the type or the parameter is not offered."""
    known = SEARCH_PARAMETERS.get(resource_type)
    if known is None:
        raise UnsupportedSearch("a search of this type is not offered")
    if name not in known:
        raise UnsupportedSearch("a search parameter is not offered for this type")
    return known[name]


def first_moment(resource: Tree, parameter: Parameter) -> datetime | None:
    """The earliest moment of a date parameter, for sorting; None if the resource has none that can be read."""
    found: list[datetime] = []
    for value in _values(resource, parameter):
        readable = _readable(value)
        found += [one.start for one in readable or ()]
    return min(found, default=None)


def _test(parameter: Parameter, text: str) -> Test:
    alternatives = [_alternative(parameter.kind, part) for part in _alternatives(text)]
    return lambda resource, identities: any(
        accepts(value, identities) for value in _values(resource, parameter) for accepts in alternatives
    )


def _alternatives(text: str) -> list[str]:
    """The values between commas, still escaped."""
    parts = split(text, ",")
    if "" in parts or len(parts) > MAX_ALTERNATIVES:
        raise UnsupportedSearch("a search value is empty, or there are too many")
    return parts


def _alternative(kind: Kind, part: str) -> Callable[[Any, Identities], bool]:
    match kind:
        case Kind.ID:
            wanted = plain(part)
            return lambda value, _: value == wanted
        case Kind.TOKEN:
            return _token(part)
        case Kind.DATE:
            return _date(part)
        case Kind.PATIENT:
            return _reference(plain(part), "Patient")
        case Kind.REFERENCE:
            return _reference(plain(part), None)


def _token(part: str) -> Callable[[Any, Identities], bool]:
    """`code`, `system|code`, `|code` (without a system), `system|` (any code of it)."""
    first, *rest = split(part, "|")
    if len(rest) > 1:
        raise UnsupportedSearch("a search value has more parts than system and code")
    system = plain(first) if rest else None
    code = plain(rest[0] if rest else first)
    if not code and not system:
        raise UnsupportedSearch("a search value names neither system nor code")

    def accepts(value: Any, _: Identities) -> bool:
        return any(
            (not code or found_code == code)
            # A `code` or boolean element implies its system (R4 3.1.1.4.10), which is not written beside it.
            and (system is None or found_system is ... or found_system == (system or None))
            for found_system, found_code in _codings(value)
        )

    return accepts


def _codings(value: Any) -> Iterator[tuple[Any, str | None]]:
    """(system, code) of a Coding, CodeableConcept, Identifier, code, string or boolean; system `...` where implied."""
    if isinstance(value, bool):
        yield ..., "true" if value else "false"
    elif isinstance(value, str):
        yield ..., value
    elif isinstance(value, dict):
        if isinstance(value.get("coding"), list):
            for coding in value["coding"]:
                if isinstance(coding, dict):
                    yield coding.get("system"), coding.get("code")
        elif "value" in value or "code" in value or "system" in value:
            yield value.get("system"), value.get("code", value.get("value"))


def _date(part: str) -> Callable[[Any, Identities], bool]:
    try:
        wanted: Sought = sought(plain(part))
    except ValueError:
        raise UnsupportedSearch("a search value is not a date") from None

    def accepts(value: Any, _: Identities) -> bool:
        readable = _readable(value)
        return readable is None or any(wanted.accepts(found) for found in readable)

    return accepts


def _readable(value: Any) -> list[Stretch] | None:
    try:
        return stretches(value)
    except ValueError:
        return None


def _reference(wanted: str, only_type: str | None) -> Callable[[Any, Identities], bool]:
    """`id`, `Type/id` or an absolute URL, against Reference.reference (R4 3.1.1.4.12). Identifiers are not compared."""
    named = _REFERENCE.fullmatch(wanted)
    if only_type and named and named["type"] != only_type:
        raise UnsupportedSearch("a reference names another type than the parameter")

    def accepts(value: Any, identities: Identities) -> bool:
        reference = value.get("reference") if isinstance(value, dict) else None
        if not isinstance(reference, str):
            return False
        local = identities.get(reference, reference)
        found = _REFERENCE.fullmatch(local)
        if found is None or (only_type and found["type"] != only_type):
            return reference == wanted and only_type is None
        if named is None:
            return found["base"] is None and found["id"] == wanted
        if (found["type"], found["id"]) != (named["type"], named["id"]):
            return False
        # Absolute against absolute compares the bases; a relative one on either side means this very source.
        target = identities.get(wanted, wanted)
        return found["base"] == (None if target != wanted else named["base"])

    return accepts


def _values(resource: Tree, parameter: Parameter) -> Iterator[Any]:
    for path in parameter.paths:
        yield from _at(resource, path.split("."))


def _at(value: Any, names: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, names)
    elif not names:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        yield from _at(value.get(names[0]), names[1:])
